"""Modules that draw samples and are rewarded for them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.layers.reinforce import digamma
from numrnn.table import copy_table, is_table, leaves, map_table
from tests.finite_differences import numeric_gradient

log_gamma = np.vectorize(math.lgamma, otypes=[float])


def normal_log(x, mean, stdev):
    return -((x - mean) ** 2) / (2 * stdev**2) - np.log(stdev)


def gamma_log(x, shape, scale):
    return (shape - 1) * np.log(x) - x / scale - shape * np.log(scale) - log_gamma(shape)


def positive(shape, rng):
    return 0.5 + 2 * rng.random(shape)


def both(first, second):
    return lambda shape, rng: [first(shape, rng), second(shape, rng)]


def gaussian(shape, rng):
    return rng.normal(size=shape)


def probabilities(shape, rng):
    return 0.1 + 0.8 * rng.random(shape)


def distributions(shape, rng):
    scores = np.exp(rng.normal(size=shape))
    return scores / scores.sum(axis=-1, keepdims=True)


# how to make it, how to draw its input, log p(sample | input) but for a constant
KINDS = {
    "normal": (lambda: nr.ReinforceNormal(0.4), gaussian, lambda y, mean: normal_log(y, mean, 0.4)),
    "normal of table": (lambda: nr.ReinforceNormal(), both(gaussian, positive), lambda y, x: normal_log(y, *x)),
    "gamma": (lambda: nr.ReinforceGamma(1.7), positive, lambda y, shape: gamma_log(y, shape, 1.7)),
    "gamma of table": (lambda: nr.ReinforceGamma(), both(positive, positive), lambda y, x: gamma_log(y, *x)),
    "bernoulli": (lambda: nr.ReinforceBernoulli(), probabilities, lambda y, p: np.log(np.where(y == 1, p, 1 - p))),
    "categorical": (lambda: nr.ReinforceCategorical(), distributions, lambda y, p: y * np.log(p)),
}
each_kind = pytest.mark.parametrize(("make", "draw", "log_p"), KINDS.values(), ids=KINDS.keys())
shapes = st.one_of(st.tuples(st.integers(1, 4)), st.lists(st.integers(1, 4), min_size=2, max_size=3).map(tuple))


@each_kind
@given(shape=shapes, seed=st.integers(0, 2**16))
@settings(max_examples=settings.default.max_examples // 2)
def test_gradient_is_the_slope_of_the_rewarded_logarithm_of_the_probability(make, draw, log_p, shape, seed):
    rng = np.random.default_rng(seed)
    module, input = make(), draw(shape, rng)
    sample = module.forward(input)
    reward = rng.normal(size=shape[:1] if len(shape) > 1 else ())
    module.reinforce(reward)
    gradient = module.backward(input, rng.normal(size=shape))
    weights = np.reshape(reward, reward.shape + (1,) * (len(shape) - reward.ndim))
    for array, found in zip(leaves(input), leaves(gradient), strict=True):
        expected = numeric_gradient(lambda: -float((weights * log_p(sample, input)).sum()), array)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@each_kind
def test_what_comes_as_gradient_of_the_output_counts_nothing(make, draw, log_p):
    module, input = make(), draw((3, 4), np.random.default_rng(0))
    sample = module.forward(input)
    module.reinforce(np.array([1.0, -2.0, 0.5]))
    first, second = module.backward(input, np.zeros_like(sample)), module.backward(input, np.full_like(sample, np.nan))
    np.testing.assert_equal(first, second)


ROWS = 200_000


def repeated(element, dtype="float64"):
    """Return an input, one row of which is given, with many such rows; a tuple becomes a table."""
    if isinstance(element, tuple):
        return [repeated(part, dtype) for part in element]
    return np.tile(np.array(element, dtype), (ROWS, 1))


def expected_gradient(module, element, value):
    """Return the mean gradient over many samples, rewarded with `value(sample)`."""
    input = repeated(element)
    sample = module.forward(input)
    module.reinforce(value(sample))
    return map_table(lambda gradient: gradient.mean(axis=0), module.backward(input, sample))


@pytest.mark.parametrize(
    ("module", "element", "value", "expected"),
    [
        # E y^2 = mean^2 + stdev^2
        (nr.ReinforceNormal(0.5, rng=1), [0.7], lambda y: y[:, 0] ** 2, [-1.4]),
        (nr.ReinforceNormal(rng=1), ([0.7], [0.5]), lambda y: y[:, 0] ** 2, [[-1.4], [-1.0]]),
        # E y = shape * scale
        (nr.ReinforceGamma(0.5, rng=1), [2.0], lambda y: y[:, 0], [-0.5]),
        (nr.ReinforceGamma(rng=1), ([2.0], [0.5]), lambda y: y[:, 0], [[-0.5], [-2.0]]),
        # E (3 y + 1) = 3 p + 1
        (nr.ReinforceBernoulli(rng=1), [0.3], lambda y: 3 * y[:, 0] + 1, [-3]),
        (nr.ReinforceBernoulli(rng=1), [0.3, 0.6], lambda y: y[:, 0] * y[:, 1], [-0.6, -0.3]),
        # E values[class] = the sum of values * p
        (nr.ReinforceCategorical(rng=1), [0.2, 0.3, 0.5], lambda y: y @ [1.0, -1.0, 2.0], [-1, 1, -2]),
    ],
)
def test_mean_gradient_is_minus_the_slope_of_the_expected_reward(module, element, value, expected):
    found = expected_gradient(module, element, value)
    for array, right in zip(leaves(found), np.reshape(expected, (len(leaves(found)), -1)), strict=True):
        np.testing.assert_allclose(array, right, atol=0.05)


@pytest.mark.parametrize(
    ("module", "input", "mean", "variance"),
    [
        (nr.ReinforceNormal([0.5, 2], rng=2), [1.0, -3.0], [1, -3], [0.25, 4]),
        (nr.ReinforceNormal(rng=2), ([1.0, -3.0], [0.5, 2.0]), [1, -3], [0.25, 4]),
        (nr.ReinforceGamma(0.5, rng=2), [1.0, 3.0], [0.5, 1.5], [0.25, 0.75]),
        (nr.ReinforceGamma(rng=2), ([1.0, 3.0], [0.5, 2.0]), [0.5, 6], [0.25, 12]),
        (nr.ReinforceBernoulli(rng=2), [0.0, 0.25, 1.0], [0, 0.25, 1], [0, 0.1875, 0]),
        (nr.ReinforceCategorical(rng=2), [0.5, 0.0, 0.25, 0.25, 0.0], [0.5, 0, 0.25, 0.25, 0], None),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_are_distributed_as_the_input_says(module, input, mean, variance, dtype):
    rows = repeated(input, dtype)
    sample = module.forward(rows)
    assert sample.dtype == dtype
    np.testing.assert_allclose(sample.mean(axis=0), mean, atol=0.03, rtol=0.01)
    if variance is not None:
        np.testing.assert_allclose(sample.var(axis=0), variance, rtol=0.02)
    else:
        assert np.unique(sample).tolist() == [0, 1]
        assert (sample.sum(axis=1) == 1).all()
        assert not sample[:, np.array(mean) == 0].any()
    expected = module.clone().evaluate().forward(rows)
    assert expected.dtype == dtype
    np.testing.assert_allclose(expected, np.broadcast_to(np.array(mean, dtype), sample.shape), rtol=1e-6)


@each_kind
def test_evaluate_mode_draws_only_if_the_module_is_stochastic(make, draw, log_p):
    module, input = make().evaluate(), draw((3, 4), np.random.default_rng(0))
    state = module.rng.bit_generator.state
    mean = module.forward(input)
    assert module.rng.bit_generator.state == state
    module.reinforce(np.ones(3))
    with pytest.raises(RuntimeError, match="got backward in evaluate mode; expects training mode"):
        module.backward(input, mean)
    module.stochastic = True
    sample = module.forward(input)
    assert (sample != mean).any()
    assert all(np.isfinite(leaf).all() for leaf in leaves(module.backward(input, sample)))


@each_kind
def test_what_is_returned_is_the_callers(make, draw, log_p):
    module, input = make(), draw((3, 4), np.random.default_rng(0))
    before = copy_table(input)
    reward = np.array([1.0, 2.0, 3.0])
    output = module.forward(input)
    module.reinforce(reward)
    expected = module.backward(input, output)
    output.fill(7)
    reward.fill(7)
    np.testing.assert_equal(module.backward(input, output), expected)
    mean = module.evaluate().forward(input)
    mean.fill(7)
    np.testing.assert_equal(input, before)


@given(x=st.floats(1e-3, 1e3))
def test_digamma_is_the_slope_of_the_logarithm_of_gamma(x):
    step = 1e-5 * x
    slope = (math.lgamma(x + step) - math.lgamma(x - step)) / (2 * step)
    np.testing.assert_allclose(float(digamma(np.array(x))), slope, rtol=1e-5, atol=1e-6)


def test_digamma_has_the_known_values():
    euler = 0.5772156649015329
    x = np.array([1, 0.5, 2, 1 / 4, 100])
    known = [-euler, -euler - 2 * math.log(2), 1 - euler, -euler - math.pi / 2 - 3 * math.log(2), 4.600161852738087]
    np.testing.assert_allclose(digamma(x), known, rtol=1e-14)
    assert digamma(x.astype("float32")).dtype == "float32"


# ---- rewards -----------------------------------------------------------------------------------------------------


def model():
    """Return layers around two modules that draw, the first of which hands its samples on."""
    nr.seed(3)
    return nr.Sequential(
        nr.Linear(3, 4),
        nr.ReinforceNormal(0.5),
        nr.ConcatTable(nr.Linear(4, 2), nr.Sequential(nr.Linear(4, 2), nr.Sigmoid(), nr.ReinforceBernoulli())),
    ).astype("float64")


X = np.random.default_rng(0).normal(size=(5, 2, 3))  # (time, batch, features)
REWARDS = np.random.default_rng(1).normal(size=(5, 2))
GRADS = np.random.default_rng(2).normal(size=(2, 5, 2, 2))  # of both outputs


def gradients_of(module):
    return [np.array(gradient) for gradient in module.parameters()[1]]


def single_steps(rewards):
    """Return the gradients of `model()` called once for each step, with the reward of each."""
    single, grad_inputs = model(), []
    for t in range(len(X)):
        single.forward(X[t])
        single.reinforce(rewards[t])
        grad_inputs.append(single.backward(X[t], list(GRADS[:, t])))
    return grad_inputs, gradients_of(single)


@pytest.mark.parametrize("is_table_of_rewards", [False, True])
@pytest.mark.parametrize("way", ["Recursor", "Sequencer", "Sequencer of a Recursor"])
def test_every_step_keeps_its_sample_and_gets_its_reward(way, is_table_of_rewards):
    rewards = REWARDS if is_table_of_rewards else np.broadcast_to(REWARDS[0], (5, 2))
    expected, expected_gradients = single_steps(rewards)
    if way == "Recursor":
        stepped = nr.Recursor(model())
        for x in X:
            stepped.forward(x)
        stepped.reinforce(REWARDS if is_table_of_rewards else REWARDS[0])
        found = [stepped.backward(X[t], list(GRADS[:, t])) for t in reversed(range(5))][::-1]
    else:
        stepped = nr.Sequencer(nr.Recursor(model()) if "Recursor" in way else model())
        stepped.forward(X)
        stepped.reinforce(list(REWARDS) if is_table_of_rewards else REWARDS[0])
        found = stepped.backward(X, list(GRADS))
    if way != "Recursor" and is_table(found):
        found = found[0]
    np.testing.assert_allclose(np.array(found), np.array(expected))
    for gradient, right in zip(gradients_of(stepped), expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, right, atol=1e-12)


def test_rewards_of_the_last_steps_leave_the_others_without_gradient():
    normal = nr.ReinforceNormal(0.5)
    sequencer = nr.Sequencer(normal)
    sample = sequencer.forward(X)
    sequencer.reinforce(REWARDS[:2])
    gradient = sequencer.backward(X, X)
    assert not gradient[:3].any()
    np.testing.assert_allclose(gradient[3:], -REWARDS[:2, :, None] * (sample - X)[3:] / 0.25)


def test_a_sequence_draws_what_its_steps_draw():
    for make, draw, _ in KINDS.values():
        nr.seed(5)
        stepped, whole = nr.Recursor(make()), nr.Sequencer(make())
        whole.module.rng = stepped.children()[0].clone().rng
        steps = [draw((2, 3), np.random.default_rng(t)) for t in range(4)]
        outputs = [stepped.forward(step) for step in steps]
        np.testing.assert_array_equal(whole.forward(steps), outputs)
        stepped.reinforce(REWARDS[0])
        whole.reinforce(REWARDS[0])
        found = whole.backward(steps, outputs)
        for t in reversed(range(4)):
            np.testing.assert_equal(found[t], stepped.backward(steps[t], outputs[t]))


def test_one_number_rewards_all_rows():
    normal, mean = nr.ReinforceNormal(0.5), np.zeros((2, 3))
    sample = normal.forward(mean)
    for reward in (2.0, np.array(2.0), [1.0, 2.0]):
        normal.reinforce(reward)
        np.testing.assert_allclose(normal.backward(mean, mean), -2 * sample / 0.25)


def test_one_sample_is_rewarded_with_a_number():
    normal, mean = nr.ReinforceNormal(0.5), np.zeros(3)
    sample = normal.forward(mean)
    gradients = []
    for reward in (2.0, np.array(2.0), np.array([2.0]), [2.0]):
        normal.reinforce(reward)
        gradients.append(normal.backward(mean, mean))
    for gradient in gradients:
        np.testing.assert_allclose(gradient, -2 * sample / 0.25)


# ---- what is refused ---------------------------------------------------------------------------------------------

x = np.full((2, 4), 0.25)


@pytest.mark.parametrize(
    ("make", "input", "error", "message"),
    [
        (lambda: nr.ReinforceNormal(0.5), [x, x], TypeError, "one float32 or float64 array"),
        (lambda: nr.ReinforceNormal(0.5), x.astype(int), TypeError, "one float32 or float64 array"),
        (lambda: nr.ReinforceNormal([0.5, 1]), x, ValueError, r"a mean that stdev of shape \(2,\) fits"),
        (lambda: nr.ReinforceNormal([[0.5]] * 3), x[0], ValueError, r"a mean that stdev of shape \(3, 1\) fits"),
        (lambda: nr.ReinforceNormal(), x, TypeError, r"a table \[mean, stdev\]"),
        (lambda: nr.ReinforceNormal(), [x], ValueError, r"a table \[mean, stdev\]"),
        (lambda: nr.ReinforceNormal(), [x, x[0]], ValueError, "mean and stdev of one shape"),
        (lambda: nr.ReinforceNormal(), [x, x.astype("f4")], TypeError, "mean and stdev of one element type"),
        (lambda: nr.ReinforceNormal(), [x, 0 * x], ValueError, r"a stdev of 0.0; expects every stdev above 0"),
        (lambda: nr.ReinforceGamma(2), -x, ValueError, r"a shape of -0.25; expects every shape above 0"),
        (lambda: nr.ReinforceGamma(), [x, np.nan * x], ValueError, "a scale of nan; expects every scale above 0"),
        (lambda: nr.ReinforceBernoulli(), x - 1, ValueError, "numbers from -0.75 to -0.75; expects probabilities"),
        (lambda: nr.ReinforceBernoulli(), 9 * x, ValueError, "expects probabilities"),
        (lambda: nr.ReinforceBernoulli(), [x], TypeError, "one float32 or float64 array"),
        (lambda: nr.ReinforceCategorical(), 2 * x, ValueError, "sums from 2.0 to 2.0; expects rows of probabilities"),
        (lambda: nr.ReinforceCategorical(), np.array([[2.0, -1.0]]), ValueError, "rows of probabilities"),
        (lambda: nr.ReinforceCategorical(), np.zeros((2, 0)), ValueError, "at least one class"),
        (lambda: nr.ReinforceCategorical(), np.array(1.0), ValueError, "at least one class"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_and_changes_nothing(make, input, error, message):
    module = make()
    state = module.rng.bit_generator.state
    with pytest.raises(error, match=message) as caught:
        module.forward(input)
    assert str(caught.value).startswith(repr(module))
    assert module.rng.bit_generator.state == state
    assert module.sample is None


@pytest.mark.parametrize("stdev", [0, -1, True, "1", [0.5, 0], float("nan")])
def test_a_standard_deviation_must_be_above_0(stdev):
    with pytest.raises(ValueError, match=r"ReinforceNormal: got stdev=.*; expects a stdev above 0"):
        nr.ReinforceNormal(stdev)


@pytest.mark.parametrize(
    ("reward", "error", "message"),
    [
        (np.ones(3), ValueError, r"a reward of shape \(3,\); expects shape \(2,\)"),
        (np.ones((2, 1)), ValueError, r"a reward of shape \(1,\); expects shape \(2,\)"),
        ([np.ones(2), np.ones(3)], ValueError, r"a reward of shape \(3,\)"),
        (np.ones((1, 1, 2)), ValueError, r"a reward of shape \(1, 1, 2\)"),
        (None, TypeError, "None as a reward; expects an array of real numbers"),
        (np.array(["a", "b"]), TypeError, "an array of real numbers"),
        (np.array([True, False]), TypeError, "an array of real numbers"),
    ],
)
def test_a_reward_that_does_not_fit_is_refused_by_all_modules_in_a_container(reward, error, message):
    def container():
        nr.seed(1)
        return nr.ParallelTable(nr.Sequential(nr.ReinforceNormal(0.5)), nr.ReinforceBernoulli())

    spoilt, other = container(), container()
    input = [np.zeros((2, 3)), np.full((2, 4), 0.5)]
    results = []
    for module in (spoilt, other):
        module.forward(input)
        module.reinforce(np.array([1.0, 2.0]))
        if module is spoilt:
            with pytest.raises(error, match=message):
                module.reinforce(reward)
        results.append(module.backward(input, input))
    np.testing.assert_equal(*results)


def test_a_reward_that_only_one_module_takes_is_taken_by_none():
    both_sizes = nr.ParallelTable(nr.ReinforceNormal(0.5), nr.ReinforceNormal(0.5))
    input = [np.zeros((2, 3)), np.zeros((4, 3))]
    both_sizes.forward(input)
    with pytest.raises(ValueError, match="expects shape"):
        both_sizes.reinforce(np.ones(2))
    with pytest.raises(RuntimeError, match="backward without a reward"):
        both_sizes.backward(input, input)


def test_backward_needs_a_reward_of_the_batch_at_hand():
    normal = nr.ReinforceNormal(0.5)
    normal.forward(np.zeros((2, 3)))
    with pytest.raises(RuntimeError, match=r"backward without a reward; expects reinforce\(reward\) after the forward"):
        normal.backward(np.zeros((2, 3)), np.zeros((2, 3)))
    normal.reinforce(np.ones(2))
    normal.forward(np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"a reward of shape \(2,\); expects shape \(4,\)"):
        normal.backward(np.zeros((4, 3)), np.zeros((4, 3)))


def test_a_forward_that_fails_later_draws_nothing():
    container = nr.Sequential(nr.ReinforceNormal(0.5), nr.Linear(3, 2)).astype("float64")
    container.forward(np.zeros((2, 3)))
    container.reinforce(np.array([1.0, 2.0]))
    expected = container.clone().backward(np.zeros((2, 3)), np.zeros((2, 2)))
    following = container.clone().forward(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Linear"):
        container.forward(np.zeros((2, 5)))
    np.testing.assert_array_equal(container.backward(np.zeros((2, 3)), np.zeros((2, 2))), expected)
    np.testing.assert_array_equal(container.forward(np.zeros((2, 3))), following)
