"""Layers over tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.layers import CAddTable, CMulTable, CSubTable, FlattenTable, JoinTable, SelectTable
from numrnn.table import leaves, map_table, signature
from tests.finite_differences import numeric_gradient

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
CASES = {
    "add": (CAddTable, lambda s: [s, s, s]),
    "add_one": (CAddTable, lambda s: [s]),
    "subtract": (CSubTable, lambda s: [s, s]),
    "multiply": (CMulTable, lambda s: [s, s, s]),
    "join": (JoinTable, lambda s: [s, (*s[:-1], 2), s]),
    "join_first": (lambda: JoinTable(0), lambda s: [s, (3, *s[1:])]),
    "select": (lambda: SelectTable(1), lambda s: [s, (2,), [s]]),
    "select_table": (lambda: SelectTable(-1), lambda s: [s, [s, (2,)]]),
    "flatten": (FlattenTable, lambda s: [s, [[(2,)], s]]),
}


def draw(rng, shape):
    if isinstance(shape, list):
        return [draw(rng, element) for element in shape]
    return rng.normal(size=shape)


def total(output, direction):
    return float(sum((a * b).sum() for a, b in zip(leaves(output), leaves(direction), strict=True)))


@pytest.mark.parametrize("case", CASES)
@settings(deadline=None, max_examples=10)
@given(shape=shapes, seed=st.integers(0, 99))
def test_gradient_is_the_finite_difference(case, shape, seed):
    make, shapes_of = CASES[case]
    rng, layer = np.random.default_rng(seed), make()
    x = draw(rng, shapes_of(shape))
    output = layer.forward(x)
    direction = map_table(lambda array: rng.normal(size=array.shape), output)
    grad = layer.backward(x, direction)
    assert signature(grad) == signature(x)
    for array, gradient in zip(leaves(x), leaves(grad), strict=True):
        numeric = numeric_gradient(lambda: total(layer.forward(x), direction), array)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)
    returned = [*leaves(output), *leaves(grad)]
    for k, array in enumerate(returned):
        for other in [*returned[:k], *leaves(x), *leaves(direction)]:
            assert not np.shares_memory(array, other)


@pytest.mark.parametrize("case", CASES)
def test_sequence_equals_stepping_bit_for_bit(case):
    make, shapes_of = CASES[case]
    rng, layer = np.random.default_rng(0), make()
    steps = [draw(rng, shapes_of((2, 3))) for _ in range(4)]
    sequence = map_table(lambda *arrays: np.stack(arrays), *steps)
    outputs = [layer.forward(step) for step in steps]
    whole = layer.forward_sequence(sequence)
    expected = map_table(lambda *arrays: np.stack(arrays), *outputs)
    for a, b in zip(leaves(whole), leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    grads = layer.backward_sequence(sequence, whole)
    for t, step in enumerate(steps):
        layer.forward(step)
        for a, b in zip(leaves(layer.backward(step, outputs[t])), leaves(grads), strict=True):
            np.testing.assert_array_equal(a, b[t])


def test_indices_pass_and_get_no_gradient():
    words, x = np.arange(3), np.ones(2, "float32")
    for layer, table in ((SelectTable(0), [words, x]), (JoinTable(), [words, words]), (FlattenTable(), [words, [x]])):
        output = layer.forward(table)
        assert layer.backward(table, output)[0] is None


def test_multiplying_with_zero_loses_no_gradient():
    layer, table = CMulTable(), [np.zeros(1), np.full(1, 5.0), np.full(1, 7.0)]
    layer.forward(table)
    assert [float(grad[0]) for grad in layer.backward(table, np.ones(1))] == [35, 0, 0]


def test_join_is_row_wise_only_when_its_axis_is_counted_from_the_end():
    assert JoinTable(-1).row_wise
    assert not JoinTable(1).row_wise


a, b, c = np.zeros((2, 3)), np.zeros((2, 4)), np.zeros((2, 3), "float32")


@pytest.mark.parametrize(
    ("layer", "input", "error", "message"),
    [
        (CAddTable(), a, TypeError, "expects a table"),
        (CAddTable(), [], ValueError, "got an empty table"),
        (CAddTable(), [a, b], ValueError, "arrays of one shape"),
        (CAddTable(), [a, c], TypeError, "one element type"),
        (CAddTable(), [a, [a]], TypeError, "one float32 or float64 array"),
        (CMulTable(), [np.arange(3)], TypeError, "one float32 or float64 array"),
        (CSubTable(), [a, a, a], ValueError, "exactly 2 arrays"),
        (CSubTable(), [a], ValueError, "exactly 2 arrays"),
        (JoinTable(0), [a, b], ValueError, "differ along axis 0 only"),
        (JoinTable(-3), [a, a], ValueError, "have an axis -3"),
        (JoinTable(), [a, c], TypeError, "one element type"),
        (JoinTable(), [a, [a]], TypeError, "not of tables"),
        (SelectTable(2), [a, a], ValueError, "has an element 2"),
        (SelectTable(-3), [a, a], ValueError, "has an element -3"),
        (FlattenTable(), a, TypeError, "expects a table"),
        (FlattenTable(), [a, [3]], TypeError, "expects NumPy arrays"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(layer, input, error, message):
    with pytest.raises(error, match=message) as caught:
        layer.forward(input)
    assert str(caught.value).startswith(repr(layer))


def test_experts_in_one_array_are_mixed_as_a_table_of_them():
    rng = np.random.default_rng(0)
    weights, experts, grad = rng.normal(size=(5, 3)), rng.normal(size=(5, 3, 2, 4)), rng.normal(size=(5, 2, 4))
    split, whole = nr.MixtureTable(), nr.MixtureTable()
    as_table = [weights, [np.array(experts[:, k]) for k in range(3)]]
    np.testing.assert_array_equal(whole([weights, experts]), split(as_table))
    one, many = whole.backward([weights, experts], grad), split.backward(as_table, grad)
    np.testing.assert_array_equal(one[0], many[0])
    np.testing.assert_array_equal(one[1], np.stack(many[1], 1))
    with pytest.raises(ValueError, match="axis 4"):
        nr.MixtureTable(4)([weights, experts])
