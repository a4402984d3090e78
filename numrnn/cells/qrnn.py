"""The quasi-recurrent network."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, sigmoid, tanh
from numrnn.recurrent.cell import Cell


class QRNN(Cell):
    r"""Quasi-recurrent network with fo-pooling: gates that depend on the input alone, and a running mean of candidates.

    .. math::
        (z, f, o) &= W x_t + b \\
        c_t &= \sigma(f) c_{t-1} + (1 - \sigma(f)) \tanh(z) \\
        h_t &= \sigma(o) c_t

    The rows of `gates_weight_x` are blocks in the order candidate, forget, output. This is the paper's convolution with
    a window of one step (and a bias); for a wider window, let the input hold the features of several steps.

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
    Bradbury, Merity, Xiong and Socher (2017), Quasi-recurrent neural networks, equations 1 and 4.

    Examples
    --------
    A window of two steps:

    >>> import numpy as np, numrnn as nr
    >>> x = np.ones((5, 3, 4), "float32")
    >>> before = np.concatenate([np.zeros_like(x[:1]), x[:-1]])
    >>> nr.Sequencer(nr.QRNN(8, 6))(np.concatenate([before, x], axis=2)).shape
    (5, 3, 6)
    """

    states = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        z, f, o = linear("gates", x, parts=3)
        f = sigmoid(f)
        c = f * c + (1 - f) * tanh(z)
        return sigmoid(o) * c, c
