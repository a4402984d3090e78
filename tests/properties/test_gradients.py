"""Gradients are the slopes of what is computed: of the modules in `test_conformance`, of the criterions here."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.table import leaves, map_table, signature
from tests.finite_differences import numeric_gradient
from tests.modules import CRITERIONS, Sizes

widths, batches = st.integers(1, 5), st.one_of(st.just(()), st.tuples(st.integers(1, 4)))
sizes = st.builds(Sizes, rows=batches, features=widths, hidden=widths, time=st.integers(1, 4))
each_criterion = pytest.mark.parametrize("entry", CRITERIONS.values(), ids=CRITERIONS.keys())


def made(entry, sizes, seed):
    return entry.make(sizes), *entry.draw(sizes, np.random.default_rng(seed))


@each_criterion
@given(sizes=sizes, seed=st.integers(0, 2**16))
def test_gradient_of_a_criterion_is_its_slope(entry, sizes, seed):
    criterion, input, target = made(entry, sizes, seed)
    gradient = criterion.backward(input, target)
    assert signature(gradient) == signature(input)
    for array, found in zip(leaves(input), leaves(gradient), strict=True):
        expected = numeric_gradient(lambda: criterion.forward(input, target), array, step=1e-5)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


@each_criterion
@given(sizes=sizes, seed=st.integers(0, 2**16))
def test_a_criterion_leaves_its_arguments_alone_and_keeps_nothing(entry, sizes, seed):
    criterion, input, target = made(entry, sizes, seed)
    arguments = [np.array(leaf) for leaf in leaves([input, target])]
    loss, gradient = criterion(input, target), criterion.backward(input, target)
    assert type(loss) is float
    expected = [array.copy() for array in leaves(gradient)]
    for array in leaves(gradient):
        array.fill(7)
    np.testing.assert_equal(leaves([input, target]), arguments)
    assert criterion(input, target) == loss
    np.testing.assert_equal(leaves(criterion.backward(input, target)), expected)


@each_criterion
@given(sizes=sizes, seed=st.integers(0, 2**16))
def test_a_criterion_gives_nearly_the_same_in_float32(entry, sizes, seed):
    criterion, input, target = made(entry, sizes, seed)

    def single(table):
        return map_table(lambda a: np.asarray(a, "float32") if a.dtype.kind == "f" else a, table)

    assert criterion(single(input), single(target)) == pytest.approx(criterion(input, target), rel=1e-5, abs=1e-6)
    found = leaves(criterion.backward(single(input), single(target)))
    for array, expected in zip(found, leaves(criterion.backward(input, target)), strict=True):
        assert array.dtype == "float32"
        np.testing.assert_allclose(array, expected, rtol=1e-5, atol=1e-6)


def test_a_wrong_gradient_is_named_with_both_values():
    class Wrong(nr.Linear):
        def acc_grad_parameters(self, input, grad_output, scale=1.0):
            super().acc_grad_parameters(input, grad_output, scale)
            self.grad_weight[1, 2] += 0.25

    message = r"Wrong\(3 -> 2\): the gradient of the parameter weight at \(1, 2\): analytic 0\.25 \(.*\), numeric 0$"
    with pytest.raises(AssertionError, match=message):
        nr.testing.check_gradients(Wrong(3, 2), np.zeros((2, 3)), length=1)


def test_a_kink_nearby_is_no_wrong_gradient():
    nr.testing.check_gradients(nr.ReLU(), np.array([3e-6, -3e-6, 4e-7]), length=1, entries=3)
