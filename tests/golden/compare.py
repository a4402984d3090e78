"""Comparing what numrnn gives with what the original gave."""

from __future__ import annotations

from typing import Any

import numpy as np

RTOL = 1e-10
ATOL_AT_ZERO = 1e-12
"""How far an element may be from a recorded 0."""
NOISE = 1e-15
"""How far any element may be: a gradient that is zero but for rounding was recorded, too."""
ROUNDING = 1e-14
"""How far it may be from any other value, in parts of the largest in the same array: sums of large terms cancel."""


def assert_same(what: str, actual: Any, expected: Any) -> None:
    """Assert that `actual` has the structure, the shapes, the element types and the values of `expected`."""
    if isinstance(expected, list):
        assert isinstance(actual, list), f"{what}: a table was recorded, not {type(actual).__name__}"
        assert len(actual) == len(expected), f"{what}: {len(expected)} elements were recorded, not {len(actual)}"
        for position, (own, recorded) in enumerate(zip(actual, expected, strict=True)):
            assert_same(f"{what}[{position}]", own, recorded)
        return
    own = np.asarray(actual)
    if own.ndim == 0 and expected.shape == (1,):  # the original has no arrays without axes
        own = own.reshape(1)
    assert own.shape == expected.shape, f"{what}: shape {expected.shape} was recorded, not {own.shape}"
    assert own.dtype == expected.dtype, f"{what}: {expected.dtype} was recorded, not {own.dtype}"
    size = np.abs(expected)
    allowed = np.where(expected == 0, ATOL_AT_ZERO, NOISE + RTOL * size + ROUNDING * size.max(initial=0))
    wrong = ~(np.abs(own - expected) <= allowed)  # so that NaN is wrong, too
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        values = f"{own[first]!r} at {first}, where {expected[first]!r} was recorded"
        raise AssertionError(f"{what}: {wrong.sum()} of {wrong.size} elements are off; the first is {values}")
