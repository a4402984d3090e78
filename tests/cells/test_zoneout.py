"""Zoneout: channels that keep their old values by chance, and what is expected of them in evaluate mode."""

import numpy as np
import pytest

import numrnn as nr
from tests import naive

TIME, BATCH, INPUT, HIDDEN = 6, 40, 5, 33
CELLS = {
    "LSTM": (lambda rng: nr.ZoneoutLSTM(INPUT, HIDDEN, 0.5, 0.05, rng=rng), naive.zoneout_lstm, naive.fast_lstm),
    "GRU": (lambda rng: nr.ZoneoutGRU(INPUT, HIDDEN, 0.1, rng=rng), naive.zoneout_gru, naive.gru),
}
RATES = {"LSTM": (0.05, 0.5), "GRU": (0.1,)}
each_cell = pytest.mark.parametrize("name", CELLS)


def drawn():
    return np.random.default_rng(0).normal(size=(TIME, BATCH, INPUT)).astype("float32")


def states_of(cell):
    states = cell.get_hidden_state()
    return states if isinstance(states, list) else [states]


@each_cell
def test_in_evaluate_mode_states_are_what_is_expected(name):
    make, expected, _ = CELLS[name]
    cell, x = make(0).evaluate(), drawn()
    zeros = [np.zeros((BATCH, HIDDEN))] * len(cell.states)
    outputs = naive.run(expected, cell.state_dict(), x.astype("float64"), *zeros)[0]
    np.testing.assert_allclose(cell.forward_sequence(x), outputs, rtol=1e-5, atol=1e-6)
    cell.forget()
    np.testing.assert_allclose([cell(x_t) for x_t in x], outputs, rtol=1e-5, atol=1e-6)


@each_cell
def test_in_training_mode_channels_are_old_or_new_with_the_given_probability(name):
    make, _, step = CELLS[name]
    cell, x = make(0), drawn()
    kept = [0] * len(cell.states)
    old = [np.zeros((BATCH, HIDDEN), "float32") for _ in cell.states]
    for x_t in x:
        cell(x_t)
        found, new = states_of(cell), step(cell.state_dict(), x_t, *old)
        for k, (state, before, after) in enumerate(zip(found, old, new, strict=True)):
            is_old = state == before
            np.testing.assert_allclose(state[~is_old], after[~is_old], rtol=1e-4, atol=1e-6)
            kept[k] += is_old.mean() / TIME
        old = found
    np.testing.assert_allclose(kept, RATES[name], atol=0.03)


@each_cell
def test_noise_follows_the_rng_whether_stepped_or_not(name):
    make, x = CELLS[name][0], drawn()
    whole = make(3).forward_sequence(x)
    cell = make(3)
    np.testing.assert_array_equal(np.stack([cell(x_t) for x_t in x]), whole)
    other = make(3)
    other.rng = np.random.default_rng(4)
    assert (other.forward_sequence(x) != whole).any()
    again = cell.forward_sequence(x)  # goes on with other noise
    cell.forget()
    assert (cell.forward_sequence(x) != again).any()


@each_cell
def test_one_step_as_a_module_is_a_step_of_the_cell(name):
    cell, x = CELLS[name][0](0), drawn()[0]
    step = nr.StepModule(cell.clone())
    zeros = [np.zeros((BATCH, HIDDEN), "float32") for _ in cell.states]
    found = step([x, *zeros])
    np.testing.assert_array_equal(cell(x), found[0] if len(zeros) > 1 else found)


def test_rates_of_zero_draw_nothing():
    assert not nr.ZoneoutLSTM(3, 4, 0, 0).program().trace.noise


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rates_are_probabilities(rate):
    with pytest.raises(ValueError, match=r"ZoneoutGRU: got zoneout_h = .*; expects a probability, 0 <= rate < 1"):
        nr.ZoneoutGRU(3, 4, rate)


@pytest.mark.parametrize("kind", [nr.ZoneoutLSTM, nr.ZoneoutGRU])
def test_a_sequencer_draws_the_noise_of_the_steps(kind):
    whole, stepped = (kind(3, 4, rng=5) for _ in range(2))
    x = np.random.default_rng(0).normal(size=(6, 2, 3)).astype("float32")
    found = nr.Sequencer(whole).forward(x)
    np.testing.assert_array_equal(found, np.stack([stepped.forward(step) for step in x]))
