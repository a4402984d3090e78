"""The two memories of the extended long short-term memory: exponential gates with a stabiliser."""

from __future__ import annotations

from typing import Any, ClassVar

from numrnn.equations import (
    exp,
    greater,
    linear,
    maximum,
    minimum,
    share,
    sigmoid,
    softplus,
    spread,
    sqrt,
    tanh,
    total,
)
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell

VOID = 1e30
"""What the logarithm of the size of an empty memory is below zero."""

STEEPEST = 80.0
"""The largest exponent, either way: powers of e within it are neither infinite nor zero in float32."""


class SLSTM(Cell):
    r"""sLSTM, the scalar memory of the xLSTM: exponential gates, a normaliser, and heads that mix only within.

    .. math::
        (z, i, f, o) &= W_x x_t + b + W_h h_{t-1} \\
        m_t &= \max(\log f + m_{t-1}, i) \\
        i' &= \exp(i - m_t), \quad f' = \exp(\log f + m_{t-1} - m_t) \\
        c_t &= f' c_{t-1} + i' \tanh(z) \\
        n_t &= f' n_{t-1} + i' \\
        h_t &= \sigma(o) \, c_t / n_t

    The input gate is :math:`e^i`; the forget gate is :math:`\sigma(f)`, or :math:`e^f`. The rows of the weights are
    blocks in the order z, i, f, o, in `gates_weight_h` within each head: it is block-diagonal, of shape
    `(heads, 4 H / heads, H / heads)`, and with one head `(4 H, H)`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    heads : int
        Number of heads; it divides H.
    input_heads : int
        Number of heads of the map of the input, which is block-diagonal as well, then; it divides D and H. In the
        authors' program there are as many as heads.
    forget : {"sigmoid", "exponential"}
        What the forget gate is.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Notes
    -----
    c and n are the paper's, both divided by :math:`e^{m}`. The stabiliser m keeps the exponentials from overflowing and
    cancels out of h, whatever it is. Its gradient is computed like any other, kinks and all; what reaches the
    parameters through it cancels out as well, so that their gradients are those of the equations without a stabiliser.

    While n is not positive, as at the start, there is nothing to forget: then :math:`m_t = i`, and :math:`f' = 0`. So
    :math:`n_t \ge 1` after any step from zero states, and h is a mean of values of tanh, times the output gate.

    Raises
    ------
    ValueError
        If the heads do not divide the features, or `forget` is something else.

    References
    ----------
    Beck et al. (2024), xLSTM: extended long short-term memory, equations 8 to 17 and appendix A.2.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> cell = nr.SLSTM(4, 6, heads=2)
    >>> cell(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> cell.gates_weight_h.shape
    (2, 12, 3)
    """

    states = ("h", "c", "n", "m")

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        heads: int = 1,
        input_heads: int = 1,
        forget: str = "sigmoid",
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        if forget not in ("sigmoid", "exponential"):
            raise ValueError(complaint("SLSTM", f"forget = {forget!r}", "'sigmoid' or 'exponential'"))
        self.forget_gate = forget
        self.heads, self.input_heads = (self._checked_size("heads", number) for number in (heads, input_heads))
        size = self._checked_size("hidden_size", input_size if hidden_size is None else hidden_size)
        if size % self.heads:
            raise ValueError(complaint("SLSTM", f"{heads} heads", f"a number that divides hidden_size = {size}"))
        if size % self.input_heads or self._checked_size("input_size", input_size) % self.input_heads:
            expects = f"a number that divides input_size = {input_size} and hidden_size = {size}"
            raise ValueError(complaint("SLSTM", f"{input_heads} input_heads", expects))
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c, n, m):
        """Return the new output, cell, normaliser and stabiliser."""
        z, i, f, o = linear("gates", x, h, parts=4, heads=(self.input_heads, self.heads))
        if self.forget_gate == "sigmoid":
            f = -softplus(-f)
        carried = f + m + VOID * (greater(n, 0) - 1)
        m = maximum(carried, i)
        i, f = exp(i - m), exp(carried - m)
        c = f * c + i * tanh(z)
        n = f * n + i
        return sigmoid(o) * (c / n), c, n, m

    def describe_arguments(self) -> str:
        """Return the sizes and the heads."""
        return super().describe_arguments() + (f", heads={self.heads}" if self.heads > 1 else "")


