"""The matrix product: right, and to the bit independent of how the work is cut."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba.core.errors import TypingError

from numrnn.kernels.cpu import matmul
from numrnn.kernels.cpu.affine import _affine, add_outer_products, add_row_sums, affine, multiply
from numrnn.kernels.cpu.matmul import (
    BACK_DEPTH,
    DEPTH,
    MOST_PARTS,
    ROWS,
    empty_panels,
    lanes_of,
    narrow_product,
    pack,
    pack_transposed,
    product1,
)
from numrnn.kernels.cpu.threads import run

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
sizes = st.one_of(st.integers(0, 40), st.sampled_from([1, 6, 7, 16, 31, 32, 33, 63, 64, 65, 128, 130]))
depths = st.one_of(sizes, st.sampled_from([BACK_DEPTH - 1, BACK_DEPTH, BACK_DEPTH + 1, DEPTH + 3]))


def normal(shape, dtype, seed=0):
    return np.random.default_rng((seed, *shape)).normal(0, 1, shape).astype(dtype)


def product(a, b, start):
    """Return start + a @ b."""
    out = start.copy().reshape(-1)
    rows, depth = a.shape
    a, panels, size = np.array(a, order="C").reshape(-1), pack(np.array(b, order="C")), b.shape[1]
    kernel = narrow_product if panels.shape[2] == lanes_of(a.dtype) else product1
    kernel(a, 0, depth, 1, rows, panels, 0, len(panels), out, 0, size, out, 0, size, size)
    return out.reshape(start.shape)


def product_of_transposed(a, b, start):
    """Return start + a.T @ b, summed from the first row on: the kernel begins with the last one."""
    out = start.copy()
    a, b = np.array(a[::-1], order="C"), np.array(b[::-1], order="C")
    sums = np.zeros(a.shape[1], a.dtype)
    add_outer_products(a, b, a.dtype.type(1), out, sums)
    expected = np.zeros_like(sums)
    add_row_sums(a, a.dtype.type(1), expected)
    np.testing.assert_array_equal(sums, expected)
    return out


def assert_close(found, a, b, start):
    """Compare with float64 products, within the rounding of a chain of additions."""
    a, b, start = (array.astype("float64") for array in (a, b, start))
    bound = (a.shape[1] + 1) * np.finfo(found.dtype).eps * (np.abs(a) @ np.abs(b) + np.abs(start))
    assert (np.abs(found - (a @ b + start)) <= bound).all()


@each_dtype
@settings(deadline=None, max_examples=60)
@given(rows=sizes, depth=depths, columns=sizes, seed=st.integers(0, 99))
@example(rows=0, depth=0, columns=0, seed=0)
@example(rows=3, depth=0, columns=5, seed=0)
@example(rows=1, depth=1, columns=1, seed=0)
def test_equals_numpys_product(dtype, rows, depth, columns, seed):
    a, b, start = normal((rows, depth), dtype, seed), normal((depth, columns), dtype), normal((rows, columns), dtype)
    assert_close(product(a, b, start), a, b, start)
    # the products of transposed matrices make the same chains, for the same numbers
    np.testing.assert_array_equal(product_of_transposed(a.T, b, start), product(a, b, start))


@each_dtype
@settings(deadline=None, max_examples=40)
@given(rows=st.integers(1, 20), depth=depths, columns=sizes, data=st.data())
def test_a_row_does_not_depend_on_the_rows_beside_it(dtype, rows, depth, columns, data):
    a, b, start = normal((rows, depth), dtype), normal((depth, columns), dtype), normal((rows, columns), dtype)
    some = data.draw(st.lists(st.integers(0, rows - 1), max_size=20))
    np.testing.assert_array_equal(product(a[some], b, start[some]), product(a, b, start)[some])


@each_dtype
@settings(deadline=None, max_examples=40)
@given(rows=sizes, depth=depths, columns=st.integers(1, 140), data=st.data())
def test_a_column_does_not_depend_on_the_columns_beside_it(dtype, rows, depth, columns, data):
    a, b, start = normal((rows, depth), dtype), normal((depth, columns), dtype), normal((rows, columns), dtype)
    some = data.draw(st.lists(st.integers(0, columns - 1), max_size=40))
    np.testing.assert_array_equal(product(a, b[:, some], start[:, some]), product(a, b, start)[:, some])


@each_dtype
@settings(deadline=None, max_examples=40)
@given(rows=sizes, depth=depths, columns=sizes, data=st.data())
def test_a_sum_continued_in_a_second_call_is_the_sum_made_at_once(dtype, rows, depth, columns, data):
    a, b, start = normal((rows, depth), dtype), normal((depth, columns), dtype), normal((rows, columns), dtype)
    cut = data.draw(st.integers(0, depth))
    first = product(a[:, :cut], b[:cut], start)
    np.testing.assert_array_equal(product(a[:, cut:], b[cut:], first), product(a, b, start))
    first = product_of_transposed(a.T[:cut], b[:cut], start)
    np.testing.assert_array_equal(product_of_transposed(a.T[cut:], b[cut:], first), product(a, b, start))


@each_dtype
@settings(deadline=None, max_examples=40)
@given(depth=sizes, size=sizes, parts=st.integers(1, MOST_PARTS))
def test_panels_hold_some_channels_of_all_parts_padded_with_zeros(dtype, depth, size, parts):
    b = normal((depth, parts, size), dtype)
    panels = empty_panels(depth, size, parts, np.dtype(dtype))
    channels = panels.shape[2] // parts
    assert panels.shape == (-(-size // channels), depth, parts * channels)
    for part in range(parts):  # maps come one by one
        pack_transposed(np.ascontiguousarray(b[:, part].T), max(1, size), panels, part, parts)
    found = panels.reshape(len(panels), depth, parts, channels).transpose(1, 2, 0, 3)
    found = found.reshape(depth, parts, len(panels) * channels)
    np.testing.assert_array_equal(found[..., :size], b)
    assert not found[..., size:].any()
    if parts == 1:
        packed = pack(b[:, 0].copy())  # of one register, if that is enough
        width = packed.shape[2]
        np.testing.assert_array_equal(packed, panels[:, :, :width])
        assert width == panels.shape[2] or size <= width == lanes_of(dtype)


@each_dtype
@settings(deadline=None, max_examples=40)
@given(rows=st.integers(0, 15), depth=st.integers(1, 40), size=st.integers(1, 70), data=st.data())
def test_parts_and_ranges_of_panels_change_no_bit(dtype, rows, depth, size, data):
    parts = data.draw(st.integers(1, MOST_PARTS))
    a, b, bias = normal((rows, depth), dtype), normal((depth, parts * size), dtype), normal((parts * size,), dtype)
    expected = np.empty((rows, parts * size), dtype)
    multiply(a, pack(b), bias, expected)
    panels = empty_panels(depth, size, parts, np.dtype(dtype))
    pack_transposed(np.ascontiguousarray(b.T), size, panels, 0, parts)
    out = np.full(rows * parts * size, np.nan, dtype)
    cut, middle = data.draw(st.integers(0, len(panels))), data.draw(st.integers(0, rows))
    kernel = getattr(matmul, f"product{parts}")
    for low, high in ((0, cut), (cut, len(panels))):
        for top, bottom in ((0, middle), (middle, rows)):
            start = top * parts * size
            left, ends = (a.reshape(-1), top * depth, depth, 1, bottom - top), (low, high)
            kernel(*left, panels, *ends, bias, 0, 0, out, start, size, size)
    np.testing.assert_array_equal(out.reshape(expected.shape), expected)


@each_dtype
@settings(deadline=None, max_examples=40)
@given(rows=sizes, depth=depths.map(lambda depth: max(1, depth)), columns=sizes, threads=st.integers(1, 3))
@example(rows=130, depth=DEPTH, columns=3, threads=1)  # too many rows to pack on the way
def test_packing_on_the_way_and_threads_change_no_bit(dtype, rows, depth, columns, threads):
    a, b, bias = normal((rows, depth), dtype), normal((depth, columns), dtype), normal((columns,), dtype)
    expected = np.empty((rows, columns), dtype)
    multiply(a, pack(b), bias, expected)
    for factor, is_transposed in ((b, False), (np.ascontiguousarray(b.T), True)):
        out = np.full((rows, columns), np.nan, dtype)
        affine(a, factor, bias, out, is_transposed)
        np.testing.assert_array_equal(out, expected)
        if rows * min(depth, DEPTH) <= ROWS * DEPTH:
            out.fill(np.nan)
            run(_affine, (a, factor, bias, out, is_transposed), threads)
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("wrong", range(4))
def test_arrays_of_different_element_types_are_refused(wrong):
    arrays = [normal(shape, "float32") for shape in ((3, 4), (4, 5), (5,), (3, 5))]
    arrays[wrong] = arrays[wrong].astype("float64")
    a, b, bias, out = arrays
    with pytest.raises(TypingError, match=r"one element type|Cannot unify"):
        multiply(a, pack(b), bias, out)


@each_dtype
@pytest.mark.parametrize("place", [0, 3, 7])
def test_nan_and_infinity_stay_in_their_row_and_column(dtype, place):
    a, b, start = normal((8, 5), dtype), normal((5, 35), dtype), normal((8, 35), dtype)
    clean = product(a, b, start)
    a[place, 2] = np.nan
    b[1, 34] = np.inf
    found = product(a, b, start)
    others = np.arange(8) != place
    np.testing.assert_array_equal(found[others, :34], clean[others, :34])
    assert np.isnan(found[place]).all()
    assert np.isinf(found[others, 34]).all()


@each_dtype
@settings(deadline=None, max_examples=20)
@given(rows=sizes, columns=sizes, data=st.data())
def test_rows_are_added_the_last_one_first(dtype, rows, columns, data):
    a, start = normal((rows, columns), dtype), normal((columns,), dtype)
    expected = start.copy()
    for row in a[::-1]:
        expected += row
    cut, out, one = data.draw(st.integers(0, rows)), start.copy(), a.dtype.type(1)
    add_row_sums(a[cut:], one, out)
    add_row_sums(a[:cut], one, out)
    np.testing.assert_array_equal(out, expected)
