"""AbsCriterion and SmoothL1Criterion: losses that grow as the difference does, and not as its square."""

from __future__ import annotations

import numpy as np

from numrnn.criterion.elementwise import ElementwiseCriterion


class AbsCriterion(ElementwiseCriterion):
    """The absolute difference of input and target, averaged over all elements.

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the differences are added up.

    Notes
    -----
    `input` and `target` have one shape, whatever it is. Where they are equal, the gradient is 0.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.AbsCriterion()(np.array([1.0, 2.0]), np.array([1.0, 5.0]))
    1.5
    """

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Take the sizes of the differences."""
        return np.abs(input - target)

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Take the signs of the differences."""
        return np.sign(input - target) * input.dtype.type(factor)


class SmoothL1Criterion(ElementwiseCriterion):
    """Half the squared difference where it is below 1, the absolute difference minus 1/2 elsewhere, averaged.

    Less is made of outliers than by the mean squared error. (Girshick, "Fast R-CNN", 2015, equation 3.)

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the terms are added up.

    Notes
    -----
    `input` and `target` have one shape, whatever it is.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SmoothL1Criterion(size_average=False)(np.array([0.0, 0.0]), np.array([0.5, 3.0]))  # 1/8 + 5/2
    2.625
    """

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Choose the square or the size of the differences."""
        size = np.abs(input - target)
        half = input.dtype.type(0.5)
        return np.where(size < 1, half * size * size, size - half)

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Limit the differences to -1 and 1."""
        return np.clip(input - target, -1, 1) * input.dtype.type(factor)
