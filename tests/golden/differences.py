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
    where: str = "output"


def _first_axis_last(recording: Recording) -> Recording:
    moved = {key: np.moveaxis(array, 0, -1).copy() for key, array in recording.arrays.items()}
    return recording._replace(arrays=moved)


LAST_AXIS = Difference(
    "with three axes the original normalises over the first axis, numrnn over the last, as with one or two",
    _first_axis_last,
)


def _own_mean(recording: Recording) -> Recording:
    x, grad, gain, bias = (recording.arrays[key] for key in ("input", "grad_output", "param.0", "param.1"))
    centered = x - x.mean(1, keepdims=True)
    deviation = np.sqrt((centered**2).mean(1, keepdims=True) + 1e-10)
    z, grad_z = centered / deviation, grad * gain
    grad_x = (grad_z - grad_z.mean(1, keepdims=True) - z * (grad_z * z).mean(1, keepdims=True)) / deviation
    own = {"output": z * gain + bias, "grad_input": grad_x, "grad_param.0": (grad * z).sum(0)}
    return recording._replace(arrays=recording.arrays | own)


OWN_MEAN = Difference(
    "the original takes the mean of row (i * D + j) % N away from the element in row i, column j: it mixes up the rows",
    _own_mean,
)


def _without_padding(recording: Recording) -> Recording:
    x, grad = recording.arrays["input"], recording.arrays["grad_output"]
    grad = grad * x.any(1, keepdims=True)
    return recording._replace(arrays=recording.arrays | {"grad_param.0": grad.T @ x, "grad_param.1": grad.sum(0)})


NO_PADDING = Difference(
    "the original adds the gradients of padding to those of the parameters", _without_padding, "grad_param"
)

DIFFERENCES = {
    "a_mask_zero_linear": NO_PADDING,
    "b_mask_zero_linear": NO_PADDING,
    "a_layer_norm": OWN_MEAN,
    "b_layer_norm": OWN_MEAN,
    "e_logsoftmax_three_axes": LAST_AXIS,
    "e_shape_softmin": LAST_AXIS,
    "e_softmax_three_axes": LAST_AXIS,
}
"""By the name of the case."""
