"""ParallelCriterion, MultiCriterion, RepeaterCriterion and ModuleCriterion."""

import numpy as np
import pytest

import numrnn as nr

rng = np.random.default_rng(0)
x, y = rng.normal(size=(2, 4, 3, 5))  # (time, batch, features) each
classes = rng.integers(0, 5, (4, 3))
mse, nll = nr.MSECriterion(), nr.ClassNLLCriterion()


def test_add_returns_the_criterion_itself():
    for kind in (nr.ParallelCriterion, nr.MultiCriterion):
        made = kind()
        assert made.add(mse).add(nll, 0.5) is made
        assert made.weights == [1, 0.5]


def test_an_element_may_have_no_float_input():
    class Count(nr.Criterion):
        def update_output(self, input, target):
            return float((input != target).sum())

        def update_grad_input(self, input, target):
            return None

    criterion = nr.ParallelCriterion().add(mse, 2).add(Count())
    assert criterion([x[0], classes[0]], [y[0], classes[0] + 1]) == 2 * mse(x[0], y[0]) + 3
    gradient, nothing = criterion.backward([x[0], classes[0]], [y[0], classes[0]])
    np.testing.assert_array_equal(gradient, 2 * mse.backward(x[0], y[0]))
    assert nothing is None


def test_a_sum_of_losses_of_tables():
    pair = nr.ParallelCriterion().add(mse).add(nll)
    criterion = nr.MultiCriterion().add(pair, 2).add(pair)
    input, target = [x[0], x[1]], [y[0], classes[1]]
    assert criterion(input, target) == pytest.approx(3 * pair(input, target))
    for found, expected in zip(criterion.backward(input, target), pair.backward(input, target), strict=True):
        np.testing.assert_allclose(found, 3 * expected)


def test_one_target_for_all_steps():
    for average in (False, True):
        criterion = nr.RepeaterCriterion(nll, size_average=average)
        divisor = 4 if average else 1
        loss = sum(nll(step, classes[0]) for step in x) / divisor
        gradients = np.stack([nll.backward(step, classes[0]) for step in x]) / divisor
        for input in (x, list(x)):
            assert criterion(input, classes[0]) == loss
            assert isinstance(criterion.backward(input, classes[0]), type(input))
            np.testing.assert_array_equal(criterion.backward(input, classes[0]), gradients)
    assert nr.RepeaterCriterion(nll)(x[:, 0], 2) == sum(nll(step, 2) for step in x[:, 0])


def test_gradients_of_an_array_are_an_array_even_if_the_targets_are_tables():
    sum_of_two = nr.MultiCriterion().add(nr.ModuleCriterion(mse, None, nr.SelectTable(0)))
    for criterion in (nr.SequencerCriterion(sum_of_two), nr.RepeaterCriterion(sum_of_two)):
        target = [[step, step] for step in y] if isinstance(criterion, nr.SequencerCriterion) else [y[0], y[1]]
        assert criterion.backward(x, target).shape == x.shape


def test_modules_in_front_of_a_loss():
    model = nr.Sequencer(nr.GRU(5, 4)).astype("float64")
    criterion = nr.ModuleCriterion(nr.SequencerCriterion(nr.MSECriterion()), model, nr.Narrow(-1, 0, 4), False)
    output = model(x)
    loss, grad_output = criterion.criterion(output, y[..., :4]), criterion.criterion.backward(output, y[..., :4])
    grad_input = model.backward(x, grad_output)
    expected = [gradient.copy() for gradient in model.parameters()[1]]
    model.zero_grad_parameters()
    assert criterion(x, y) == loss
    np.testing.assert_array_equal(criterion.backward(x, y), grad_input)
    np.testing.assert_array_equal(
        np.concatenate([g.ravel() for g in model.parameters()[1]]), np.concatenate([g.ravel() for g in expected])
    )


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nr.ParallelCriterion().add(nr.Tanh()), TypeError, "ParallelCriterion: got Tanh; expects a Criterion"),
        (lambda: nr.MultiCriterion().add(mse, "2"), TypeError, "a weight that is '2'; expects a number"),
        (lambda: nr.RepeaterCriterion("mse"), TypeError, "RepeaterCriterion: got 'mse'; expects a Criterion"),
        (lambda: nr.ModuleCriterion(None), TypeError, "a Criterion"),
        (lambda: nr.ModuleCriterion(mse, "tanh"), TypeError, "'tanh' as input_module; expects a Module"),
        (lambda: nr.ModuleCriterion(mse, None, mse), TypeError, "as target_module"),
        (lambda: nr.ModuleCriterion(mse, nr.LSTM(2, 3)), ValueError, "inside a Sequencer only"),
        (lambda: nr.ModuleCriterion(mse, nr.Sequential(nr.GRU(2, 3))), ValueError, "inside a Sequencer only"),
    ],
)
def test_only_what_fits_is_taken(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("criterion", "input", "target", "error", "message"),
    [
        (nr.MultiCriterion(), x, y, ValueError, "no criterion added"),
        (nr.ParallelCriterion(), [], [], ValueError, "no criterion added"),
        (nr.ParallelCriterion().add(mse), x, [y], TypeError, "as input; expects a table of 1"),
        (nr.ParallelCriterion().add(mse), [x, x], [y], ValueError, "as input; expects a table of 1"),
        (nr.ParallelCriterion().add(mse), [x], y, TypeError, "as target; expects a table of 1"),
        (nr.ParallelCriterion().add(mse), [x], [y, y], ValueError, "as target; expects a table of 1"),
        (nr.ParallelCriterion().add(mse).add(nll), [x, x[0]], [y, y[0]], TypeError, "ClassNLLCriterion"),
        (nr.RepeaterCriterion(mse), [], y[0], ValueError, "at least one step"),
        (nr.RepeaterCriterion(mse), 3, y[0], TypeError, "a table of steps"),
        (nr.RepeaterCriterion(mse), x, y, ValueError, "MSECriterion"),
    ],
)
@pytest.mark.parametrize("call", ["forward", "backward"])
def test_what_does_not_fit_is_refused(call, criterion, input, target, error, message):
    with pytest.raises(error, match=message):
        getattr(criterion, call)(input, target)
