"""VRClassReward and BinaryClassReward."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr


class Rewarded(nr.Module):
    """Keeps the reward that it is handed."""

    reward = None

    def reinforce(self, reward):
        self.reward = reward


@pytest.mark.parametrize("kind", [nr.VRClassReward, nr.BinaryClassReward])
@given(
    rows=st.integers(1, 5),
    scale=st.sampled_from([1, 2.5]),
    is_column=st.booleans(),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**16),
)
def test_loss_reward_and_gradients_follow_from_the_definition(kind, rows, scale, is_column, dtype, seed):
    rng = np.random.default_rng(seed)
    module = Rewarded()
    criterion = kind(module, scale)
    is_binary = kind is nr.BinaryClassReward
    prediction = rng.random((rows,) if is_binary else (rows, 3)).astype(dtype)
    baseline = rng.normal(size=(rows, 1) if is_column else (rows,)).astype(dtype)
    target = rng.integers(0, 2 if is_binary else 3, rows)
    classes = [int(p > 0.5) if is_binary else int(np.argmax(p)) for p in prediction]
    rewards = np.array([scale * (a == b) for a, b in zip(classes, target, strict=True)], dtype)

    loss = criterion([prediction, baseline], target)
    assert isinstance(loss, float)
    assert math.isclose(loss, -rewards.mean(), rel_tol=1e-6)
    assert module.reward is None
    grad_prediction, grad_baseline = criterion.backward([prediction, baseline], target)
    assert grad_prediction.dtype == grad_baseline.dtype == module.reward.dtype == dtype
    assert grad_prediction.shape == prediction.shape
    assert not grad_prediction.any()
    np.testing.assert_allclose(module.reward, (rewards - baseline.reshape(-1)) / rows, rtol=1e-6)
    np.testing.assert_array_equal(grad_baseline, nr.MSECriterion().backward(baseline, rewards.reshape(baseline.shape)))


def test_the_baseline_has_a_criterion_of_its_own():
    criterion = nr.VRClassReward(Rewarded(), criterion=nr.MSECriterion(size_average=False))
    input = [np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.5, 0.25])]
    assert criterion.backward(input, np.array([0, 1]))[1].tolist() == [-1.0, 0.5]


def test_the_reward_reaches_every_module_inside():
    model = nr.ConcatTable(
        nr.Sequential(nr.Linear(3, 2), nr.ReinforceNormal(0.5)),
        nr.Sequential(nr.Linear(3, 1), nr.Sigmoid(), nr.ReinforceBernoulli()),
    )
    x = np.ones((2, 3), "float32")
    output, other = model.forward(x), model.clone()
    nr.VRClassReward(model).backward([np.array([[1.0, 0], [1, 0]]), np.zeros(2)], np.array([0, 1]))
    for module in other[0][1], other[1][2]:
        module.reinforce(np.array([0.5, 0]))
    np.testing.assert_array_equal(model.backward(x, output), other.backward(x, output))
    assert all(gradient.all() for gradient in model.parameters()[1])


def test_what_to_attend_to_is_learned_from_rewards():
    """The sample is the prediction itself, so that rewards lead to the right classes."""
    nr.seed(1)
    policy = nr.Sequential(nr.Linear(4, 3), nr.SoftMax(), nr.ReinforceCategorical())
    policy.astype("float64")
    x, target = np.eye(4), np.array([2, 0, 1, 1])
    rows, targets = np.tile(x, (16, 1)), np.tile(target, 16)
    criterion, baseline = nr.VRClassReward(policy), np.full(64, 1 / 3)
    for _ in range(200):
        policy.zero_grad_parameters()
        choice = policy.forward(rows)
        criterion.backward([choice, baseline], targets)
        policy.backward(rows, choice)
        policy.update_parameters(2.0)
    assert policy.evaluate().forward(x).argmax(axis=1).tolist() == target.tolist()


prediction, baseline, target = np.zeros((2, 3)), np.zeros((2, 1)), np.array([0, 2])


@pytest.mark.parametrize("call", ["forward", "backward"])
@pytest.mark.parametrize(
    ("kind", "input", "target", "error", "message"),
    [
        (nr.VRClassReward, prediction, target, TypeError, r"a table \[prediction, baseline\]"),
        (nr.VRClassReward, [prediction], target, ValueError, r"a table \[prediction, baseline\]"),
        (nr.VRClassReward, [prediction[0], baseline], target, ValueError, r"a prediction \(batch, classes\)"),
        (nr.VRClassReward, [prediction, np.zeros(3)], target, ValueError, r"a baseline of shape \(3,\); expects"),
        (nr.VRClassReward, [prediction, baseline.astype("f4")], target, TypeError, "one element type"),
        (nr.VRClassReward, [prediction, baseline], np.array([0, 3]), IndexError, "got target 3; expects integers"),
        (nr.VRClassReward, [prediction, baseline], np.array([0]), ValueError, r"targets of shape \(1,\)"),
        (nr.VRClassReward, [prediction, baseline], np.zeros(2), TypeError, "one array of integers"),
        (nr.BinaryClassReward, [prediction, baseline], target, ValueError, r"a prediction \(batch,\) or"),
        (nr.BinaryClassReward, [baseline, baseline], target, IndexError, "got target 2; expects integers from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused_and_rewards_nothing(kind, call, input, target, error, message):
    module = Rewarded()
    criterion = kind(module)
    with pytest.raises(error, match=message) as caught:
        getattr(criterion, call)(input, target)
    assert str(caught.value).startswith(repr(criterion))
    assert module.reward is None


def test_arguments_are_checked():
    with pytest.raises(TypeError, match="VRClassReward: got 3; expects a Module to be reinforced"):
        nr.VRClassReward(3)
    with pytest.raises(TypeError, match="BinaryClassReward: got 'mse'; expects a Criterion"):
        nr.BinaryClassReward(Rewarded(), criterion="mse")
