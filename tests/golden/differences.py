"""Where numrnn differs from the original on purpose, and how exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.golden.recordings import Recording


class Difference(NamedTuple):
    """Why the numbers differ, and how a recording is changed into one that numrnn does give."""

    reason: str
    corrected: Callable[[Recording], Recording]


def _first_axis_last(recording: Recording) -> Recording:
    moved = {key: np.moveaxis(array, 0, -1).copy() for key, array in recording.arrays.items()}
    return recording._replace(arrays=moved)


LAST_AXIS = Difference(
    "with three axes the original normalises over the first axis, numrnn over the last, as with one or two",
    _first_axis_last,
)

DIFFERENCES = {
    "e_logsoftmax_three_axes": LAST_AXIS,
    "e_shape_softmin": LAST_AXIS,
    "e_softmax_three_axes": LAST_AXIS,
}
"""By the name of the case."""
