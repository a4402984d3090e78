"""ElementwiseCriterion: what losses have in common that compare an input and a target element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array


class ElementwiseCriterion(Criterion):
    """A mean or a sum of terms, one for every element of an input and a target of one shape.

    A subclass writes `terms` and `gradient`.

    Parameters
    ----------
    size_average : bool
        Whether to divide by the number of elements (not only of rows); otherwise the terms are added up.
    """

    def __init__(self, size_average: bool = True) -> None:
        self.size_average = bool(size_average)

    def terms(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the losses of the elements. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no terms")

    def gradient(self, input: np.ndarray, target: np.ndarray, factor: float) -> np.ndarray:
        """Return `factor` times the derivatives of the elements' losses, in a new array. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no gradient")

    def check_step(self, input: np.ndarray, target: np.ndarray, shape: tuple[int, ...]) -> None:
        """Raise an error if float arrays of one element type do not fit; `shape` is that of one step's input."""
        if input.shape != target.shape:
            raise ValueError(
                complaint(self, f"a target of shape {target.shape}", f"shape {input.shape}, as the input has")
            )

    def check(self, input: Any, target: Any) -> None:
        """Expect two float arrays of one shape and element type."""
        self._check(input, target, leading=0)

    def _check(self, input: Any, target: Any, leading: int) -> None:
        check_float_array(self, input)
        check_float_array(self, target)
        self.check_step(input, target, input.shape[leading:])
        if input.dtype != target.dtype:
            raise TypeError(
                complaint(self, f"a target that is a {describe(target)}", f"{input.dtype}, as the input is")
            )

    def update_output(self, input: np.ndarray, target: np.ndarray) -> float:
        """Add up the terms, in float64."""
        return _total(self.terms(input, target)) / self._divisor(input)

    def update_grad_input(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return every element's share."""
        return np.asarray(self.gradient(input, target, 1 / self._divisor(input)), input.dtype)

    def forward_sequence(self, input: np.ndarray, target: np.ndarray) -> list[float]:
        """Return the losses of all steps."""
        self._check(input, target, leading=1)
        divisor = self._divisor(input[0])
        return [_total(step) / divisor for step in self.terms(input, target)]

    def backward_sequence(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the gradients of all steps."""
        self._check(input, target, leading=1)
        return self.gradient(input, target, 1 / self._divisor(input[0]))

    def _divisor(self, step: np.ndarray) -> int:
        return max(step.size, 1) if self.size_average else 1

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"size_average={self.size_average}"


def _total(terms: np.ndarray) -> float:
    # As one axis: a sum over several may be made in another order, depending on how they lie in memory.
    return float(np.ravel(terms).sum(dtype=np.float64))
