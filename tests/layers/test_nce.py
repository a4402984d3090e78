"""NCEModule and NCECriterion, and how noise is drawn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.kernels.cpu import threads
from numrnn.kernels.cpu.nce import alias_table, draw_words
from numrnn.table import copy_table
from tests.finite_differences import numeric_gradient

WORDS = 9
UNIGRAMS = np.arange(WORDS) + 0.5
noises = pytest.mark.parametrize("batch_noise", [True, False])


def made(input_size=4, k=5, seed=0, **options):
    return nr.NCEModule(input_size, WORDS, k, UNIGRAMS, rng=seed, **options).astype("float64")


def drawn(rows=3, input_size=4, seed=0):
    """Return x and targets."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(rows, input_size)), rng.integers(0, WORDS, rows)]


# ---- drawing -----------------------------------------------------------------------------------------------------

frequencies = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e3)), min_size=1, max_size=40).filter(any)


@given(frequencies=frequencies)
def test_the_cells_of_the_alias_table_hold_every_word_as_often_as_it_is_frequent(frequencies):
    probabilities = np.array(frequencies) / sum(frequencies)
    thresholds, aliases = alias_table(probabilities)
    assert ((thresholds >= 0) & (thresholds <= 1)).all()
    shares = thresholds.copy()
    np.add.at(shares, aliases, 1 - thresholds)
    np.testing.assert_allclose(shares / len(shares), probabilities, atol=1e-12)
    assert not shares[probabilities == 0].any()


def test_words_are_drawn_as_often_as_they_are_frequent():
    module = nr.NCEModule(1, 6, 1, [3, 0, 1, 2, 0, 4], rng=1)
    count = 100_000
    counts = np.bincount(module.draw_noise((count,)), minlength=6)
    expected = count * np.array([3, 0, 1, 2, 0, 4]) / 10
    assert counts[[1, 4]].tolist() == [0, 0]
    some = expected > 0
    assert ((counts - expected)[some] ** 2 / expected[some]).sum() < 16.3  # chi squared, 3 degrees of freedom: 0.1 %


def test_the_largest_random_number_draws_a_word():
    words = np.empty(2, np.int64)
    draw_words(np.array([0.0, np.nextafter(1, 0)]), *alias_table(np.ones(7)), words)
    assert words.tolist() == [0, 6]


def test_the_same_seed_draws_the_same_noise_for_either_element_type():
    single, double = nr.NCEModule(4, WORDS, 5, UNIGRAMS, rng=7), made(seed=7)
    x, target = drawn()
    single.forward([x.astype("float32"), target])
    double.forward([x, target])
    np.testing.assert_array_equal(single.noise, double.noise)


# ---- probabilities -----------------------------------------------------------------------------------------------


@noises
@given(
    rows=st.integers(0, 5), k=st.integers(1, 6), size=st.sampled_from([1, 3, 17, 70, 130]), seed=st.integers(0, 2**16)
)
def test_output_is_the_probabilities_of_targets_and_noise(batch_noise, rows, k, size, seed):
    module = made(size, k, seed, batch_noise=batch_noise, Z=1.5)
    x, target = drawn(rows, size, seed)
    p, p_noise, q, q_noise = module.forward([x, target])
    assert module.noise.shape == ((k,) if batch_noise else (rows, k))
    probabilities = np.exp(x @ module.weight.T + module.bias) / 1.5
    noise = np.broadcast_to(module.noise, (rows, k))
    np.testing.assert_allclose(p, probabilities[np.arange(rows), target], rtol=1e-12)
    np.testing.assert_allclose(p_noise, np.take_along_axis(probabilities, noise, 1), rtol=1e-12)
    np.testing.assert_allclose(q, UNIGRAMS[target] / UNIGRAMS.sum())
    np.testing.assert_allclose(q_noise, UNIGRAMS[noise] / UNIGRAMS.sum())


@noises
def test_conforms(batch_noise):
    for rows in ((3,), ()):
        x = np.zeros((*rows, 4))
        module = made(k=3, batch_noise=batch_noise, Z=2)
        nr.testing.check_module(module, [x, np.asarray(np.arange(3) if rows else 4)], rows=batch_noise, length=3)


