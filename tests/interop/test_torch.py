"""PyTorch's recurrent modules: with their parameters, numrnn's give the recorded outputs and gradients."""

import numpy as np
import pytest

import numrnn as nr
from numrnn.interop.torch import load_torch_state, torch_state
from tests.interop.torch_recordings import CASES, FILE, HIDDEN, INPUT

MAKE = {
    "LSTM": nr.StackedLSTM,
    "GRU": nr.StackedGRU,
    "RNN": nr.StackedRNN,
    "LSTMCell": nr.PlainLSTM,
    "GRUCell": nr.GRUResetAfter,
    "RNNCell": nr.RNN,
}
each_case = pytest.mark.parametrize("case", CASES)
CLOSE = {"rtol": 1e-12, "atol": 1e-13}


@pytest.fixture(scope="module")
def recordings():
    with np.load(FILE) as file:
        return dict(file)


def recorded(recordings, case, prefix=""):
    start = f"{case}/{prefix}"
    return {name.removeprefix(start): array for name, array in recordings.items() if name.startswith(start)}


def loaded(recordings, case):
    kind, arguments = CASES[case]
    module = MAKE[kind](INPUT, HIDDEN, **arguments).astype("float64")
    load_torch_state(module, recorded(recordings, case, "parameter "))
    return module


def gradients(module):
    """Return the gradients by PyTorch's names."""
    copy = module.clone()
    for parameter, gradient in zip(*copy.parameters(), strict=True):
        parameter[...] = gradient
    return torch_state(copy)


@each_case
def test_outputs_and_gradients_are_those_of_pytorch(recordings, case):
    module, given = loaded(recordings, case), recorded(recordings, case)
    states = [name for name in "hc" if f"start_{name}" in given]
    start, grad_last = ([given[f"{what}_{name}"] for name in states] for what in ("start", "grad_last"))
    if isinstance(module, nr.Cell):
        module.set_hidden_state(0, start)
        module.set_grad_hidden_state(None, grad_last)
        y, last = module.forward_sequence(given["x"]), module.get_hidden_state()
        grad_x = module.backward_sequence(given["x"], given["grad_y"])
        last, grad_start = (module._listed(state) for state in (last, module.get_grad_hidden_state(0)))
    else:
        y, *last = module.forward([given["x"], *start])
        grad_x, *grad_start = module.backward([given["x"], *start], [given["grad_y"], *grad_last])
    np.testing.assert_allclose(y, given["y"], **CLOSE)
    np.testing.assert_allclose(grad_x, given["grad_x"], **CLOSE)
    for name, *found in zip(states, last, grad_start, strict=True):
        for what, array in zip(("last", "grad_start"), found, strict=True):
            np.testing.assert_allclose(array, given[f"{what}_{name}"], **CLOSE)
    expected, found = recorded(recordings, case, "gradient "), gradients(module)
    for name in expected:
        if "bias_hh" not in name or CASES[case][0].startswith("GRU"):
            width = 2 * HIDDEN if "bias_hh" in name else 0  # of a GRU, the candidate's part is there
            np.testing.assert_allclose(found[name][width:], expected[name][width:], err_msg=name, **CLOSE)


@each_case
def test_what_was_loaded_is_given_back(recordings, case):
    module = loaded(recordings, case)
    state = torch_state(module)
    given = recorded(recordings, case, "parameter ")
    assert list(state) == list(given)
    for name in state:
        if "bias" in name:  # the sum of both is what counts
            both = [name.replace("_ih", f"_{kind}").replace("_hh", f"_{kind}") for kind in ("ih", "hh")]
            np.testing.assert_allclose(sum(state[n] for n in both), sum(given[n] for n in both), rtol=1e-15)
        else:
            np.testing.assert_array_equal(state[name], given[name])
    other = loaded(recordings, case)
    other.zero_grad_parameters()
    for parameter in other.parameters()[0]:
        parameter.fill(0)
    load_torch_state(other, state)
    for found, expected in zip(other.parameters()[0], module.parameters()[0], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_does_not_fit_is_refused_and_changes_nothing():
    gru = nr.StackedGRU(4, 6, num_layers=2)
    before = gru.state_dict()
    good = torch_state(nr.StackedGRU(4, 6, num_layers=2))
    wrong = {
        "missing": {name: array for name, array in good.items() if name != "bias_hh_l1"},
        "another": good | {"weight_hr_l0": np.zeros((2, 6))},
        "a shape": good | {"weight_hh_l1": np.zeros((18, 5))},
    }
    names = ["bias_hh_l1", "weight_hr_l0", "weight_hh_l1"]
    for state, name in zip(wrong.values(), names, strict=True):
        with pytest.raises(ValueError, match=rf"StackedGRU\(.*\): got the shapes {{'{name}': .*; expects {{'{name}'"):
            load_torch_state(gru, state)
    for name, array in gru.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    with pytest.raises(TypeError, match=r"got LSTM.*; expects StackedLSTM, StackedGRU, StackedRNN, PlainLSTM"):
        torch_state(nr.LSTM(4, 6))
