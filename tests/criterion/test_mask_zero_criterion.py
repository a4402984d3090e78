"""MaskZeroCriterion, and masks that are given to what is around it."""

import numpy as np
import pytest

import numrnn as nr

NLL, MSE, CROSS_ENTROPY = nr.ClassNLLCriterion(), nr.MSECriterion(), nr.CrossEntropyCriterion([1, 2, 3, 0.5])
INNER = [NLL, CROSS_ENTROPY, MSE, nr.MultiMarginCriterion(2), nr.MultiCriterion().add(NLL).add(CROSS_ENTROPY, 0.5)]
rng = np.random.default_rng(0)
MASK = np.array([[0, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 1]], bool)  # (time, batch)
X = rng.normal(size=(5, 3, 4))
CLASSES = rng.integers(0, 4, (5, 3))


def target_of(criterion):
    return rng.normal(size=X.shape) if criterion is MSE else CLASSES


def with_zeros(x, mask):
    return x * ~mask[..., None]


@pytest.mark.parametrize("inner", INNER, ids=repr)
def test_only_the_other_rows_are_seen(inner):
    criterion, target = nr.MaskZeroCriterion(inner), target_of(inner)
    for x, y, mask in zip(X, target, MASK, strict=True):
        assert criterion(with_zeros(x, mask), y) == pytest.approx(0 if mask.all() else inner(x[~mask], y[~mask]))
        gradient = criterion.backward(with_zeros(x, mask), y)
        assert not gradient[mask].any()
        if not mask.all():
            np.testing.assert_allclose(gradient[~mask], inner.backward(x[~mask], y[~mask]))


@pytest.mark.parametrize("inner", INNER, ids=repr)
@pytest.mark.parametrize("average", [False, True])
def test_masks_of_steps(inner, average):
    criterion, target = nr.SequencerCriterion(nr.MaskZeroCriterion(inner), average), target_of(inner)
    zeros = with_zeros(X, MASK)
    loss, gradient = criterion(zeros, target), criterion.backward(zeros, target)
    assert loss == pytest.approx(
        sum(inner(x[~m], y[~m]) for x, y, m in zip(X, target, MASK, strict=True) if not m.all()) / (5 if average else 1)
    )
    criterion.set_zero_mask(MASK)
    nan = np.where(MASK[..., None], np.nan, X)
    if target is CLASSES:
        target = np.where(MASK, 77, target)  # nor are the targets of padding looked at
    for _ in range(2):  # each call takes the mask from its beginning
        for x in (zeros, nan):
            for kind in (np.asarray, list):
                assert criterion(kind(x), kind(target)) == loss
                np.testing.assert_array_equal(criterion.backward(kind(x), kind(target)), gradient)
    ragged = [x.astype("float64") for x in zeros]
    ragged[1], mixed = ragged[1][:2], list(target)
    mixed[1] = mixed[1][:2]
    with pytest.raises(ValueError, match=r"a mask of shape \(3,\) for rows of shape \(2,\)"):
        criterion(ragged, mixed)
    criterion.set_zero_mask(None)
    assert criterion(zeros, CLASSES if inner is not MSE else target) == loss


@pytest.mark.parametrize("inner", [NLL, MSE], ids=repr)
def test_a_true_row_of_zeros_is_no_padding_once_there_is_a_mask(inner):
    criterion, target = nr.MaskZeroCriterion(inner), target_of(inner)[0]
    x = with_zeros(X[0], np.array([True, False, True]))
    criterion.set_zero_mask(np.zeros(3, bool))
    assert criterion(x, target) == inner(x, target)
    np.testing.assert_array_equal(criterion.backward(x, target), inner.backward(x, target))


def test_the_mask_is_copied():
    criterion, mask = nr.MaskZeroCriterion(MSE), np.array([True, False, False])
    criterion.set_zero_mask(mask)
    mask[:] = True
    assert criterion(X[0], X[1]) == MSE(X[0, 1:], X[1, 1:])


def test_one_sample():
    for inner, target in ((MSE, X[1, 0]), (NLL, np.array(2)), (NLL, 2), (CROSS_ENTROPY, np.array([1]))):
        criterion = nr.MaskZeroCriterion(inner)
        assert criterion(X[0, 0], target) == inner(X[0, 0], target)
        assert criterion(np.zeros(4), target) == 0
        assert not criterion.backward(np.zeros(4), target).any()
        criterion.set_zero_mask(np.array(True))
        assert criterion(X[0, 0], target) == 0


def test_a_sequence_of_one_sample():
    for inner in (MSE, NLL):
        criterion, target = nr.SequencerCriterion(nr.MaskZeroCriterion(inner)), target_of(inner)[:, 0]
        criterion.set_zero_mask(MASK[:, 0])
        kept = [t for t in range(5) if not MASK[t, 0]]
        assert criterion(X[:, 0], target) == sum(inner(X[t, 0], target[t]) for t in kept)


