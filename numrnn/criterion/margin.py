"""Losses that ask for scores on the right side of 0: the hinge and the logistic loss."""

from __future__ import annotations

import numpy as np

from numrnn.criterion.elementwise import ElementwiseCriterion
from numrnn.errors import complaint, describe


class MarginCriterion(ElementwiseCriterion):
    """Hinge loss: `max(0, margin - target * input)`, averaged over all elements.

    It is 0 for a score that has the sign of its target and is at least as large as the margin. (Cortes and Vapnik,
    "Support-vector networks", 1995.)

    Parameters
    ----------
    margin : float
        How large a score has to be.
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the losses are added up.

    Notes
    -----
    `target` holds -1 and 1, as floats. `input` and `target` have one shape, whatever it is.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MarginCriterion()(np.array([0.5, 3.0]), np.array([1.0, 1.0]))
    0.25
    """

    def __init__(self, margin: float = 1, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.margin = float(margin)

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Take what is missing to the margin."""
        return np.maximum(input.dtype.type(self.margin) - input * target, 0)

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Push scores that are too small to the target's side."""
        missing = input * target < input.dtype.type(self.margin)
        return np.where(missing, target * input.dtype.type(-factor), input.dtype.type(0))

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"margin={self.margin:g}, {super().describe_arguments()}"


class SoftMarginCriterion(ElementwiseCriterion):
    """Logistic loss: `log(1 + exp(-target * input))`, averaged over all elements.

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the losses are added up.

    Notes
    -----
    `target` holds -1 and 1, as floats. `input` and `target` have one shape, whatever it is. Large scores do not
    overflow.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> round(nr.SoftMarginCriterion()(np.array([0.0, -1000.0]), np.array([1.0, -1.0])), 4)  # (log 2 + 0) / 2
    0.3466
    """

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Take the logarithms, of what is at most 2, so that nothing overflows."""
        score = input * self._like(input, target)
        return np.maximum(-score, 0) + np.log1p(np.exp(-np.abs(score)))

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Push scores to the target's side, by the probability of the other one."""
        target = self._like(input, target)
        score = input * target
        smaller = np.exp(-np.abs(score))
        wrong = np.where(score > 0, smaller, input.dtype.type(1)) / (1 + smaller)
        return target * input.dtype.type(-factor) * wrong

    def _like(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the target in the shape of the input."""
        return target


class BinaryLogisticRegression(SoftMarginCriterion):
    """Logistic regression of two classes: `log(1 + exp(-target * input))`, averaged over the batch.

    That is minus the log-probability of the target, if `Sigmoid` of the score is the probability of class 1.

    Parameters
    ----------
    size_average : bool
        Whether to divide by the size of the batch; otherwise the losses are added up.

    Notes
    -----
    `input` has the shape (batch, 1) or (batch,), and so has `target`, which may be the other of the two. `target`
    holds -1 and 1, as floats. Large scores do not overflow.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and of such shapes.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.BinaryLogisticRegression()
    >>> round(criterion(np.array([[0.0], [-1000.0]]), np.array([1.0, -1.0])), 4)  # (log 2 + 0) / 2
    0.3466
    """

    def check_step(self, input: np.ndarray, target: np.ndarray, shape: tuple[int, ...]) -> None:
        """Expect one score and one target for every row."""
        rows = input.shape[: input.ndim - len(shape)] + shape[:1]
        if len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
            raise ValueError(complaint(self, describe(input), "scores (batch, 1) or (batch,)"))
        if target.shape not in (rows, (*rows, 1)):
            expects = f"shape {rows} or {(*rows, 1)}, as the input has"
            raise ValueError(complaint(self, f"a target of shape {target.shape}", expects))

    def _like(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        return target.reshape(input.shape)
