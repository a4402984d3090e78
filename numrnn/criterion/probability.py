"""BCECriterion and DistKLDivCriterion: losses of probabilities, with probabilities as targets."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.elementwise import ElementwiseCriterion
from numrnn.errors import complaint, describe

EPSILON = 1e-12
"""Added to what a logarithm is taken of."""


class BCECriterion(ElementwiseCriterion):
    """Binary cross-entropy: minus the log-probability of the truth, where every element is a yes or no.

    An element's loss is `-w * (target * log(input) + (1 - target) * log(1 - input))`; it is averaged over all elements.

    Parameters
    ----------
    weights : array (features,), optional
        Weight of each feature, which is the last axis; without it, all are 1.
    size_average : bool
        Whether to divide by the number of elements, whatever the weights; otherwise the losses are added up.

    Notes
    -----
    `input` holds probabilities, such as `Sigmoid` gives, and `target` 0 and 1, or probabilities; both have one shape.
    As in the original, 1e-12 is added to what a logarithm is taken of, so that the loss of a certain mistake is
    large, but finite.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape, if the last axis does not have
        as many features as there are weights, or if an input is not in 0 .. 1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> round(nr.BCECriterion()(np.array([0.5, 0.25]), np.array([1.0, 0.0])), 4)  # (log 2 + log 4/3) / 2
    0.4904
    """

    def __init__(self, weights: Any = None, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.weights = None if weights is None else np.array(weights, np.float64)
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(complaint("BCECriterion", f"weights of shape {self.weights.shape}", "shape (features,)"))

    def check_step(self, input: np.ndarray, target: np.ndarray, shape: tuple[int, ...]) -> None:
        """Expect probabilities, as many features as there are weights, and targets of the input's shape."""
        super().check_step(input, target, shape)
        if self.weights is not None and shape[-1:] != self.weights.shape:
            raise ValueError(complaint(self, describe(input), f"{len(self.weights)} features, as many as weights"))
        if input.size and (input.min() < 0 or input.max() > 1):
            worst = max(input.min(), input.max(), key=lambda value: abs(value - 0.5))
            raise ValueError(complaint(self, f"an input of {worst:g}", "probabilities from 0 to 1"))

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Take the log-probabilities of yes and of no."""
        epsilon = input.dtype.type(EPSILON)
        log_yes, log_no = np.log(input + epsilon), np.log((1 - input) + epsilon)
        return self._weighted(-(target * log_yes + (1 - target) * log_no))

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Divide the difference by the variance."""
        epsilon = input.dtype.type(EPSILON)
        slopes = (input - target) / ((input + epsilon) * ((1 - input) + epsilon))
        return self._weighted(slopes * input.dtype.type(factor))

    def _weighted(self, values: np.ndarray) -> np.ndarray:
        return values if self.weights is None else values * self.weights.astype(values.dtype)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        weights = "" if self.weights is None else f"weights={self.weights.tolist()}, "
        return f"{weights}{super().describe_arguments()}"


class DistKLDivCriterion(ElementwiseCriterion):
    """Kullback-Leibler divergence of distributions: how far log-probabilities are from the target's probabilities.

    An element's loss is `target * (log(target) - input)`, 0 where the target is not above 0. It is averaged over all
    elements, classes too. (Kullback and Leibler, "On information and sufficiency", 1951.)

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the losses are added up.

    Notes
    -----
    `input` holds log-probabilities, such as `LogSoftMax` gives, and `target` probabilities; both have one shape, such
    as (batch, classes).

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> guess, truth = np.log(np.array([[0.5, 0.5]])), np.array([[1.0, 0.0]])
    >>> round(nr.DistKLDivCriterion()(guess, truth), 4)  # (log 2) / 2
    0.3466
    """

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Weight the differences of the logarithms by the target."""
        # A probability of 0 has a logarithm of -inf; where the target is 0, it must not turn into 0 * inf.
        used = target > 0
        target = np.where(used, target, target.dtype.type(1))
        return target * (np.log(target) - np.where(used, input, input.dtype.type(0)))

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Return minus the target."""
        return np.maximum(target, 0) * input.dtype.type(-factor)
