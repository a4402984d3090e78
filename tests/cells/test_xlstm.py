"""The two memories of the xLSTM: what their stabilisers do not change, and what they refuse."""

import numpy as np
import pytest

import numrnn as nr
from tests import naive


def test_the_stabiliser_cancels_out():
    """The same memory, scaled by another power of e, gives the same outputs."""
    rng = np.random.default_rng(0)
    cell = nr.SLSTM(3, 5).astype("float64")
    x = rng.normal(size=(4, 2, 3))
    h, c, n, m = rng.uniform(0.1, 1, (4, 2, 5))
    outputs = []
    for shift in (0.0, 3.0, -40.0):
        cell.forget()
        cell.set_hidden_state(0, [h, c * np.exp(-shift), n * np.exp(-shift), m + shift])
        outputs.append(cell.forward_sequence(x))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-12)
    np.testing.assert_allclose(outputs[2], outputs[0], rtol=1e-12)


def test_the_first_step_is_stable_whatever_the_gates():
    """An empty memory has nothing to forget: the output is that of the candidate, even for a tiny input gate."""
    cell = nr.SLSTM(1, 2)
    for name in ("gates_weight_x", "gates_weight_h"):
        setattr(cell, name, np.zeros_like(getattr(cell, name)))
    cell.gates_bias = np.array([0.5, 0.5, -1000, 1000, 3, 3, 0, 0], "float32")  # candidate, input, forget, output
    np.testing.assert_allclose(cell(np.zeros((1, 1), "float32")), np.tanh(0.5) * 0.5 * np.ones((1, 2)), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 4}, "SLSTM: got 4 heads; expects a number that divides hidden_size = 6"),
        ({"heads": 0}, "SLSTM: got heads = 0; expects a whole number >= 1"),
        (
            {"input_heads": 3},
            "got 3 input_heads; expects a number that divides input_size = 4 and hidden_size",
        ),
        ({"forget": "tanh"}, "SLSTM: got forget = 'tanh'; expects 'sigmoid' or 'exponential'"),
    ],
)
def test_complaints(arguments, message):
    with pytest.raises(ValueError, match=message):
        nr.SLSTM(4, 6, **arguments)


# ---- matrices ------------------------------------------------------------------------------------------------------


def in_parallel(p, x):
    """Return the outputs of an mLSTM as its paper's parallel form gives them, from products of all steps with all."""
    q, k, v, o, i, f = (np.moveaxis(a, 0, 2) for a in naive.mlstm_maps(p, x))  # (batch, heads, time, ...)
    kept = np.cumsum(np.log(naive.sigmoid(f)), -1)
    logarithms = kept[..., :, np.newaxis] - kept[..., np.newaxis, :] + i[..., np.newaxis, :]
    logarithms = np.where(np.tri(len(x), dtype=bool), logarithms, -np.inf)
    largest = logarithms.max(-1, keepdims=True)
    scores = np.einsum("bhtk,bhsk->bhts", q, k) * np.exp(logarithms - largest)
    scores /= np.maximum(np.abs(scores.sum(-1, keepdims=True)), np.exp(-largest))
    outputs = naive.sigmoid(o) * np.einsum("bhts,bhsv->bhtv", scores, v)
    return np.moveaxis(outputs, 2, 0).reshape(*x.shape[:2], -1)


@pytest.mark.parametrize("scale", [1, 10])
@pytest.mark.parametrize(("heads", "keys"), [(1, 6), (2, 6), (3, 3), (6, 12)])
def test_an_mlstm_is_its_parallel_form(heads, keys, scale):
    cell = nr.MLSTM(5, 6, heads, keys, rng=0).astype("float64")
    x = scale * np.random.default_rng(0).normal(size=(40, 3, 5))
    expected = in_parallel(cell.state_dict(), x)
    np.testing.assert_allclose(nr.Sequencer(cell)(x), expected, rtol=1e-10, atol=1e-13)