class MLSTM(Cell):
    r"""mLSTM, the matrix memory of the xLSTM: heads that write values under keys, and read them by queries.

    .. math::
        (q_t, k_t) &= W_{qk} x_t + b_{qk}, \quad (v_t, o_t) = W_{vo} x_t + b_{vo}, \quad
            (i_t, f_t) = W_{if} x_t + b_{if} \\
        m_t &= \max(\log \sigma(f_t) + m_{t-1}, i_t) \\
        i'_t &= \exp(i_t - m_t), \quad f'_t = \exp(\log \sigma(f_t) + m_{t-1} - m_t) \\
        C_t &= f'_t C_{t-1} + i'_t \, \tilde k_t v_t^{\top}, \quad
            n_t = f'_t n_{t-1} + i'_t \tilde k_t, \quad \tilde k_t = k_t / \sqrt{d} \\
        h_t &= \sigma(o_t) \odot C_t^{\top} q_t / \max(|n_t^{\top} q_t|, e^{-m_t})

    This is what each head does, with d of the channels of q and k and with its share of v and o; i, f and m are one
    number a head. The input gate is :math:`e^i`; the forget gate is :math:`\sigma(f)`, or :math:`e^f`. Nothing depends
    on the old output.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    heads : int
        Number of heads; it divides H.
    key_size : int, optional
        Number of channels K of all keys together, and of all queries; the heads divide it. H, if not given.
    forget : {"sigmoid", "exponential"}
        What the forget gate is.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Attributes
    ----------
    keys_weight_x, keys_bias : numpy.ndarray
        Shapes (2 K, D) and (2 K,): blocks of rows q, k; in each, one head after the other.
    values_weight_x, values_bias : numpy.ndarray
        Shapes (2 H, D) and (2 H,): blocks v, o.
    gates_weight_x, gates_bias : numpy.ndarray
        Shapes (2 heads, D) and (2 heads,): blocks i, f.

    Notes
    -----
    The state c is `(batch, K * H / heads)`: `c.reshape(batch, heads, K // heads, H // heads)` has the matrices, whose
    rows belong to channels of the key. n is `(batch, K)`, m `(batch, heads)`. c and n are the paper's, both divided by
    :math:`e^{m}`, and c is transposed. The bias of k is divided by :math:`\sqrt{d}` like the rest.

    The stabiliser m keeps the exponentials from overflowing and cancels out of h, whatever it is. Its gradient is
    computed like any other; what reaches the parameters through it cancels out as well. In the denominator, m counts as
    -80 or 80 if it is beyond, where the paper's would be infinite or zero in float32.

    In training mode the matrices of all steps are kept for the way back, once: 4 `time * batch * K * H / heads` bytes
    for float32; of their gradients those of two steps at a time, and nothing else of that size. More heads make it
    less.

    Raises
    ------
    ValueError
        If the heads do not divide the channels, or `forget` is something else.

    References
    ----------
    Beck et al. (2024), xLSTM: extended long short-term memory, equations 19 to 27, with the stabiliser of equations
    15 to 17 and appendix A.3.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> cell = nr.MLSTM(4, 6, heads=2)
    >>> cell(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> [state.shape for state in cell.get_hidden_state()]
    [(3, 6), (3, 18), (3, 6), (3, 2)]
    """

    states = ("h", "c", "n", "m")
    state_sizes: ClassVar[dict[str, str]] = {"c": "memory", "n": "keys", "m": "heads"}

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        heads: int = 1,
        key_size: int | None = None,
        forget: str = "sigmoid",
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        if forget not in ("sigmoid", "exponential"):
            raise ValueError(complaint("MLSTM", f"forget = {forget!r}", "'sigmoid' or 'exponential'"))
        self.forget_gate = forget
        self.heads = self._checked_size("heads", heads)
        size = self._checked_size("hidden_size", input_size if hidden_size is None else hidden_size)
        self.key_size = self._checked_size("key_size", size if key_size is None else key_size)
        for name, width in (("hidden_size", size), ("key_size", self.key_size)):
            if width % self.heads:
                raise ValueError(complaint("MLSTM", f"{heads} heads", f"a number that divides {name} = {width}"))
        super().__init__(input_size, hidden_size, rho, rng)

    def sizes(self) -> dict[str, int]:
        """Return the numbers of channels, also of keys, heads and all matrices together."""
        more = {"keys": self.key_size, "heads": self.heads, "memory": self.key_size * self.hidden_size // self.heads}
        return super().sizes() | more

    def equations(self, x, h, c, n, m):
        """Return the new output, matrices, normaliser and stabiliser."""
        q, k = linear("keys", x, size="keys", parts=2)
        v, o = linear("values", x, parts=2)
        i, f = linear("gates", x, size="heads", parts=2)
        if self.forget_gate == "sigmoid":
            f = -softplus(-f)
        carried = f + m
        m = maximum(carried, i)
        i, f = exp(i - m), exp(carried - m)
        written = spread(i * sqrt(share("keys") / share("heads")), "keys") * k
        c = spread(f, "memory") * c + spread(written, "memory") * spread(v, "memory", "heads")
        n = spread(f, "keys") * n + written
        read = total(c * spread(q, "memory"), "hidden", "heads")
        scale = exp(minimum(maximum(-m, -STEEPEST), STEEPEST))
        scale = maximum(abs(total(n * q, "heads")), scale)
        return sigmoid(o) * (read / spread(scale, "hidden")), c, n, m

    def describe_arguments(self) -> str:
        """Return the sizes, and the heads."""
        keys = f", key_size={self.key_size}" if self.key_size != self.hidden_size else ""
        return super().describe_arguments() + (f", heads={self.heads}" if self.heads > 1 else "") + keys
