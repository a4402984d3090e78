"""The minimal gated unit."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, sigmoid, tanh
from numrnn.recurrent.cell import Cell


class MGU(Cell):
    r"""Minimal gated unit: a gated recurrent unit whose one gate both forgets and resets.

    .. math::
        f &= \sigma(W_{xf} x_t + b_f + W_{hf} h_{t-1}) \\
        n &= \tanh(W_{xn} x_t + b_n + W_{hn} (f \, h_{t-1})) \\
        h_t &= (1 - f) h_{t-1} + f \, n

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    References
    ----------
    Zhou, Wu, Zhang and Zhou (2016), Minimal gated unit for recurrent neural networks, equation 5.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MGU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        f = sigmoid(linear("forget", x, h))
        n = tanh(linear("candidate", x, f * h))
        return (1 - f) * h + f * n
