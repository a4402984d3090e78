"""Large arrays: their memory is used again, but never while somebody looks at it."""

import gc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from numrnn.kernels.cpu import memory
from numrnn.kernels.cpu.memory import LARGEST_STORE, LINE, SMALLEST, empty

FLOAT = np.dtype("float32")


def address(array):
    return array.ctypes.data


@given(st.integers(SMALLEST // 4, 2 * SMALLEST))
@settings(max_examples=20, deadline=None)
def test_a_large_array_begins_at_a_cache_line(count):
    array = empty((count,), FLOAT)
    assert address(array) % LINE == 0
    assert array.shape == (count,)
    assert array.dtype == FLOAT
    assert array.flags.c_contiguous
    assert array.flags.writeable


def test_memory_is_used_again_when_the_last_view_is_gone():
    array = empty((SMALLEST,), FLOAT)
    view, place = array[5:7], address(array)
    del array
    assert address(empty((SMALLEST,), FLOAT)) != place
    view[:] = 3
    assert (view == 3).all()
    del view
    gc.collect()
    addresses = {address(other) for other in [empty((SMALLEST,), FLOAT) for _ in range(3)]}
    assert place in addresses


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_nobody_writes_into_an_array_that_lives(steps):
    """Arrays of several sizes are made, filled with a number of their own, and let go, in any order."""
    alive = {}
    for number, (size, lets_go) in enumerate(steps):
        array = empty((size * SMALLEST // 4,), FLOAT)
        array.fill(number)
        alive[number] = array[::7]
        del array
        if lets_go:
            del alive[next(iter(alive))]
        for other, view in alive.items():
            assert (view == other).all()


def test_what_is_kept_is_limited():
    arrays = [empty((LARGEST_STORE // 16,), FLOAT) for _ in range(6)]
    del arrays
    gc.collect()
    assert memory._stored <= LARGEST_STORE
    assert memory._stored == sum(block.size for stack in memory._free.values() for block in stack)
