"""The simple recurrent unit."""

from __future__ import annotations

from typing import Any

from numrnn.equations import linear, peephole, sigmoid
from numrnn.recurrent.cell import Cell


class SRU(Cell):
    r"""Simple recurrent unit: all products are with the input, so that none waits for the step before.

    .. math::
        f_t &= \sigma(W_f x_t + b_f + v_f c_{t-1}) \\
        r_t &= \sigma(W_r x_t + b_r + v_r c_{t-1}) \\
        c_t &= f_t c_{t-1} + (1 - f_t) (W x_t) \\
        h_t &= r_t c_t + (1 - r_t) x_t

    The products with v are channel by channel. The rows of `gates_weight_x` are blocks in the order forget, reset.
    If input and output differ in size, the last line has a product :math:`W_s x_t` in the place of the input, as in
    the authors' program.

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
    Lei, Zhang, Wang, Dai and Artzi (2018), Simple recurrent units for highly parallelizable recurrence, equations 1 to
    4.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SRU(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    >>> list(dict(nr.SRU(4, 4).named_parameters()))
    ['gates_weight_x', 'gates_bias', 'candidate_weight_x', 'forget_peephole', 'reset_peephole']
    """

    states = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int | None = None, rho: int = 9999, rng: Any = None) -> None:
        super().__init__(input_size, hidden_size, rho, rng)

    def equations(self, x, h, c):
        """Return the new output and cell."""
        f, r = linear("gates", x, parts=2)
        z = linear("candidate", x, bias=False)
        f, r = sigmoid(f + peephole("forget", c)), sigmoid(r + peephole("reset", c))
        c = f * c + (1 - f) * z
        skipped = x if self.input_size == self.hidden_size else linear("skip", x, bias=False)
        return r * c + (1 - r) * skipped, c
