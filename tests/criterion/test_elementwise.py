"""Losses that compare element by element, beyond what holds for all criterions."""

import math

import numpy as np
import pytest

import numrnn as nr

CRITERIONS = [
    nr.AbsCriterion,
    nr.BCECriterion,
    nr.DistKLDivCriterion,
    nr.MarginCriterion,
    nr.MSECriterion,
    nr.SmoothL1Criterion,
    nr.SoftMarginCriterion,
]


@pytest.mark.parametrize("kind", CRITERIONS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (0, 3)])
def test_a_mean_is_the_sum_over_the_number_of_elements(kind, shape):
    rng = np.random.default_rng(0)
    x, target = (np.asarray(rng.uniform(0.1, 0.9, shape)) for _ in range(2))
    mean, total = kind(), kind(size_average=False)
    size = max(x.size, 1)
    assert math.isclose(mean(x, target), total(x, target) / size, rel_tol=1e-12)
    assert mean.backward(x, target).shape == shape
    np.testing.assert_allclose(mean.backward(x, target), total.backward(x, target) / size, rtol=1e-12)


@pytest.mark.parametrize("kind", CRITERIONS)
def test_scalars_keep_their_element_type(kind):
    x, target = np.float32(0.25), np.float32(0.5)
    assert kind().backward(x, target).dtype == "float32"


def test_kinks():
    x, zero = np.array([0.0, 1.0, -1.0]), np.zeros(3)
    assert nr.AbsCriterion(False).backward(x, zero).tolist() == [0, 1, -1]
    assert nr.SmoothL1Criterion(False).backward(x, zero).tolist() == [0, 1, -1]
    assert nr.MarginCriterion(size_average=False).backward(x, np.ones(3)).tolist() == [-1, 0, -1]


def test_certain_mistakes_have_a_finite_cross_entropy():
    for dtype in ("float32", "float64"):
        x, target = np.array([0, 1, 0, 1], dtype), np.array([1, 0, 0, 1], dtype)
        assert math.isclose(nr.BCECriterion()(x, target), -math.log(1e-12) / 2, rel_tol=1e-6)
        np.testing.assert_allclose(nr.BCECriterion(None, False).backward(x, target), [-1e12, 1e12, 0, 0], rtol=1e-6)


def test_divergence_looks_only_where_the_target_is():
    x, target = np.array([[-np.inf, 0.0, np.nan]]), np.array([[0.0, 1.0, 0.0]])
    assert nr.DistKLDivCriterion()(x, target) == 0
    np.testing.assert_allclose(nr.DistKLDivCriterion().backward(x, target), [[0, -1 / 3, 0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_scores_do_not_overflow(dtype):
    x, target = np.array([2000, -2000, 2000, -2000], dtype), np.array([1, 1, -1, -1], dtype)
    for criterion in (nr.SoftMarginCriterion(size_average=False), nr.BinaryLogisticRegression(size_average=False)):
        assert criterion(x, target) == 4000
        assert criterion.backward(x, target).tolist() == [0, -1, 1, 0]


def test_scores_and_signs_may_have_a_last_axis_of_one():
    x, target = np.array([0.5, -1.0, 2.0]), np.array([1.0, 1.0, -1.0])
    criterion = nr.BinaryLogisticRegression()
    gradient = criterion.backward(x, target)
    for score in (x, x[:, None]):
        for sign in (target, target[:, None]):
            assert criterion(score, sign) == criterion(x, target)
            np.testing.assert_array_equal(criterion.backward(score, sign), gradient.reshape(score.shape))
            whole = nr.SequencerCriterion(criterion)
            assert whole(np.stack([score, score]), np.stack([sign, sign])) == 2 * criterion(x, target)


half = np.full((2, 3), 0.5)


@pytest.mark.parametrize(
    ("criterion", "input", "target", "error", "message"),
    [
        (nr.AbsCriterion(), half, half[0], ValueError, r"a target of shape \(3,\); expects shape \(2, 3\)"),
        (nr.SmoothL1Criterion(), half, half.astype("float32"), TypeError, "expects float64"),
        (nr.MarginCriterion(), half, np.ones((2, 3), int), TypeError, "one float32 or float64 array"),
        (nr.BCECriterion([1, 2]), half, half, ValueError, "2 features, as many as weights"),
        (nr.BCECriterion([1]), half[0, 0], half[0, 0], ValueError, "1 features"),
        (nr.BCECriterion(), half + 0.75, half, ValueError, "an input of 1.25; expects probabilities"),
        (nr.BCECriterion(), half - 0.75, half, ValueError, "an input of -0.25"),
        (nr.BinaryLogisticRegression(), half, half, ValueError, r"scores \(batch, 1\) or \(batch,\)"),
        (nr.BinaryLogisticRegression(), half[0], half, ValueError, r"shape \(3,\) or \(3, 1\)"),
    ],
)
@pytest.mark.parametrize("call", ["forward", "backward"])
def test_what_does_not_fit_is_refused_by_name(criterion, call, input, target, error, message):
    with pytest.raises(error, match=message) as caught:
        getattr(criterion, call)(input, target)
    assert str(caught.value).startswith(repr(criterion))
    with pytest.raises(error, match=type(criterion).__name__):
        getattr(nr.SequencerCriterion(criterion), call)(np.stack([input] * 2), np.stack([target] * 2))


def test_weights_are_one_axis():
    with pytest.raises(ValueError, match=r"BCECriterion: got weights of shape \(1, 1\)"):
        nr.BCECriterion([[1.0]])
