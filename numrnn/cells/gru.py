"""Gated recurrent unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from numrnn.equations import dropout, linear, sigmoid, tanh
from numrnn.errors import complaint
from numrnn.random import generator
from numrnn.recurrent.cell import Cell, Joint


class GRU(Cell):
    r"""Gated recurrent unit, with the reset gate before the product.

    .. math::
        (r, z) &= \sigma(W_x x_t + b + W_h h_{t-1}) \\
        n &= \tanh(W_{xn} x_t + b_n + W_{hn} (r \, h_{t-1})) \\
        h_t &= (1 - z) n + z h_{t-1}

    The rows of `W_x` and `W_h` are blocks in the order reset, update.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    p : float
        Probability with which each gate drops each channel of x and of h, the same ones at all steps of a sequence.
        Each gate has maps of its own then.
    mono : bool
        Whether all rows of a batch drop the same channels.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, equations 5 to 8 (z as there).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.GRU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        rho: int = 9999,
        p: float = 0.0,
        mono: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, rho, rng, p, mono)

    def equations(self, x, h):
        """Return the new output."""
        if self.p:
            return self._with_dropout(x, h)
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x, sigmoid(r) * h))
        z = sigmoid(z)
        return (1 - z) * n + z * h

    def migrate(self, parameters: Sequence[np.ndarray]) -> GRU:
        """Take over the parameters of a GRU without dropout, of these sizes; return the cell.

        Parameters
        ----------
        parameters : sequence of array
            The six parameters, in the order of `parameters()`.

        Raises
        ------
        ValueError
            If this cell has no dropout, or the parameters are not such; nothing is changed then.

        Examples
        --------
        >>> import numpy as np, numrnn as nr
        >>> plain, other = nr.GRU(4, 6), nr.GRU(4, 6, p=0.2)
        >>> other = other.migrate(plain.parameters()[0]).evaluate()
        >>> x = np.ones((3, 4), "float32")
        >>> bool(np.allclose(other(x), plain(x), rtol=1e-5))
        True
        """
        d, h = self.input_size, self.hidden_size
        shapes = [(2 * h, d), (2 * h,), (2 * h, h), (h, d), (h,), (h, h)]
        if not self.p or [np.shape(parameter) for parameter in parameters] != shapes:
            got = f"parameters of shapes {[np.shape(parameter) for parameter in parameters]}"
            raise ValueError(complaint(self, got, f"a GRU with p > 0, and parameters of shapes {shapes}"))
        gates, bias, fed, *candidate = (np.asarray(parameter) for parameter in parameters)
        parts = [gates[:h], bias[:h], gates[h:], bias[h:], fed[:h], fed[h:], *candidate]
        for own, part in zip(self.parameters()[0], parts, strict=False):  # learned start states come last
            own[...] = part
        return self

    def _with_dropout(self, x, h):
        gates = ("reset", "update")
        mapped = [linear(f"{name}_x", dropout(f"{name}_x", x)) for name in gates]
        fed = [linear(f"{name}_h", dropout(f"{name}_h", h), bias=False) for name in gates]
        r, z = (sigmoid(a + b) for a, b in zip(mapped, fed, strict=True))
        n = linear("candidate_x", dropout("candidate_x", x))
        n = tanh(n + linear("candidate_h", dropout("candidate_h", r * h), bias=False))
        return (1 - z) * n + z * h


class GRUResetAfter(Cell):
    r"""Gated recurrent unit, with the reset gate after the product: the form of cuDNN, PyTorch and Keras.

    .. math::
        (r, z) &= \sigma(W_x x_t + b + W_h h_{t-1}) \\
        n &= \tanh(W_{xn} x_t + b_n + r (W_{hn} h_{t-1} + u_n)) \\
        h_t &= (1 - z) n + z h_{t-1}

    The rows of `W_x` and `W_h` are blocks in the order reset, update. No product waits for the reset gate, so that a
    step has one phase where `GRU` has two.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.
    bias : bool
        Whether there are `b` and `u`.

    Notes
    -----
    `StackedGRU` makes layers of it, and `numrnn.interop.torch` exchanges their weights with `torch.nn.GRU`.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder, in the first version of the preprint;
    the documentation of `torch.nn.GRU`, and that of `cudnnRNNMode_t` in cuDNN.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.GRUResetAfter(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None, bias: bool = True
    ) -> None:
        self.bias = bool(bias)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        r, z = linear("gates", x, h, parts=2, bias=self.bias)
        fed = linear("candidate_h", h, bias=self.bias)
        n = tanh(linear("candidate_x", x, bias=self.bias) + sigmoid(r) * fed)
        z = sigmoid(z)
        return (1 - z) * n + z * h


class RecGRU(Cell):
    """Gated recurrent unit, with the reset gate before the product, in one weight. The equations are those of `GRU`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        Where the initial weights come from: normally distributed with a standard deviation of `(D + H) ** -0.5`. Biases
        start at 0, those of the update gates at 1.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (D + H, 3 H): rows of x, then of the old output; blocks of columns reset, update, candidate.
    bias, grad_bias : numpy.ndarray
        Shape (3 H,).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.RecGRU(4, 6)(np.zeros((2, 4), "float32")).shape
    (2, 6)
    """

    states = ("h",)
    joint: ClassVar[dict[str, Joint]] = {
        "weight": Joint(
            (("gates_weight_x", "gates_weight_h"), ("candidate_weight_x", "candidate_weight_h")), is_transposed=True
        ),
        "bias": Joint((("gates_bias", "candidate_bias"),)),
    }

    def equations(self, x, h):
        """Return the new output."""
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x, sigmoid(r) * h))
        z = sigmoid(z)
        return (1 - z) * n + z * h

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        self.weight[...] = generator(rng).normal(0, len(self.weight) ** -0.5, self.weight.shape)
        self.bias[...] = np.repeat([0, 1, 0], self.hidden_size)  # the update gates keep the state at first
        self.parameters_changed()
