"""A TruncatedSequencer gives what a loop over steps gives that goes back through the newest steps now and then."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from tests.modules import Sizes, recurrence, recurrent

MODULES = {
    "cell": lambda: nr.LSTM(2, 3),
    "stack": lambda: nr.Sequential(nr.Linear(2, 2), nr.GRU(2, 4), nr.Tanh(), nr.FastLSTM(4, 3)),
    "Recurrent": lambda: recurrent(Sizes((), 2, 3, 1)),
    "learned starts": lambda: nr.Sequential(nr.GRU(2, 2), recurrence(Sizes((), 2, 3, 1))).learn_start_state(),
}


@pytest.mark.parametrize("kind", MODULES)
@given(seed=st.integers(0, 2**16), length=st.integers(1, 9), every=st.integers(1, 4), more=st.integers(0, 5))
def test_the_gradients_are_those_of_the_loop_over_steps(kind, seed, length, every, more):
    nr.seed(seed)
    module, back = MODULES[kind]().astype("float64"), every + more
    rng = np.random.default_rng(seed)
    x, grad = rng.normal(size=(length, 2, 2)), rng.normal(size=(length, 2, 3))
    stepped = nr.Recursor(module.clone(), rho=max(back - 1, 1))
    outputs, grad_input, counted = [], np.zeros_like(x), 0
    for t in range(length):
        outputs.append(stepped.forward(x[t]))
        if (t + 1) % every == 0 or t + 1 == length:
            for s in range(t, max(t - back, -1), -1):
                grad_input[s] += stepped.backward(x[s], grad[s] if s >= counted else np.zeros_like(grad[s]))
            counted = t + 1
    model = nr.TruncatedSequencer(module, every, back)
    np.testing.assert_allclose(model(x), outputs, rtol=1e-13)
    np.testing.assert_allclose(model.backward(x, grad), grad_input, rtol=1e-11, atol=1e-13)
    for own, expected in zip(model.parameters()[1], stepped.parameters()[1], strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-11, atol=1e-13)


def test_a_window_as_long_as_the_sequence_is_a_sequencer_and_states_go_on():
    module = nr.LSTM(2, 3).astype("float64")
    x = np.random.default_rng(0).normal(size=(8, 2, 2))
    whole, model = nr.Sequencer(module.clone()), nr.TruncatedSequencer(module, 8)
    np.testing.assert_array_equal(model(x), whole(x))
    np.testing.assert_allclose(model.backward(x, x[..., :1] * np.ones(3)), whole.backward(x, x[..., :1] * np.ones(3)))
    model.remember("both")
    whole.remember("both")
    model.forget()
    whole.forget()
    first = model(x[:5])
    model.backward(x[:5], first)
    np.testing.assert_array_equal(np.concatenate([first, model(x[5:])]), whole(x))


@pytest.mark.parametrize(("every", "back"), [(0, 1), (3, 2), (2, 2.5), (True, None)])
def test_windows_that_make_no_sense_are_refused(every, back):
    with pytest.raises(ValueError, match="TruncatedSequencer: got every="):
        nr.TruncatedSequencer(nr.GRU(2), every, back)
