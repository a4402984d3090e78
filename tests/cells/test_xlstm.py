"""The sLSTM: what its stabiliser does not change, and what it refuses."""

import numpy as np
import pytest

import numrnn as nr


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
