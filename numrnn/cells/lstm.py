"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, peephole, sigmoid, tanh
from numrnn.recurrent.cell import Cell


class LSTM(Cell):
    r"""Long short-term memory with diagonal peepholes.

    .. math::
        f_t &= \sigma(W_{xf} x_t + b_f + W_{hf} h_{t-1} + w_{cf} c_{t-1}) \\
        i_t &= \sigma(W_{xi} x_t + b_i + W_{hi} h_{t-1} + w_{ci} c_{t-1}) \\
        c_t &= f_t c_{t-1} + i_t \tanh(W_{xz} x_t + b_z + W_{hz} h_{t-1}) \\
        o_t &= \sigma(W_{xo} x_t + b_o + W_{ho} h_{t-1} + w_{co} c_t) \\
        h_t &= o_t \tanh(c_t)

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.
    cell2gate : bool
        Whether the gates see the cell through peepholes.

    References
    ----------
    Graves, Mohamed and Hinton (2013), Speech recognition with deep recurrent neural networks, equations 3 to 7.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> lstm = nr.LSTM(4, 6)
    >>> lstm(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> [state.shape for state in lstm.get_hidden_state()]
    [(3, 6), (3, 6)]
    """

    states = ("h", "c")

    def __init__(
        self, input_size: int, hidden_size: int | None = None, rho: int = 9999, cell2gate: bool = True, rng: Any = None
    ) -> None:
        self.cell2gate = bool(cell2gate)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        f = sigmoid(self._gate("forget", c, x, h))
        i = sigmoid(self._gate("input", c, x, h))
        z = tanh(linear("candidate", x, h))
        c = f * c + i * z
        o = sigmoid(self._gate("output", c, x, h))
        return o * tanh(c), c

    def _gate(self, name, c, x, h):
        gate = linear(name, x, h)
        return gate + peephole(name, c) if self.cell2gate else gate


class FastLSTM(Cell):
    r"""Long short-term memory without peepholes, all gates in one map.

    .. math::
        (i, z, f, o) &= W_x x_t + b + W_h h_{t-1} \\
        c_t &= \sigma(f) c_{t-1} + \sigma(i) \tanh(z) \\
        h_t &= \sigma(o) \tanh(c_t)

    The rows of the weights are blocks in the order input, candidate, forget, output.

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
    Gers, Schmidhuber and Cummins (2000), Learning to forget: continual prediction with LSTM.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.FastLSTM(4, 6)(np.zeros(4, "float32")).shape
    (6,)
    """

    states = ("h", "c")

    def equations(self, x, h, c):
        """Return the new output and cell."""
        i, z, f, o = linear("gates", x, h, parts=4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(z)
        return sigmoid(o) * tanh(c), c
