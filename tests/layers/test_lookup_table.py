"""LookupTable."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numrnn.layers import LookupTable
from tests.finite_differences import numeric_gradient

shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@settings(deadline=None, max_examples=20)
@given(shape=shapes, seed=st.integers(0, 99), scale=st.sampled_from([1.0, 0.5]))
def test_gradient_is_the_finite_difference(shape, seed, scale):
    rng = np.random.default_rng(seed)
    table = LookupTable(6, 3, rng=seed).astype("float64")
    indices = np.asarray(rng.integers(0, 6, shape))
    direction = rng.normal(size=(*shape, 3))
    assert table.forward(indices).shape == (*shape, 3)
    assert table.backward(indices, direction, scale) is None
    numeric = numeric_gradient(lambda: float((table.forward(indices) * direction).sum()), table.weight)
    np.testing.assert_allclose(table.grad_weight, scale * numeric, atol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(deadline=None, max_examples=20)
@given(shape=shapes, time=st.integers(1, 6), seed=st.integers(0, 99))
def test_sequence_equals_stepping_backwards_bit_for_bit(dtype, shape, time, seed):
    rng = np.random.default_rng(seed)
    whole, stepped = (LookupTable(3, 2, rng=1).astype(dtype) for _ in range(2))
    indices = np.asarray(rng.integers(0, 3, (time, *shape)))
    grad = rng.normal(size=(time, *shape, 2)).astype(dtype)
    output = whole.forward_sequence(indices)
    whole.backward_sequence(indices, grad, 0.3)
    np.testing.assert_array_equal(output, np.stack([stepped.forward(step) for step in indices]))
    for t in reversed(range(time)):
        stepped.forward(indices[t])
        stepped.backward(indices[t], grad[t], 0.3)
    np.testing.assert_array_equal(whole.grad_weight, stepped.grad_weight)


def test_rows_are_copies_and_unused_rows_get_no_gradient():
    table = LookupTable(5, 2)
    for index in (np.int64(3), np.array(3), np.array([3], "uint8"), np.array([3], "uint64")):
        row = table.forward(index)
        np.testing.assert_array_equal(row.reshape(2), table.weight[3])
        assert not np.shares_memory(row, table.weight)
        table.backward(index, np.ones_like(row))
    assert table.grad_weight.tolist() == [[0, 0], [0, 0], [0, 0], [4, 4], [0, 0]]


def test_read_only_and_strided_gradients_are_taken():
    table = LookupTable(5, 2)
    indices = np.array([[1, 9], [2, 9]])[:, :1]
    indices.flags.writeable = False
    table.forward(indices)
    table.backward(indices, np.broadcast_to(np.float32(1), (2, 1, 2)))
    assert table.grad_weight.sum() == 4


@pytest.mark.parametrize(("indices", "worst"), [([-1, 2], -1), ([0, 5], 5), ([-1, 99], 99), ([-99, 7], -99)])
def test_an_index_out_of_range_is_named(indices, worst):
    with pytest.raises(IndexError, match=rf"LookupTable\(5, 2\): got index {worst}; expects integers from 0 to 4"):
        LookupTable(5, 2).forward(np.array(indices))


def test_indices_overwritten_since_the_forward_are_checked_again():
    table, indices = LookupTable(5, 2), np.array([1, 2])
    output = table.forward(indices)
    indices[0] = 10**9
    with pytest.raises(IndexError, match="got index 1000000000"):
        table.backward(indices, output)


@pytest.mark.parametrize("wrong", [np.zeros(2), np.array([True]), [1, 2], 3])
def test_what_is_not_an_integer_array_is_refused(wrong):
    with pytest.raises(TypeError, match="one array of integers"):
        LookupTable(5, 2).forward(wrong)


def test_initial_weights_are_standard_normal_float32():
    weight = LookupTable(400, 100, rng=0).weight
    assert weight.dtype == np.float32
    assert abs(weight.mean()) < 0.02
    assert abs(weight.std() - 1) < 0.02


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_sizes_are_checked(sizes):
    with pytest.raises(ValueError, match="sizes of at least 1"):
        LookupTable(*sizes)
