"""NormStabilizer: keeps the norms of successive states alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu import masking
from numrnn.layers.arrays import check_float_array
from numrnn.recurrent.abstract_recurrent import AbstractRecurrent
from numrnn.table import Array


class NormStabilizer(AbstractRecurrent):
    r"""Hand its input on, and draw the norms of successive inputs towards each other.

    In training mode, `backward` adds the gradient of a loss of its own,

    .. math:: \beta \sum_t \frac1N \sum_n (\|h_t\| - \|h_{t-1}\|)^2

    which `loss` returns, for the steps that are remembered.

    Parameters
    ----------
    beta : float
        Weight of the loss.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.

    Raises
    ------
    ValueError
        In forward, if the input is not `(batch, features)`.

    References
    ----------
    Krueger and Memisevic (2016), Regularizing RNNs by stabilizing activations, equation 2.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> stabilizer = nr.NormStabilizer(0.5)
    >>> for h in (np.array([[3.0, 4.0]]), np.array([[0.0, 7.0]])):
    ...     y = stabilizer(h)
    >>> stabilizer.loss()
    2.0
    """

    def __init__(self, beta: float = 1.0, rho: int = 99999) -> None:
        super().__init__(rho)
        self.beta = float(beta)

    def check_input(self, input: Any) -> None:
        """Expect an array `(batch, features)`, as large as those of the steps before."""
        check_float_array(self, input)
        if input.ndim != 2:
            raise ValueError(complaint(self, describe(input), "an array (batch, features)"))
        if self._state is not None and input.shape != self._state[0].shape:
            hint = "forget() starts a new sequence, of any batch size"
            raise ValueError(complaint(self, describe(input), f"shape {self._state[0].shape}, as before", hint))

    def initial_state(self, input: Any) -> None:
        """Return None: the first step has no state before it."""
        return None

    def forward_step(self, input: Array, state: Any) -> tuple[Array, list[Array], Any]:
        """Copy the input."""
        flags = self.flags_for(input[np.newaxis], 1)
        padding = np.zeros(len(input), bool) if flags is None else (flags[0] & masking.PADDING) != 0
        if flags is not None and state is not None and (flags[0] & masking.RESET).any():
            self._cut(np.flatnonzero(flags[0] & masking.RESET))
        return np.array(input), [np.array(input)], {"after": [np.array(input)], "padding": padding}

    def backward_step(self, record: Any, input: Any, grad_output: Any, grad_state: Any) -> tuple[Any, list[Any]]:
        """Add the gradients of the differences to the steps before and after."""
        place = len(self._records) - 1 - self._gone_back
        number = self.step - len(self._records) + place
        h = record["after"][0]
        norm = np.linalg.norm(h, axis=1, keepdims=True)
        pull = np.zeros_like(norm)
        for other, cut in ((place - 1, number), (place + 1, number + 1)):
            if 0 <= other < len(self._records):
                difference = norm - np.linalg.norm(self._records[other]["after"][0], axis=1, keepdims=True)
                pull += np.where(self._apart(place, other, cut)[:, np.newaxis], 0, difference).astype(h.dtype)
        direction = np.divide(h, norm, out=np.zeros_like(h), where=norm > 0)
        return grad_output + h.dtype.type(2 * self.beta / len(h)) * pull * direction, [np.zeros_like(h)]

    def _apart(self, place: int, other: int, number: int) -> Array:
        """Return the rows whose records at two places do not pull on each other; `number` is that of the later step."""
        apart = self._records[place]["padding"] | self._records[other]["padding"]
        apart = np.array(apart)
        apart[self._cuts.get(number, [])] = True
        return apart

    def accumulate_step(self, record: Any, input: Any, scale: float) -> None:
        """Do nothing: there are no parameters."""

    def state_after(self, record: Any) -> list[Any]:
        """Return what was handed on at a remembered step."""
        return record["after"]

    def loss(self) -> float:
        """Return the loss of the remembered steps, whose gradient `backward` adds."""
        norms = [np.linalg.norm(record["after"][0], axis=1) for record in self._records]
        total, oldest = 0.0, self.step - len(norms)
        for k in range(1, len(norms)):
            difference = np.where(self._apart(k, k - 1, oldest + k), 0, norms[k] - norms[k - 1])
            total += float(np.square(difference).mean())
        return self.beta * total

    def _check_state(self, given: list[Any]) -> None:
        super()._check_state(given)
        raise ValueError(complaint(self, "a hidden state", "none: it only hands its input on"))

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, in all rows of the batch or in `rows` only."""
        if rows is None or self._state is None:
            super().forget(rows)
        else:
            self._cut(self._checked_rows(rows))

    def get_hidden_state(self, step: int | None = None) -> Any:
        """Return None: there is no state to go on from."""
        return None

    def describe_arguments(self) -> str:
        """Return beta."""
        return f"beta={self.beta}"
