"""SoftMax and SoftMin: scores into probabilities."""

from __future__ import annotations

import numpy as np

from numrnn.layers.log_softmax import LogSoftMax


class SoftMax(LogSoftMax):
    """Probabilities of scores: `exp(x) / sum(exp(x))` over the last axis, whatever the axes before it.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is not one float array with a last axis of at least one class.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SoftMax()(np.array([[1000.0, 1000.0], [0.0, -1000.0]])).round(6).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Normalise the rows."""
        output = super().update_output(input)
        return np.exp(output, out=output)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Return p * (g - sum(p * g)), row by row."""
        rest = *input.shape[:-1], 1
        p = np.exp((input - self.maxima.reshape(rest)) - self.log_totals.reshape(rest))
        return p * (grad_output - (p * grad_output).sum(-1, keepdims=True))


class SoftMin(SoftMax):
    """Probabilities of scores, the smallest the most probable: `SoftMax` of `-x`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SoftMin()(np.array([[0.0, 1000.0]])).tolist()
    [[1.0, 0.0]]
    """

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Normalise the rows."""
        return super().update_output(np.negative(input))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Negate the gradient of the SoftMax."""
        return np.negative(super().update_grad_input(np.negative(input), grad_output))
