"""MSECriterion: the mean squared error."""

from __future__ import annotations

import numpy as np

from numrnn.criterion.elementwise import ElementwiseCriterion


class MSECriterion(ElementwiseCriterion):
    """The squared difference of input and target, averaged over all elements.

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the squares are added up.

    Raises
    ------
    TypeError, ValueError
        If `input` and `target` are not float arrays of one element type and shape.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MSECriterion()(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    2.0
    """

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Square the differences."""
        return np.square(input - target)

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Double the difference."""
        return (input - target) * input.dtype.type(2 * factor)
