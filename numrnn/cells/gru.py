"""Gated recurrent unit."""

from __future__ import annotations

from numrnn.equations import linear, sigmoid, tanh
from numrnn.recurrent.cell import Cell


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

    def equations(self, x, h):
        """Return the new output."""
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x, sigmoid(r) * h))
        z = sigmoid(z)
        return (1 - z) * n + z * h