def test_the_stabiliser_of_the_matrices_cancels_out():
    rng = np.random.default_rng(0)
    cell = nr.MLSTM(3, 4, heads=2).astype("float64")
    x = rng.normal(size=(4, 2, 3))
    h, c, n, m = (rng.uniform(0.1, 1, (2, width)) for width in cell.state_widths())
    outputs = []
    for shift in (0.0, 3.0, -40.0):
        cell.forget()
        cell.set_hidden_state(0, [h, c * np.exp(-shift), n * np.exp(-shift), m + shift])
        outputs.append(cell.forward_sequence(x))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-12)
    np.testing.assert_allclose(outputs[2], outputs[0], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("forget", [-300.0, 300.0])
@pytest.mark.parametrize("write", [-300.0, 300.0])
def test_gates_may_be_as_wide_open_or_shut_as_they_like(write, forget, dtype):
    cell = nr.MLSTM(3, 4, heads=2, rng=0).astype(dtype)
    cell.gates_bias = np.array([write, write, forget, forget], dtype)
    x = np.random.default_rng(0).normal(size=(30, 2, 3)).astype(dtype)
    output = cell.forward_sequence(x)
    grad_x = cell.backward_sequence(x, np.ones_like(output))
    for array in (output, grad_x, *cell.parameters()[1], *cell.get_hidden_state(), *cell.get_grad_hidden_state(0)):
        assert np.isfinite(array).all()
    assert (np.abs(output).max() > 1e-30) == (write > 0)


def test_an_exponential_forget_gate_is_the_exponential_of_what_a_sigmoid_gate_is_the_sigmoid_of():
    x = np.random.default_rng(0).normal(size=(5, 2, 3))
    outputs = []
    for forget, bias in (("sigmoid", 0.7), ("exponential", np.log(naive.sigmoid(0.7)))):
        cell = nr.MLSTM(3, 4, heads=2, forget=forget, rng=0).astype("float64")
        cell.gates_weight_x[2:], cell.gates_bias[2:] = 0, bias
        outputs.append(cell.forward_sequence(x))
    np.testing.assert_allclose(*outputs, rtol=1e-13)


def test_matrices_are_kept_once():
    cell = nr.MLSTM(3, 8, heads=2, rng=0)
    x = np.ones((7, 2, 3), "float32")
    cell.backward_sequence(x, cell.forward_sequence(x))
    tape, _ = cell._records[0]
    arrays = (*tape.pre, *tape.states, *tape.kept, *tape.grad_pre, *tape.grad_states, *tape.grad_vectors)
    assert sorted(array.shape for array in arrays if array.shape[2] > 16) == [(2, 2, 32), (8, 2, 32)]


def test_gradients_of_the_matrices_are_there_for_every_step_that_was_stepped_back():
    cell = nr.MLSTM(3, 4, heads=2, rng=0).astype("float64")
    x = np.random.default_rng(0).normal(size=(4, 2, 3))
    for x_t in x:
        cell.forward(x_t)
    seen = []
    for x_t in x[::-1]:
        cell.backward(x_t, np.ones((2, 4)))
        seen.append([gradient.copy() for gradient in cell.get_grad_hidden_state(cell.step - 1 - cell._gone_back)])
    again = [cell.get_grad_hidden_state(step) for step in (3, 2, 1, 0)]
    for before, after in zip(seen, again, strict=True):
        for gradient, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(gradient, other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heads": 4}, "MLSTM: got 4 heads; expects a number that divides hidden_size = 6"),
        ({"heads": 2, "key_size": 3}, "MLSTM: got 2 heads; expects a number that divides key_size = 3"),
        ({"heads": 0}, "MLSTM: got heads = 0; expects a whole number >= 1"),
        ({"forget": "tanh"}, "MLSTM: got forget = 'tanh'; expects 'sigmoid' or 'exponential'"),
        ({"key_size": 1.5}, "MLSTM: got key_size = 1.5; expects a whole number >= 1"),
    ],
)
def test_complaints_of_the_mlstm(arguments, message):
    with pytest.raises(ValueError, match=message):
        nr.MLSTM(4, 6, **arguments)