@given(
    rows=st.integers(1, 4),
    k=st.integers(1, 4),
    size=st.integers(1, 5),
    batch_noise=st.booleans(),
    scale=st.sampled_from([1.0, 0.5]),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=settings.default.max_examples // 2)
def test_gradient_through_the_criterion_is_the_slope_for_the_noise_drawn(rows, k, size, batch_noise, scale, seed):
    module, criterion = made(size, k, seed, batch_noise=batch_noise, Z=1), nr.NCECriterion()
    input = drawn(rows, size, seed)
    output = module.forward(input)
    noise = module.noise
    grad_x, grad_target = module.backward(input, criterion.backward(output), scale)
    assert grad_target is None
    module.draw_noise = lambda shape: noise.reshape(shape)

    def loss():
        return criterion(module.forward(input))

    # The constant in the criterion's denominators makes up for nearly all of the difference.
    np.testing.assert_allclose(grad_x, numeric_gradient(loss, input[0]), rtol=1e-5, atol=1e-6)
    for parameter, gradient in zip(*module.parameters(), strict=True):
        np.testing.assert_allclose(gradient, scale * numeric_gradient(loss, parameter), rtol=1e-5, atol=1e-6)


@noises
def test_only_rows_in_use_get_gradients(batch_noise):
    module = nr.NCEModule(3, 1000, 4, np.ones(1000), batch_noise=batch_noise, rng=0)
    x, target = np.ones((2, 3), "float32"), np.array([5, 700])
    output = module.forward([x, target])
    module.grad_weight.fill(np.nan)
    used = np.union1d(module.noise, target)
    module.grad_weight[used], module.grad_bias[used] = 0, 0
    module.backward([x, target], output)
    assert np.isfinite(module.grad_weight).all(axis=1).nonzero()[0].tolist() == used.tolist()
    assert module.grad_bias.nonzero()[0].tolist() == used.tolist()


def test_noise_of_the_batch_and_the_same_noise_for_each_row_give_the_same():
    shared, own = made(Z=1), made(Z=1, batch_noise=False)
    input = drawn()
    outputs = [shared.forward(input)]
    own.draw_noise = lambda shape: np.array(np.broadcast_to(shared.noise, shape))
    outputs.append(own.forward(input))
    results = [[m.backward(input, outputs[0])[0], *m.parameters()[1]] for m in (shared, own)]
    for array, other in zip(*map(nr.table.leaves, (outputs, results)), strict=False):
        assert array.dtype == other.dtype == "float64"
    for array, other in zip(outputs[0] + results[0], outputs[1] + results[1], strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-12, atol=1e-14)


@noises
@given(number=st.integers(2, 4), rows=st.integers(1, 6), size=st.sampled_from([1, 5, 70]))
@settings(max_examples=8)
def test_same_bits_for_any_number_of_threads(batch_noise, number, rows, size):
    before, results = nr.get_num_threads(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "PART_WORK", 1)
        patch.setattr(threads, "WAKE_WORK", 0)
        for count in (1, number):
            nr.set_num_threads(count)
            module, input = made(size, batch_noise=batch_noise), drawn(rows, size)
            output = module.forward(input)
            results.append([*output, module.backward(input, output)[0], *module.parameters()[1]])
    nr.set_num_threads(before)
    for array, other in zip(*results, strict=True):
        np.testing.assert_array_equal(array, other)


# ---- the constant Z ----------------------------------------------------------------------------------------------


@noises
def test_the_first_forward_estimates_z_and_later_ones_keep_it(batch_noise):
    module = made(batch_noise=batch_noise)
    x, target = drawn()
    p, p_noise, *_ = module.forward([x, target])
    counted = p_noise if batch_noise else np.hstack([p[:, None], p_noise])
    np.testing.assert_allclose(counted.mean(), 1 / WORDS)  # as if all words had the mean probability
    found = float(module.Z)
    assert found > 0
    assert module.state_dict()["Z"] == found
    module.forward([5 * x, target])
    assert float(module.Z) == found


def test_z_is_taken_back_with_the_noise_if_a_later_module_fails():
    container = nr.Sequential(made(), nr.SelectTable(7))
    state = container[0].rng.bit_generator.state
    with pytest.raises(ValueError, match="SelectTable"):
        container.forward(drawn())
    assert container[0].Z == -1
    assert container[0].noise is None
    assert container[0].rng.bit_generator.state == state


def test_an_empty_batch_estimates_nothing():
    module = made()
    output = module.forward(drawn(rows=0))
    assert module.Z == -1
    assert [array.shape for array in output] == [(0,), (0, 5), (0,), (0, 5)]
    assert module.backward(drawn(rows=0), output)[0].shape == (0, 4)
    assert nr.NCECriterion()(output) == 0


# ---- all words ---------------------------------------------------------------------------------------------------


def test_normalized_gives_the_probabilities_of_all_words_in_evaluate_mode():
    module = made(normalized=True)
    x, target = drawn()
    assert isinstance(module.forward([x, target]), list)
    module.evaluate()
    linear = nr.Linear(4, WORDS).astype("float64")
    linear.weight, linear.bias = module.weight, module.bias
    expected = nr.LogSoftMax().forward(linear.forward(x))
    for input in (x, [x, target]):
        np.testing.assert_allclose(module.forward(input), np.exp(expected), rtol=1e-12)
        module.log_softmax = True
        np.testing.assert_allclose(module.forward(input), expected, rtol=1e-12)
        np.testing.assert_allclose(module.forward([x[0], target[0]]), expected[0], rtol=1e-12)
        module.log_softmax = False
    with pytest.raises(RuntimeError, match="backward through the probabilities of all words; expects one in training"):
        module.backward([x[0], target[0]], expected[0])


def test_in_evaluate_mode_the_loss_can_be_computed_as_well():
    module = made().evaluate()
    input = drawn()
    output = module.forward(input)
    assert math.isfinite(nr.NCECriterion()(output, input[1]))
    assert module.backward(input, output)[0].shape == (3, 4)


def test_the_mean_gradient_is_zero_where_the_model_is_right():
    """With the probabilities that targets are drawn with as the model's own, there is nothing to learn."""
    rng = np.random.default_rng(0)
    right = rng.random(WORDS) + 0.1
    right /= right.sum()
    module = made(1, 3, batch_noise=False, Z=1)
    module.weight, module.bias = np.zeros((WORDS, 1)), np.log(right)
    input = [np.zeros((100_000, 1)), rng.choice(WORDS, 100_000, p=right)]
    module.backward(input, nr.NCECriterion().backward(module.forward(input)))
    np.testing.assert_allclose(module.grad_bias, 0, atol=0.004)
    module.zero_grad_parameters()
    module.bias = module.bias + 0.5 * (np.arange(WORDS) == 4)
    module.backward(input, nr.NCECriterion().backward(module.forward(input)))
    assert module.grad_bias[4] > 0.02


def test_frequencies_are_learned_without_ever_summing_over_all_words():
    rng = np.random.default_rng(0)
    right = np.array([0.4, 0.05, 0.1, 0.05, 0.1, 0.05, 0.1, 0.05, 0.1])
    module, criterion = nr.NCEModule(2, WORDS, 10, np.ones(WORDS), 1, False, rng=0), nr.NCECriterion()
    for k in range(600):
        input = [np.ones((64, 2), "float32"), rng.choice(WORDS, 64, p=right)]
        module.zero_grad_parameters()
        module.backward(input, criterion.backward(module.forward(input)))
        module.update_parameters(2 / (1 + k / 60))
    probabilities = np.exp(module.weight.sum(axis=1) + module.bias)
    np.testing.assert_allclose(probabilities, right, atol=0.06)
    assert probabilities.sum() == pytest.approx(1, abs=0.1)  # as nothing but the noise has told it


# ---- sequences ---------------------------------------------------------------------------------------------------


def test_a_language_model_in_a_sequencer():
    nr.seed(4)
    words, targets = np.random.default_rng(0).integers(0, WORDS, (2, 6, 3))
    body = nr.Sequential(nr.LookupTable(WORDS, 4), nr.GRU(4, 5))
    model = nr.Sequencer(nr.Sequential(nr.ParallelTable(body, nr.Identity()), made(5, 3, Z=1).astype("float32")))
    criterion = nr.SequencerCriterion(nr.NCECriterion())
    steps = [list(step) for step in zip(words, targets, strict=True)]
    losses = []
    for _ in range(60):
        model.zero_grad_parameters()
        output = model.forward(steps)
        losses.append(criterion(output, list(targets)))
        model.backward(steps, criterion.backward(output, list(targets)))
        model.update_parameters(0.3)
    assert np.mean(losses[-10:]) < 0.7 * losses[0]


# ---- the criterion -----------------------------------------------------------------------------------------------


@given(rows=st.integers(1, 4), k=st.integers(1, 4), is_sample=st.booleans(), seed=st.integers(0, 2**16))
def test_loss_and_gradients_follow_from_the_formula(rows, k, is_sample, seed):
    rng = np.random.default_rng(seed)
    input = [0.1 + rng.random(shape) for shape in [(rows,), (rows, k)] * 2]
    if is_sample:
        input = [np.array(array[0]) for array in input]
    before = copy_table(input)
    criterion = nr.NCECriterion()
    p, p_noise, q, q_noise = input
    terms = -np.log(p / (p + k * q)) - np.log(k * q_noise / (p_noise + k * q_noise)).sum(axis=-1)
    loss = criterion(input)
    assert isinstance(loss, float)
    assert math.isclose(loss, terms.mean(), rel_tol=1e-5)
    gradients = criterion.backward(input)
    for array, found in zip(input, gradients, strict=True):
        assert found.shape == array.shape
        expected = numeric_gradient(lambda: criterion(input), array)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_equal(input, before)


def test_a_target_of_probability_0_is_an_infinite_loss_with_finite_gradients():
    input = [np.zeros(1), np.zeros((1, 2)), np.ones(1), np.ones((1, 2))]
    assert nr.NCECriterion()(input) == math.inf
    assert all(np.isfinite(array).all() for array in nr.NCECriterion().backward(input))


# ---- what is refused ---------------------------------------------------------------------------------------------

x, target = drawn()


@pytest.mark.parametrize(
    ("input", "error", "message"),
    [
        (x, TypeError, r"a table \[x, target\]"),
        ([x], ValueError, r"a table \[x, target\]"),
        ([x.astype("f4"), target], TypeError, "an array of float64"),
        ([x[:, :3], target], ValueError, r"x of shape \(batch, 4\) or \(4,\)"),
        ([x[None], target[None]], ValueError, r"x of shape \(batch, 4\) or \(4,\)"),
        ([x, target[:2]], ValueError, r"targets of shape \(2,\); expects shape \(3,\)"),
        ([x, x[:, 0]], TypeError, "one array of integers"),
        ([x, target + WORDS], IndexError, r"got target \d+; expects integers from 0 to 8"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(input, error, message):
    module = made()
    state = module.rng.bit_generator.state
    with pytest.raises(error, match=message) as caught:
        module.forward(input)
    assert str(caught.value).startswith("NCEModule(4 -> 9, k=5, batch_noise=True): got")
    assert module.rng.bit_generator.state == state
    assert (module.Z, module.noise) == (-1, None)


def test_targets_overwritten_since_the_forward_are_checked_again():
    module = made()
    target = np.array([1, 2, 3])
    output = module.forward([x, target])
    target[0] = 10**9
    with pytest.raises(IndexError, match="got target 1000000000"):
        module.backward([x, target], output)
    assert not module.grad_weight.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, WORDS, 5, UNIGRAMS), "whole numbers of at least 1"),
        ((4, WORDS, 2.5, UNIGRAMS), "whole numbers of at least 1"),
        ((4, WORDS, 5, UNIGRAMS[:-1]), "9 real numbers, one for each word"),
        ((4, WORDS, 5, "words"), "9 real numbers, one for each word"),
        ((4, WORDS, 5, -UNIGRAMS), "numbers of at least 0 with a sum above 0"),
        ((4, WORDS, 5, 0 * UNIGRAMS), "numbers of at least 0 with a sum above 0"),
        ((4, WORDS, 5, np.nan * UNIGRAMS), "numbers of at least 0 with a sum above 0"),
        ((4, WORDS, 5, np.inf * UNIGRAMS), "numbers of at least 0 with a sum above 0"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=f"NCEModule: got .*; expects {message}"):
        nr.NCEModule(*arguments)


p = np.ones((2, 3))


@pytest.mark.parametrize("call", ["forward", "backward"])
@pytest.mark.parametrize(
    ("input", "error", "message"),
    [
        (p, TypeError, "the four arrays that NCEModule gives"),
        ([p[0], p], ValueError, "the four arrays that NCEModule gives"),
        ([p[:, 0], p, p[:, 0], p[:, :2]], ValueError, r"shapes \(batch,\), \(batch, k\), \(batch,\), \(batch, k\)"),
        ([p, p, p, p], ValueError, r"got shapes \(2, 3\), \(2, 3\)"),
        ([p[:, 0], p, p[:, 0], p.astype("f4")], TypeError, "arrays of one element type"),
        ([p[:, 0], p, p[:, 0], p.astype(int)], TypeError, "one float32 or float64 array"),
    ],
)
def test_what_the_criterion_is_given_is_checked(call, input, error, message):
    with pytest.raises(error, match=message) as caught:
        getattr(nr.NCECriterion(), call)(input)
    assert str(caught.value).startswith("NCECriterion(): got")
