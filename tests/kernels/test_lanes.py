"""Scratch lanes: whole or in part, what is beside them is left alone."""

import numpy as np
import pytest

from numrnn.kernels.cpu.lanes import LANES, accumulate, add, load, store


@pytest.mark.parametrize("width", [1, 5, LANES - 1, LANES])
@pytest.mark.parametrize("slot", [0, 1, 2])
def test_each_way_moves_just_the_channels_it_is_told_to(slot, width):
    first, start = slot * LANES, 3
    in_lanes, in_array = slice(first, first + width), slice(start, start + width)
    lanes = np.arange(3 * LANES, dtype="float64")
    array = np.arange(start + LANES + 2) * 10.0 + 1000
    for way, into, position, result in (
        (load, lanes, in_lanes, array[in_array]),
        (add, lanes, in_lanes, lanes[in_lanes] + array[in_array]),
        (store, array, in_array, lanes[in_lanes]),
        (accumulate, array, in_array, lanes[in_lanes] + array[in_array]),
    ):
        changed = {id(a): a.copy() for a in (lanes, array)}
        expected = into.copy()
        expected[position] = result
        way(changed[id(lanes)], slot, changed[id(array)], start, width)
        np.testing.assert_array_equal(changed.pop(id(into)), expected)
        untouched = lanes if into is array else array
        np.testing.assert_array_equal(changed[id(untouched)], untouched)
