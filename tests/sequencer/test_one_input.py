"""Sequences made from one input: it is repeated, or looked at again and again."""

import numpy as np
import pytest

import numrnn as nr

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3))


def test_a_repeater_is_a_sequencer_over_copies_of_its_input():
    repeater = nr.Repeater(nr.Sequential(nr.LSTM(3, 4), nr.Linear(4, 5)), 3).astype("float64")
    sequencer = nr.Sequencer(repeater.module.clone())
    copies, grads = np.stack([X] * 3), RNG.normal(size=(3, 2, 5))
    for _ in range(2):  # every call begins anew
        outputs = repeater.remember()(X)
        assert isinstance(outputs, list)
        np.testing.assert_array_equal(outputs, sequencer(copies))
        expected = sequencer.backward(copies, grads).sum(axis=0)
        np.testing.assert_array_equal(repeater.backward(X, list(grads)), expected)
    np.testing.assert_equal(repeater.parameters()[1], sequencer.parameters()[1])
    np.testing.assert_array_equal(repeater.get_hidden_state()[0][0], sequencer.get_hidden_state()[0][0])


def test_a_repeater_goes_back_once_with_a_gradient_for_every_step():
    repeater = nr.Repeater(nr.GRU(3, 4).astype("float64"), 3)
    y = repeater(X)
    for grads in (y[:2], np.stack(y), y + y):
        with pytest.raises(ValueError, match="expects"):
            repeater.backward(X, grads)
    repeater.backward(X, y)
    with pytest.raises(RuntimeError, match="one backward for every forward"):
        repeater.backward(X, y)


@pytest.mark.parametrize("rho", [0, -1, 2.0, True, None])
def test_a_repeater_needs_a_number_of_steps(rho):
    with pytest.raises(ValueError, match="Repeater: got rho"):
        nr.Repeater(nr.GRU(3), rho)


def attention(*end, n_step=3):
    nr.seed(0)
    both = nr.ParallelTable(nr.Linear(3, 4), nr.Linear(2, 4))
    rnn = nr.Recurrent(4, nr.Sequential(both, nr.CAddTable()), nr.Linear(4, 4), nr.Tanh())
    action = nr.Sequential(nr.Linear(4, 2), *end)
    return nr.RecurrentAttention(rnn, action, n_step, 4).astype("float64")


def test_actions_follow_from_the_states_before():
    model = attention(nr.Tanh())
    states = model(X)
    rnn, action = (child.clone() for child in model.children())
    rnn.forget()
    hidden = np.zeros((2, 4))
    for state, chosen in zip(states, model.actions, strict=True):
        np.testing.assert_array_equal(action.forward(hidden), chosen)
        hidden = rnn.forward([X, chosen])
        np.testing.assert_array_equal(hidden, state)


def test_no_gradient_flows_through_actions_that_are_not_drawn():
    model = attention(nr.Tanh())
    y = model(X)
    model.backward(X, y)
    gradients = [
        gradient
        for (name, _), gradient in zip(model.named_parameters(), model.parameters()[1], strict=True)
        if name.startswith("action")
    ]
    assert gradients
    assert not any(gradient.any() for gradient in gradients)


def test_a_reward_makes_the_gradient_of_the_actions():
    """It is that of the reward times the logarithm of the probability of what was drawn, and nothing else."""
    model = attention(nr.ReinforceNormal(0.3))
    y, reward = model(X), np.array([1.5, -0.5])
    actions = model.actions
    model.reinforce(reward)
    gradients = [np.zeros_like(state) for state in y]
    grad_x = model.backward(X, gradients)
    found = [array.copy() for array in model.parameters()[1]]

    def loss():
        drawn = [action.copy() for action in actions]
        copy = model.clone()
        normal = next(part for part in copy.modules() if isinstance(part, nr.ReinforceNormal))
        means = []
        normal.draw = lambda mean: (means.append(mean.copy()), drawn.pop(0))[1]
        copy(X)
        pairs = zip(means, actions, strict=True)
        return sum((reward[:, np.newaxis] * (a - mean) ** 2 / (2 * 0.3**2)).sum() for mean, a in pairs)

    def slope(array, index):
        old, losses = array[index], []
        for step in (1e-6, -1e-6):
            array[index] = old + step
            losses.append(loss())
        array[index] = old
        return (losses[0] - losses[1]) / 2e-6

    for array, gradient in zip([*model.parameters()[0], X], [*found, grad_x], strict=True):
        index = np.unravel_index(np.abs(gradient).argmax(), array.shape)
        assert gradient[index] == pytest.approx(slope(array, index), rel=1e-5, abs=1e-7)


def test_attention_without_a_reward_does_not_go_back_and_changes_nothing():
    model = attention(nr.ReinforceNormal(0.3))
    y = model(X)
    with pytest.raises(RuntimeError, match="without a reward"):
        model.backward(X, y)
    assert not any(gradient.any() for gradient in model.parameters()[1])
    model.reinforce(np.ones(2))
    model.backward(X, y)
    with pytest.raises(RuntimeError, match="one backward for every forward"):
        model.backward(X, y)


@pytest.mark.parametrize(("arguments", "message"), [((0, 4), "n_step=0"), ((3, 0), "hidden_size=0"), ((3, "4"), "'4'")])
def test_attention_needs_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        nr.RecurrentAttention(nr.Linear(3, 4), nr.Linear(4, 2), *arguments)


def test_attention_refuses_what_does_not_fit_and_changes_nothing():
    model = attention(nr.Tanh())
    y = model(X)
    for x in (X[:, :2], X[:0], np.zeros(()), None):
        with pytest.raises((TypeError, ValueError), match="expects"):
            model(x)
    assert model.backward(X, y).shape == X.shape
    with pytest.raises(ValueError, match="as hidden_size says"):
        nr.RecurrentAttention(attention().children()[0], nr.Linear(5, 2).astype("float64"), 2, 5)(X)
