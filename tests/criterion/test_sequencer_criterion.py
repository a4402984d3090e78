"""SequencerCriterion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numrnn.criterion import ClassNLLCriterion, Criterion, MSECriterion, SequencerCriterion
from numrnn.table import stack_steps

CRITERIONS = [
    ClassNLLCriterion(),
    ClassNLLCriterion([0.5, 2.0, 1.0], ignore_index=1),
    ClassNLLCriterion(size_average=False),
    MSECriterion(),
]


class PairCriterion(Criterion):
    """The sum of two losses, of a table of two inputs."""

    def update_output(self, input, target):
        return MSECriterion()(input[0], target[0]) + MSECriterion()(input[1], target[1])

    def update_grad_input(self, input, target):
        return [MSECriterion().backward(*pair) for pair in zip(input, target, strict=True)]


def draw(criterion, time, batch, seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    shape = (time, 3) if batch == 0 else (time, batch, 3)
    x = rng.normal(size=shape).astype(dtype)
    if isinstance(criterion, MSECriterion):
        return x, rng.normal(size=shape).astype(dtype)
    return x, rng.integers(0, 3, shape[:-1])


@pytest.mark.parametrize("criterion", CRITERIONS, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(deadline=None, max_examples=15)
@given(time=st.integers(1, 5), batch=st.integers(0, 4), average=st.booleans(), seed=st.integers(0, 99))
def test_arrays_and_tables_give_the_sum_over_the_steps(criterion, dtype, time, batch, average, seed):
    x, target = draw(criterion, time, batch, seed, dtype)
    whole = SequencerCriterion(criterion, average)
    divisor = time if average else 1
    loss = sum(criterion(*step) for step in zip(x, target, strict=True)) / divisor
    grads = np.stack([criterion.backward(*step) for step in zip(x, target, strict=True)])
    if average:
        grads /= time
    for kind in (lambda a: a, list, lambda a: tuple(step.copy() for step in a)):
        assert whole(kind(x), target) == whole(kind(x), list(target)) == loss
        gradient = whole.backward(kind(x), target)
        assert isinstance(gradient, list) == (not isinstance(kind(x), np.ndarray))
        np.testing.assert_array_equal(gradient, grads)
        assert stack_steps(gradient).dtype == dtype


def test_the_gradients_of_a_table_are_views_of_one_block():
    x, target = draw(CRITERIONS[0], 3, 2, 0)
    gradient = SequencerCriterion(CRITERIONS[0]).backward(list(x), list(target))
    assert np.shares_memory(stack_steps(gradient), gradient[0])


def test_steps_may_differ_in_batch_size():
    x = [np.full((n, 2), -1.0) for n in (3, 1)]
    target = [np.zeros(n, int) for n in (3, 1)]
    criterion = SequencerCriterion(ClassNLLCriterion(), size_average=True)
    assert criterion(x, target) == 1
    assert [grad[0, 0] for grad in criterion.backward(x, target)] == [-1 / 6, -1 / 2]


def test_steps_may_be_tables():
    criterion = SequencerCriterion(PairCriterion(), size_average=True)
    x = [[np.full(2, t + 1.0), np.zeros(1)] for t in range(2)]
    target = [[np.zeros(2), np.full(1, 2.0)]] * 2
    assert criterion(x, target) == ((1 + 4) + (4 + 4)) / 2
    gradient = criterion.backward(x, target)
    assert [[a.tolist() for a in step] for step in gradient] == [[[0.5, 0.5], [-2]], [[1, 1], [-2]]]


def test_sequences_of_sequences_can_be_nested():
    x, target = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 2))
    inner = SequencerCriterion(MSECriterion(), size_average=True)
    outer = SequencerCriterion(inner)
    assert outer(x, target) == inner(x[0], target[0]) + inner(x[1], target[1]) + inner(x[2], target[2])
    assert outer.backward(x, target).shape == x.shape


def test_targets_may_be_plain_integers_for_one_sample():
    x = list(np.log(np.array([[0.25, 0.75], [0.5, 0.5]])))
    assert SequencerCriterion(ClassNLLCriterion())(x, [0, 1]) == pytest.approx(np.log(8))


@pytest.mark.parametrize("call", ["forward", "backward"])
@pytest.mark.parametrize(
    ("input", "target", "error", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), ValueError, "an input of 3 steps and a target of 4 steps"),
        ([np.zeros(2)], [], ValueError, "an input of 1 steps and a target of 0 steps"),
        ([], [], ValueError, "at least one step"),
        (np.float64(3), [], TypeError, "a table of steps"),
        (3, [], TypeError, "a table of steps"),
        ([np.zeros(2)], [np.zeros(3)], ValueError, "MSECriterion"),
    ],
)
def test_what_does_not_fit_is_refused(call, input, target, error, message):
    with pytest.raises(error, match=message):
        getattr(SequencerCriterion(MSECriterion()), call)(input, target)


def test_only_criterions_are_taken():
    with pytest.raises(TypeError, match="a Criterion"):
        SequencerCriterion("mse")
