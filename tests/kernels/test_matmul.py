"""The matrix product: right, and to the bit independent of how the work is cut."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from numrnn.kernels.cpu.matmul import DEPTH, add_product, add_product_of_transposed, add_rows, pack, panel_width

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
sizes = st.one_of(st.integers(0, 40), st.sampled_from([1, 6, 7, 16, 31, 32, 33, 63, 64, 65, 128, 130]))
depths = st.one_of(sizes, st.sampled_from([DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH + 3]))


def normal(shape, dtype, seed=0):
    return np.random.default_rng((seed, *shape)).normal(0, 1, shape).astype(dtype)


def product(a, b, start):
    out = start.copy()
    add_product(np.ascontiguousarray(a), pack(b), out)
    return out


def product_of_transposed(a, b, start):
    out = start.copy()
    add_product_of_transposed(np.ascontiguousarray(a), pack(b), out)
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
@given(depth=sizes, columns=sizes)
def test_panels_hold_the_matrix_padded_with_zeros(dtype, depth, columns):
    b, width = normal((depth, columns), dtype), panel_width(np.dtype(dtype))
    panels = pack(b)
    assert panels.shape == (-(-columns // width), depth, width)
    rows = panels.transpose(1, 0, 2).reshape(depth, panels.shape[0] * width)
    np.testing.assert_array_equal(rows[:, :columns], b)
    assert not rows[:, columns:].any()
    np.testing.assert_array_equal(pack(np.ascontiguousarray(b.T), transposed=True), panels)
    np.testing.assert_array_equal(pack(b.T, transposed=True), panels)


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
def test_rows_are_added_in_their_order(dtype, rows, columns, data):
    a, start = normal((rows, columns), dtype), normal((columns,), dtype)
    expected = start.copy()
    for row in a:
        expected += row
    cut, out = data.draw(st.integers(0, rows)), start.copy()
    add_rows(a[:cut], out)
    add_rows(a[cut:], out)
    np.testing.assert_array_equal(out, expected)
