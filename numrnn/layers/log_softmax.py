"""LogSoftMax: scores into log-probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.log_softmax import log_softmax, log_softmax_gradient
from numrnn.kernels.cpu.memory import empty
from numrnn.layers.arrays import check_float_array, compact
from numrnn.module import Module


class LogSoftMax(Module):
    """Log-probabilities of scores: `x - log(sum(exp(x)))` over the last axis, whatever the axes before it.

    The maximum is taken out first, so that large scores do not overflow. `ClassNLLCriterion` is the
    loss that goes with it.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is not one float array with a last axis of at least one class.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> np.exp(nr.LogSoftMax()(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))).round(6).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """

    memory = ("maxima", "log_totals")
    row_wise = True

    def __init__(self) -> None:
        super().__init__()
        self.maxima: np.ndarray | None = None  # of each row of the last input
        self.log_totals: np.ndarray | None = None

    def check_input(self, input: Any) -> None:
        """Expect one float array of at least one axis."""
        check_float_array(self, input)
        if input.ndim == 0 or input.shape[-1] == 0:
            raise ValueError(complaint(self, describe(input), "an array (..., classes) of at least one class"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Normalise the rows."""
        x = _rows(input)
        output = empty(x.shape, x.dtype)
        self.maxima, self.log_totals = log_softmax(x, output)
        return output.reshape(input.shape)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Take the probabilities' share of each row's gradient away from it."""
        x = _rows(input)
        grad_input = empty(x.shape, x.dtype)
        log_softmax_gradient(x, self.maxima, self.log_totals, _rows(grad_output), grad_input)
        return grad_input.reshape(input.shape)


def _rows(array: np.ndarray) -> np.ndarray:
    return compact(array).reshape(-1, array.shape[-1])
