"""What several layers ask of the arrays they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.module import FLOATS


def check_float_array(owner: object, value: Any) -> None:
    """Raise a TypeError unless `value` is one float32 or float64 array."""
    if not isinstance(value, np.ndarray | np.generic) or value.dtype not in FLOATS:
        raise TypeError(complaint(owner, describe(value), "one float32 or float64 array"))


def check_index_array(owner: object, value: Any) -> None:
    """Raise a TypeError unless `value` is one array of integers."""
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.kind not in "iu":
        raise TypeError(complaint(owner, describe(value), "one array of integers, counted from 0"))


def check_index_range(owner: object, indices: np.ndarray, stop: int, what: str) -> None:
    """Raise an IndexError unless all `indices` are in 0 .. stop-1; it names the one furthest out."""
    if indices.size == 0:
        return
    low, high = int(indices.min()), int(indices.max())
    if low < 0 or high >= stop:
        worst = high if high - stop >= -1 - low else low
        raise IndexError(complaint(owner, f"{what} {worst}", f"integers from 0 to {stop - 1}"))


def check_axis(owner: object, value: Any, axis: int) -> None:
    """Raise an error unless `value` is one array that has this axis."""
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError(complaint(owner, describe(value), "one array"))
    if not -value.ndim <= axis < value.ndim:
        raise ValueError(complaint(owner, describe(value), f"an array that has an axis {axis}"))


def compact(array: np.ndarray) -> np.ndarray:
    """Return `array` C-contiguous and writeable, copied only if it is not.

    Kernels are given nothing else: they would be compiled again for other layouts, and for read-only arrays.
    """
    return np.require(array, requirements=("C_CONTIGUOUS", "WRITEABLE"))


def is_size(value: Any) -> bool:
    """Whether `value` is a whole number of at least 1."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1


def is_index(array: Any) -> bool:
    """Whether `array` holds indices, which have no gradient."""
    return array.dtype.kind in "iub"