def test_rows_of_several_axes():
    x = rng.normal(size=(3, 2, 2))
    x[1] = 0
    x[2, 0] = 0
    criterion, keep = nr.MaskZeroCriterion(MSE, n_input_dims=2), [0, 2]
    target = np.ones_like(x)
    assert criterion(x, target) == MSE(x[keep], target[keep])
    assert criterion.backward(x, target)[1].tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="with rows of 2 axes, or one row"):
        criterion(x[0, 0], target)


def test_the_first_array_of_a_table_says_what_is_padding():
    pair = nr.ParallelCriterion().add(MSE).add(NLL, 0.5)
    criterion, mask = nr.MaskZeroCriterion(pair), MASK[0]
    input, target = [with_zeros(X[0], mask), X[1]], [X[2], CLASSES[0]]
    seen = [[a[~mask] for a in table] for table in (input, target)]
    assert criterion(input, target) == pair(*seen)
    for found, expected in zip(criterion.backward(input, target), pair.backward(*seen), strict=True):
        np.testing.assert_array_equal(found[~mask], expected)
        assert not found[mask].any()
    steps = nr.SequencerCriterion(criterion)
    steps.set_zero_mask(np.stack([mask, mask]))
    assert steps([input, input], [target, target]) == 2 * pair(*seen)


def test_a_mask_reaches_the_criterion_through_all_that_is_around_it():
    inner = nr.MultiCriterion().add(nr.MaskZeroCriterion(NLL)).add(nr.MaskZeroCriterion(CROSS_ENTROPY), 2)
    around = nr.SequencerCriterion(nr.SequencerCriterion(nr.ModuleCriterion(inner, nr.LogSoftMax())))
    x, target, mask = (np.stack([a, a[::-1]]) for a in (X, CLASSES, MASK))  # sequences of sequences
    around.set_zero_mask(mask)
    plain = nr.MultiCriterion().add(NLL).add(CROSS_ENTROPY, 2)
    plain = nr.ModuleCriterion(plain, nr.LogSoftMax())
    steps = zip(x.reshape(10, 3, 4), target.reshape(10, 3), mask.reshape(10, 3), strict=True)
    expected = sum(plain(a[~m], b[~m]) for a, b, m in steps if not m.all())
    assert around(x, target) == pytest.approx(expected)
    assert around.backward(x, target).shape == x.shape
    repeated = nr.RepeaterCriterion(nr.MaskZeroCriterion(NLL))
    repeated.set_zero_mask(MASK)
    expected = [NLL(a[~m], CLASSES[0][~m]) for a, m in zip(X, MASK, strict=True) if not m.all()]
    assert repeated(X, CLASSES[0]) == pytest.approx(sum(expected))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nr.MaskZeroCriterion(nr.Tanh()), TypeError, "MaskZeroCriterion: got Tanh; expects a Criterion"),
        (lambda: nr.MaskZeroCriterion(MSE, 0), ValueError, "n_input_dims=0; expects a number of at least 1"),
        (lambda: nr.MaskZeroCriterion(MSE)(X[0].astype(int), X[0]), TypeError, "one float32 or float64 array"),
        (lambda: nr.MaskZeroCriterion(MSE)([], []), ValueError, "at least one array"),
        (lambda: nr.MaskZeroCriterion(MSE)(X, X), ValueError, r"\(batch, \.\.\.\) with rows of 1 axis, or one row"),
        (lambda: nr.MaskZeroCriterion(MSE)(X[0], X[0, :2]), ValueError, r"begins with the axes \(3,\)"),
        (lambda: nr.MaskZeroCriterion(NLL)(X[0], CLASSES[0, 0]), ValueError, r"begins with the axes \(3,\)"),
        (lambda: nr.MaskZeroCriterion(NLL)(X[0], X[0, 0]), ValueError, "MaskZeroCriterion"),
        (lambda: nr.MaskZeroCriterion(NLL)(X[0], CLASSES[0] + 9), IndexError, "ClassNLLCriterion.*got target"),
        (lambda: MSE.set_zero_mask(MASK), ValueError, "a MaskZeroCriterion in it"),
        (lambda: nr.MaskZeroCriterion(MSE).set_zero_mask([True]), TypeError, "an array of booleans"),
        (lambda: nr.MaskZeroCriterion(MSE).set_zero_mask(np.ones(3)), TypeError, "an array of booleans"),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("inner", [NLL, MSE], ids=repr)
def test_a_mask_for_other_rows_or_steps_is_refused(inner):
    criterion, target = nr.MaskZeroCriterion(inner), target_of(inner)
    criterion.set_zero_mask(MASK)
    with pytest.raises(ValueError, match=r"a mask of shape \(5, 3\) for rows of shape \(3,\)"):
        criterion(X[0], target[0])
    with pytest.raises(ValueError, match=r"a mask of shape \(5, 3\)"):
        nr.SequencerCriterion(criterion)(X[:4], target[:4])
    with pytest.raises(ValueError, match=r"a mask of shape \(5, 3\)"):
        nr.SequencerCriterion(criterion)([X[0], X[0, :2]], [target[0], target[0, :2]])
    criterion.set_zero_mask(False)
    assert nr.SequencerCriterion(criterion)(X, target) == pytest.approx(sum(map(inner, X, target)))
