"""Whether two contestants computed the same numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Numbers

TOLERANCE = 1e-4
"""Of the largest magnitude in an array. Sums of thousands of float32 terms, in another order, differ by 1e-5 of it."""


def difference(ours: Numbers, theirs: Numbers) -> str | None:
    """Return what is different beyond rounding, or None."""
    if ours.keys() != theirs.keys():
        return f"different results: {sorted(ours)} and {sorted(theirs)}"
    for name, array in ours.items():
        other = theirs[name]
        if np.shape(array) != np.shape(other):
            return f"{name} has shape {np.shape(array)} and {np.shape(other)}"
        distance = np.max(np.abs(np.asarray(array, float) - other)) / max(np.max(np.abs(other)), 1e-30)
        if not distance <= TOLERANCE:  # NaN is a difference
            return f"{name} differs by {distance:.1e} of its largest value"
    return None
