"""Minimal versions of the gated units: their gates do not see the old state."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, sigmoid, softplus
from numrnn.recurrent.cell import Cell


class MinGRU(Cell):
    r"""Minimal gated recurrent unit: one gate and a candidate, both from the input alone.

    .. math::
        (z, n) &= W x_t + b \\
        h_t &= (1 - \sigma(z)) h_{t-1} + \sigma(z) n

    The rows of `gates_weight_x` are blocks in the order update, candidate. The candidate has no nonlinearity.

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
    Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MinGRU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        z, n = linear("gates", x, parts=2)
        z = sigmoid(z)
        return (1 - z) * h + z * n


class MinLSTM(Cell):
    r"""Minimal long short-term memory: gates and candidate from the input alone, gates that add up to one, one state.

    .. math::
        (f, i, n) &= W x_t + b \\
        f' &= \sigma(f) / (\sigma(f) + \sigma(i)) \\
        h_t &= f' h_{t-1} + (1 - f') n

    The rows of `gates_weight_x` are blocks in the order forget, input, candidate. The candidate has no nonlinearity.

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
    Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.2.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MinLSTM(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        f, i, n = linear("gates", x, parts=3)
        share = sigmoid(softplus(-i) - softplus(-f))  # the f' above, which is not 0 / 0 when both gates are shut
        return share * h + (1 - share) * n
