"""MSECriterion: the mean squared error."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array


class MSECriterion(Criterion):
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

    def __init__(self, size_average: bool = True) -> None:
        self.size_average = bool(size_average)

    def check(self, input: Any, target: Any) -> None:
        """Expect two float arrays of one shape and element type."""
        check_float_array(self, input)
        check_float_array(self, target)
        if input.shape != target.shape:
            raise ValueError(
                complaint(self, f"a target of shape {target.shape}", f"shape {input.shape}, as the input has")
            )
        if input.dtype != target.dtype:
            raise TypeError(
                complaint(self, f"a target that is a {describe(target)}", f"{input.dtype}, as the input is")
            )

    def update_output(self, input: np.ndarray, target: np.ndarray) -> float:
        """Add up the squares, in float64."""
        return np.square(input - target).sum(dtype=np.float64) / self._divisor(input)

    def update_grad_input(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Double the difference."""
        return np.asarray((input - target) * input.dtype.type(2 / self._divisor(input)))

    def _divisor(self, input: np.ndarray) -> int:
        return max(input.size, 1) if self.size_average else 1

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"size_average={self.size_average}"
