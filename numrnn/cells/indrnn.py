"""The independently recurrent network."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, peephole, relu, tanh
from numrnn.errors import complaint
from numrnn.random import generator
from numrnn.recurrent.cell import Cell


class IndRNN(Cell):
    r"""Independently recurrent network, :math:`h_t = f(W x_t + b + u h_{t-1})`: each channel sees only itself.

    The product with u, `hidden_peephole`, is channel by channel. A layer after it mixes the channels.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    nonlinearity : {"relu", "tanh"}
        The function f.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`. The weights u start uniformly between 0 and 1.

    Notes
    -----
    With relu, states grow over T steps as the T-th power of u. The paper therefore keeps abs(u) below the T-th root of
    a bound, such as 2: after each update, `cell.hidden_peephole = cell.hidden_peephole.clip(-bound, bound)`.

    Raises
    ------
    ValueError
        If `nonlinearity` is another one.

    References
    ----------
    Li, Li, Cook, Zhu and Gao (2018), Independently recurrent neural network (IndRNN): building a longer and deeper RNN,
    equation 2.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.IndRNN(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        nonlinearity: str = "relu",
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        if nonlinearity not in ("relu", "tanh"):
            raise ValueError(complaint("IndRNN", f"nonlinearity = {nonlinearity!r}", "'relu' or 'tanh'"))
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        a = linear("hidden", x) + peephole("hidden", h)
        return relu(a) if self.nonlinearity == "relu" else tanh(a)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw = generator(rng)
        super().reset(draw)
        self.hidden_peephole[...] = draw.uniform(0, 1, self.hidden_size)
        self.parameters_changed()
