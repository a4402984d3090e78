"""LinearRNN: the plain recurrent network with one joint weight."""

from __future__ import annotations

from typing import Any, ClassVar

from numrnn.equations import linear, relu, sigmoid, tanh
from numrnn.errors import complaint, describe
from numrnn.layers import ReLU, Sigmoid, Tanh
from numrnn.module import Module
from numrnn.recurrent.cell import Cell, Joint

TRANSFERS = {Sigmoid: sigmoid, Tanh: tanh, ReLU: relu}


class LinearRNN(Cell):
    r"""Plain recurrent network with one joint weight, :math:`h_t = f(W [x_t, h_{t-1}] + b)`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H. Inputs are `(batch, D)` or `(D,)`, outputs `(batch, H)` or `(H,)`.
    transfer : Module, optional
        The function f: `Sigmoid()`, which is the default, `Tanh()` or `ReLU()`. For others, see `Recurrence`.
    rho : int
        See `Cell`.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (H, D + H).
    bias, grad_bias : numpy.ndarray
        Shape (H,).

    Raises
    ------
    ValueError
        If `transfer` is another module.

    References
    ----------
    Elman (1990), Finding structure in time.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LinearRNN(4, 6, nr.Tanh())(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    states = ("h",)
    joint: ClassVar[dict[str, Joint]] = {
        "weight": Joint((("hidden_weight_x", "hidden_weight_h"),)),
        "bias": Joint((("hidden_bias",),)),
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        transfer: Module | None = None,
        rho: int = 9999,
        rng: Any = None,
    ) -> None:
        if transfer is not None and type(transfer) not in TRANSFERS:
            raise ValueError(complaint("LinearRNN", f"transfer {describe(transfer)}", "Sigmoid(), Tanh() or ReLU()"))
        self.transfer = Sigmoid if transfer is None else type(transfer)
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h):
        """Return the new output."""
        return TRANSFERS[self.transfer](linear("hidden", x, h))
