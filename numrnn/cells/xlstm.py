"""The extended long short-term memory: exponential gates with a stabiliser."""

from __future__ import annotations

from typing import Any

from numrnn.equations import exp, greater, linear, maximum, sigmoid, softplus, tanh
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell

VOID = 1e30
"""What the logarithm of the size of an empty memory is below zero."""


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
