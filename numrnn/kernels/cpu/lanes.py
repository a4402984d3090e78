"""Moving channels between an array and the scratch lanes in which a block of a cell computes."""

from __future__ import annotations

from numba import njit

from numrnn.kernels.cpu.machine import OPTIONS

LANES = 32
"""Channels that are computed together. A block always computes all lanes: no scalar remainder computes differently."""

_INLINE = {**OPTIONS, "forceinline": True}


@njit(**_INLINE)
def load(lanes, slot, array, start, width):
    """lanes[slot] = array[start : start + width]."""
    first = slot * LANES
    if width == LANES:
        for k in range(LANES):
            lanes[first + k] = array[start + k]
    else:
        for k in range(width):
            lanes[first + k] = array[start + k]


@njit(**_INLINE)
def add(lanes, slot, array, start, width):
    """lanes[slot] += array[start : start + width]."""
    first = slot * LANES
    for k in range(width):
        lanes[first + k] += array[start + k]


@njit(**_INLINE)
def store(lanes, slot, array, start, width):
    """array[start : start + width] = lanes[slot]."""
    first = slot * LANES
    if width == LANES:
        for k in range(LANES):
            array[start + k] = lanes[first + k]
    else:
        for k in range(width):
            array[start + k] = lanes[first + k]


@njit(**_INLINE)
def accumulate(lanes, slot, array, start, width):
    """array[start : start + width] += lanes[slot]."""
    first = slot * LANES
    for k in range(width):
        array[start + k] += lanes[first + k]
