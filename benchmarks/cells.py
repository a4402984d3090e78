"""Cells for the board: one that computes what the peers' GRU does, three that no framework has, one made of modules."""

from __future__ import annotations

import numpy as np

import numrnn as nr
from benchmarks.data import Layer
from numrnn.equations import linear, peephole, sigmoid, sqrt, tanh


class ResetAfterGRU(nr.Cell):
    """The GRU of PyTorch, ONNX and JAX: the reset gate comes after the product with the state."""

    states = ("h",)

    def equations(self, x, h):
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x) + sigmoid(r) * linear("recurrent", h))
        z = sigmoid(z)
        return (1 - z) * n + z * h


class OnePhase(nr.Cell):
    """A cell as large as an LSTM, whose input and forget gates are coupled, with a soft sign at the output."""

    states = ("h", "c")

    def equations(self, x, h, c):
        i, z, f, o = linear("gates", x, h, parts=4)
        f = sigmoid(f)
        c = f * c + (1 - f) * sigmoid(i) * tanh(z)
        return sigmoid(o) * c / (1 + abs(c)), c


class TwoPhases(nr.Cell):
    """A cell as large as a GRU, which adds to the old state rather than mixing."""

    states = ("h",)

    def equations(self, x, h):
        r, z = linear("gates", x, h, parts=2)
        n = tanh(linear("candidate", x, tanh(r) * h))
        z = sigmoid(z)
        return h + z * z * (n - h)


class Peepholes(nr.Cell):
    """A cell as large as an LSTM with peepholes, with an algebraic function in the place of the second tanh."""

    states = ("h", "c")

    def equations(self, x, h, c):
        i, z, f, o = linear("gates", x, h, parts=4)
        i, f = sigmoid(i + peephole("input", c)), sigmoid(f + peephole("forget", c))
        c = f * c + i * tanh(z)
        o = sigmoid(o + peephole("output", c))
        return o * c / sqrt(1 + c * c), c


class LSTMOfModules(nr.Recurrence):
    """A FastLSTM that is written out of modules. Only h is given out."""

    def __init__(self, hidden: int, rng: int) -> None:
        nr.seed(rng)
        x, state = nr.Input("x"), nr.Input("state")
        h, c = nr.SelectTable(0)(state), nr.SelectTable(1)(state)
        gates = nr.CAddTable()([nr.Linear(hidden, 4 * hidden)(x), nr.LinearNoBias(hidden, 4 * hidden)(h)])
        i, z, f, o = (nr.Narrow(-1, k * hidden, hidden)(gates) for k in range(4))
        i, z, f, o = nr.Sigmoid()(i), nr.Tanh()(z), nr.Sigmoid()(f), nr.Sigmoid()(o)
        c = nr.CAddTable()([nr.CMulTable()([f, c]), nr.CMulTable()([i, z])])
        h = nr.CMulTable()([o, nr.Tanh()(c)])
        super().__init__(nr.Graph([x, state], [h, c]), [[hidden], [hidden]], 1)

    def output_of(self, state: list[np.ndarray]) -> np.ndarray:
        """Return h."""
        return np.array(state[0])

    def gradient_of(self, state: list[np.ndarray], grad_output: np.ndarray) -> list[np.ndarray]:
        """Return the gradients of h and c."""
        return [grad_output, np.zeros_like(state[1])]


def with_weights(kind: str, weights: Layer) -> nr.Cell:
    """Return the cell that computes what PyTorch's does with these weights."""
    hidden = weights.weight_h.shape[1]
    bias = weights.bias_x + weights.bias_h
    if kind == "GRU":
        cell, gates = ResetAfterGRU(hidden, hidden), 2 * hidden
        cell.gates_weight_x, cell.candidate_weight_x = np.split(weights.weight_x, [gates])
        cell.gates_weight_h, cell.recurrent_weight_h = np.split(weights.weight_h, [gates])
        cell.gates_bias, cell.candidate_bias, cell.recurrent_bias = (
            bias[:gates],
            weights.bias_x[gates:],
            weights.bias_h[gates:],
        )
    elif kind == "LSTM":
        cell = nr.FastLSTM(hidden, hidden)
        cell.gates_weight_x, cell.gates_weight_h = _swapped(weights.weight_x), _swapped(weights.weight_h)
        cell.gates_bias = _swapped(bias)
    else:
        cell = nr.RNN(hidden, hidden)
        cell.hidden_weight_x, cell.hidden_weight_h, cell.hidden_bias = weights.weight_x, weights.weight_h, bias
    return cell


def gradients(cell: nr.Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of the four arrays of a `Layer`."""
    if isinstance(cell, ResetAfterGRU):
        x = np.concatenate([cell.grad_gates_weight_x, cell.grad_candidate_weight_x])
        h = np.concatenate([cell.grad_gates_weight_h, cell.grad_recurrent_weight_h])
        biases = (
            np.concatenate([cell.grad_gates_bias, last])
            for last in (cell.grad_candidate_bias, cell.grad_recurrent_bias)
        )
        return x, h, *biases
    if isinstance(cell, nr.FastLSTM):
        bias = _swapped(cell.grad_gates_bias)
        return _swapped(cell.grad_gates_weight_x), _swapped(cell.grad_gates_weight_h), bias, bias
    return cell.grad_hidden_weight_x, cell.grad_hidden_weight_h, cell.grad_hidden_bias, cell.grad_hidden_bias


def _swapped(array: np.ndarray) -> np.ndarray:
    """Turn PyTorch's order of gates (input, forget, candidate, output) into FastLSTM's, or back."""
    i, f, z, o = np.split(array, 4)
    return np.concatenate([i, z, f, o])
