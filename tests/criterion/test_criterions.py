"""ClassNLLCriterion and MSECriterion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numrnn.criterion import ClassNLLCriterion, MSECriterion
from tests.finite_differences import numeric_gradient

IGNORED = -100


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(0, 4),
    classes=st.integers(1, 4),
    weighted=st.booleans(),
    size_average=st.booleans(),
    seed=st.integers(0, 99),
)
def test_nll_and_its_gradient_follow_from_the_formula(batch, classes, weighted, size_average, seed):
    rng = np.random.default_rng(seed)
    weights = rng.random(classes) if weighted else None
    criterion = ClassNLLCriterion(weights, size_average)
    x = rng.normal(size=(batch, classes))
    target = np.where(rng.random(batch) < 0.3, IGNORED, rng.integers(0, classes, batch))
    counted = [(row, c, weights[c] if weighted else 1) for row, c in zip(x, target, strict=True) if c != IGNORED]
    divisor = sum(w for *_, w in counted) if size_average and counted else 1
    loss = criterion(x, target)
    assert isinstance(loss, float)
    assert math.isclose(loss, sum(-w * row[c] for row, c, w in counted) / divisor, abs_tol=1e-12)
    numeric = numeric_gradient(lambda: criterion(x, target), x)
    np.testing.assert_allclose(criterion.backward(x, target), numeric, atol=1e-7)


@pytest.mark.parametrize("target", [2, np.int64(2), np.array(2), np.array([2], "int32")])
def test_nll_of_one_sample(target):
    x = np.log(np.array([0.25, 0.25, 0.5], "float32"))
    assert math.isclose(ClassNLLCriterion()(x, target), math.log(2), rel_tol=1e-6)
    assert ClassNLLCriterion().backward(x, target).tolist() == [0, 0, -1]


def test_nll_averages_by_the_weights_of_the_targets():
    x = np.array([[-1.0, 0, 0], [0, -2.0, 0], [0, 0, -9.0]])
    target = np.array([0, 1, 2])
    assert ClassNLLCriterion([1, 3, 5], ignore_index=2)(x, target) == (1 * 1 + 3 * 2) / (1 + 3)
    assert ClassNLLCriterion([1, 3, 5], size_average=False, ignore_index=2)(x, target) == 7


def test_nll_of_ignored_rows_is_zero_even_at_probability_zero():
    x = np.full((2, 3), -np.inf)
    for criterion, target in (
        (ClassNLLCriterion(ignore_index=7), np.array([7, 7])),
        (ClassNLLCriterion(weights=[0, 1, 1]), np.array([0, 0])),
    ):
        assert criterion(x, target) == 0
        assert not criterion.backward(x, target).any()


def test_the_sum_is_made_in_float64():
    x = np.full((100_000, 1), -0.1, "float32")
    assert math.isclose(ClassNLLCriterion()(x, np.zeros(100_000, int)), float(np.float32(0.1)), rel_tol=1e-9)
    assert math.isclose(MSECriterion()(x, np.zeros_like(x)), float(np.float32(0.1) ** 2), rel_tol=1e-9)


@settings(deadline=None, max_examples=20)
@given(shape=st.lists(st.integers(1, 4), max_size=3).map(tuple), size_average=st.booleans(), seed=st.integers(0, 99))
def test_mse_and_its_gradient_follow_from_the_formula(shape, size_average, seed):
    rng = np.random.default_rng(seed)
    x, target = (np.asarray(rng.normal(size=shape)) for _ in range(2))
    criterion = MSECriterion(size_average)
    loss = criterion(x, target)
    assert isinstance(loss, float)
    assert math.isclose(loss, ((x - target) ** 2).sum() / (x.size if size_average else 1), rel_tol=1e-12)
    numeric = numeric_gradient(lambda: criterion(x, target), x)
    np.testing.assert_allclose(criterion.backward(x, target), numeric, atol=1e-7)


@pytest.mark.parametrize("criterion", [ClassNLLCriterion(), MSECriterion()])
def test_gradients_have_the_element_type_of_the_input(criterion):
    x = np.ones((2, 3), "float32")
    target = np.zeros(2, int) if isinstance(criterion, ClassNLLCriterion) else x
    assert criterion.backward(x, target).dtype == np.float32


x, y = np.zeros((2, 3)), np.array([0, 1])


@pytest.mark.parametrize(
    ("criterion", "input", "target", "error", "message"),
    [
        (ClassNLLCriterion(), x, np.array([0, 3]), IndexError, "got target 3; expects integers from 0 to 2"),
        (ClassNLLCriterion(), x, np.array([-1, 0]), IndexError, "got target -1"),
        (ClassNLLCriterion(), x, np.zeros(2), TypeError, "one array of integers"),
        (ClassNLLCriterion(), x, [0, 1], TypeError, "one array of integers"),
        (ClassNLLCriterion(), x[0], True, TypeError, "one array of integers"),
        (ClassNLLCriterion(), x, 0, ValueError, r"targets of shape \(\); expects shape \(2,\)"),
        (ClassNLLCriterion(), x, np.array([[0], [1]]), ValueError, r"targets of shape \(2, 1\)"),
        (ClassNLLCriterion(), x[None], y[None], ValueError, r"\(batch, classes\) or \(classes\)"),
        (ClassNLLCriterion(), x.astype(int), y, TypeError, "one float32 or float64 array"),
        (ClassNLLCriterion([1, 2]), x, y, ValueError, "2 classes"),
        (MSECriterion(), x, x[0], ValueError, r"a target of shape \(3,\); expects shape \(2, 3\)"),
        (MSECriterion(), x, x.astype("float32"), TypeError, "expects float64"),
        (MSECriterion(), [x], [x], TypeError, "one float32 or float64 array"),
    ],
)
@pytest.mark.parametrize("call", ["forward", "backward"])
def test_what_does_not_fit_is_refused_by_name(criterion, call, input, target, error, message):
    with pytest.raises(error, match=message) as caught:
        getattr(criterion, call)(input, target)
    assert str(caught.value).startswith(repr(criterion))


def test_weights_must_be_one_axis():
    with pytest.raises(ValueError, match="weights of shape"):
        ClassNLLCriterion([[1.0]])
