"""The plain recurrent network."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, relu, tanh
from numrnn.errors import complaint
from numrnn.recurrent.cell import Cell


class RNN(Cell):
    r"""Plain (Elman) recurrent network, :math:`h_t = f(W_x x_t + b + W_h h_{t-1})` with tanh or relu for f.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.
    nonlinearity : {"tanh", "relu"}
        The function f.
    bias : bool
        Whether there is a `b`.

    Raises
    ------
    ValueError
        If `nonlinearity` is another one.

    References
    ----------
    Elman (1990), Finding structure in time.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.RNN(4, 6, nonlinearity="relu")(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        nonlinearity: str = "tanh",
        rho: int = 9999,
        rng: Any = None,
        bias: bool = True,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(complaint("RNN", f"nonlinearity = {nonlinearity!r}", "'tanh' or 'relu'"))
        self.nonlinearity, self.bias = nonlinearity, bool(bias)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        a = linear("hidden", x, h, bias=self.bias)
        return tanh(a) if self.nonlinearity == "tanh" else relu(a)
