"""CrossEntropyCriterion and MultiMarginCriterion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(0, 5),
    classes=st.one_of(st.integers(1, 5), st.sampled_from([64, 65, 200])),
    options=st.fixed_dictionaries({"size_average": st.booleans(), "ignore_index": st.sampled_from([-100, 0])}),
    weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_cross_entropy_is_log_softmax_and_nll(dtype, batch, classes, options, weighted, seed):
    rng = np.random.default_rng(seed)
    weights = rng.random(classes) if weighted else None
    x, target = (10 * rng.normal(size=(batch, classes))).astype(dtype), rng.integers(0, classes, batch)
    target[rng.random(batch) < 0.2] = options["ignore_index"]
    log_softmax, nll = nr.LogSoftMax(), nr.ClassNLLCriterion(weights, **options)
    log_probabilities = log_softmax(x)
    expected = log_softmax.backward(x, nll.backward(log_probabilities, target))
    criterion = nr.CrossEntropyCriterion(weights, **options)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert math.isclose(criterion(x, target), nll(log_probabilities, target), rel_tol=tolerance, abs_tol=tolerance)
    np.testing.assert_allclose(criterion.backward(x, target), expected, rtol=tolerance, atol=tolerance)


def test_ignored_rows_may_hold_anything():
    x = np.array([[np.nan, np.inf, 0.0], [1.0, 1.0, 1.0], [-np.inf, -np.inf, -np.inf]])
    criterion, target = nr.CrossEntropyCriterion(ignore_index=-1), np.array([-1, 2, -1])
    assert math.isclose(criterion(x, target), math.log(3))
    np.testing.assert_allclose(criterion.backward(x, target), [[0] * 3, [1 / 3, 1 / 3, -2 / 3], [0] * 3])
    assert criterion(x, np.full(3, -1)) == 0
    assert not criterion.backward(x, np.full(3, -1)).any()


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(0, 4),
    classes=st.integers(1, 5),
    p=st.sampled_from([1, 2]),
    margin=st.sampled_from([0.5, 1]),
    weighted=st.booleans(),
    size_average=st.booleans(),
    seed=st.integers(0, 99),
)
def test_multi_margin_follows_from_its_formula(batch, classes, p, margin, weighted, size_average, seed):
    rng = np.random.default_rng(seed)
    weights = rng.random(classes) if weighted else np.ones(classes)
    x, target = rng.normal(size=(batch, classes)), rng.integers(0, classes, batch)
    total = 0.0
    for row, t in zip(x, target, strict=True):
        total += weights[t] * sum(max(0, margin - row[t] + row[i]) ** p for i in range(classes) if i != t) / classes
    criterion = nr.MultiMarginCriterion(p, weights if weighted else None, margin, size_average)
    assert math.isclose(criterion(x, target), total / (max(batch, 1) if size_average else 1), abs_tol=1e-12)


@pytest.mark.parametrize("kind", [nr.CrossEntropyCriterion, nr.MultiMarginCriterion])
@pytest.mark.parametrize("target", [2, np.int64(2), np.array(2), np.array([2], "uint8")])
def test_of_one_sample(kind, target):
    x = np.array([0.5, 0.25, 1.0], "float32")
    assert kind()(x, target) == kind()(x[None], np.array([2]))
    assert kind().backward(x, target).shape == (3,)
    assert kind().backward(x, target).dtype == "float32"


x, y = np.zeros((2, 3)), np.array([0, 1])


@pytest.mark.parametrize(
    ("input", "target", "error", "message"),
    [
        (x, np.array([0, 3]), IndexError, "got target 3; expects integers from 0 to 2"),
        (x, np.array([0, -2]), IndexError, "got target -2"),
        (x, np.zeros(2), TypeError, "one array of integers"),
        (x, 0, ValueError, r"targets of shape \(\); expects shape \(2,\)"),
        (x[None], y[None], ValueError, r"scores \(batch, classes\) or \(classes\)"),
        (x.astype(int), y, TypeError, "one float32 or float64 array"),
        (x[:, :2], y, ValueError, "3 classes"),
    ],
)
@pytest.mark.parametrize("kind", [nr.CrossEntropyCriterion, nr.MultiMarginCriterion])
@pytest.mark.parametrize("call", ["forward", "backward"])
def test_what_does_not_fit_is_refused_by_name(kind, call, input, target, error, message):
    criterion = kind(weights=[1, 2, 3])
    with pytest.raises(error, match=message) as caught:
        getattr(criterion, call)(input, target)
    assert str(caught.value).startswith(repr(criterion))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="MultiMarginCriterion: got p=3; expects 1 or 2"):
        nr.MultiMarginCriterion(3)
    with pytest.raises(ValueError, match="CrossEntropyCriterion: got weights of shape"):
        nr.CrossEntropyCriterion([[1.0]])
