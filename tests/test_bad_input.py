"""Wrong calls on public entry points: the error's kind and text, and that nothing has changed afterwards."""

import numpy as np
import pytest

import numrnn as nr
from numrnn.equations import linear, peephole, tanh

X = np.ones((3, 4), "float32")
SEQUENCE = np.ones((5, 3, 4), "float32")


def stepped(cell):
    """Return a module that has made two steps."""
    for _ in range(2):
        cell.forward(X)
    return cell


def run(module):
    module.forward(SEQUENCE)
    return module


def model():
    return nr.Sequential(nr.LSTM(4, 6), nr.Linear(5, 2))


G = np.ones((3, 6), "float32")

# what is wrong: (a module in some state, the call, the error, a part of its text)
CALLS = {
    "Linear, another number of features": (
        lambda: nr.Linear(5, 2),
        lambda m: m.forward(X),
        ValueError,
        r"Linear\(5 -> 2\).*\(3, 4\).*\(\.\.\., 5\)",
    ),
    "Linear, float64 into float32": (
        lambda: nr.Linear(4, 2),
        lambda m: m.forward(X.astype(float)),
        TypeError,
        "float64.*float32",
    ),
    "Linear, a list of numbers": (lambda: nr.Linear(4, 2), lambda m: m.forward([1.0, 2.0]), TypeError, "table of 2"),
    "Linear, backward of another shape": (
        lambda: run(nr.Linear(4, 2)),
        lambda m: m.backward(SEQUENCE, G),
        ValueError,
        "grad_output like the last output",
    ),
    "Linear, backward of another type": (
        lambda: run(nr.Linear(4, 2)),
        lambda m: m.backward(SEQUENCE, np.ones((5, 3, 2))),
        TypeError,
        "float64",
    ),
    "Linear, backward of another input": (
        lambda: run(nr.Linear(4, 2)),
        lambda m: m.backward(X, np.ones((5, 3, 2), "f4")),
        ValueError,
        "input of the last forward",
    ),
    "backward before forward": (
        lambda: nr.Linear(4, 2),
        lambda m: m.backward(X, X),
        RuntimeError,
        "before any forward",
    ),
    "weight of another shape": (
        lambda: nr.Linear(4, 2),
        lambda m: setattr(m, "weight", np.ones((4, 2))),
        ValueError,
        r"weight of shape \(4, 2\)",
    ),
    "astype of integers": (lambda: nr.Linear(4, 2), lambda m: m.astype("int32"), TypeError, "float32 or float64"),
    "state without a name": (
        lambda: nr.Linear(4, 2),
        lambda m: m.load_state_dict({"weight": np.ones((2, 4))}),
        ValueError,
        "bias",
    ),
    "state of another shape": (
        lambda: nr.Linear(4, 2),
        lambda m: m.load_state_dict({"weight": np.ones((2, 4)), "bias": np.ones(3)}),
        ValueError,
        "bias of shape",
    ),
    "LookupTable, index too large": (
        lambda: nr.LookupTable(9, 4),
        lambda m: m.forward(np.array([0, 9])),
        IndexError,
        "index 9.*0 to 8",
    ),
    "LookupTable, negative index": (
        lambda: nr.LookupTable(9, 4),
        lambda m: m.forward(np.array([-1])),
        IndexError,
        "index -1",
    ),
    "LookupTable, floats": (lambda: nr.LookupTable(9, 4), lambda m: m.forward(X), TypeError, "integers"),
    "CAddTable, unequal shapes": (lambda: nr.CAddTable(), lambda m: m.forward([X, G]), ValueError, "CAddTable"),
    "CAddTable, no table": (lambda: nr.CAddTable(), lambda m: m.forward(X), TypeError, "table"),
    "SelectTable, beyond the end": (
        lambda: nr.SelectTable(3),
        lambda m: m.forward([X, X]),
        (IndexError, ValueError),
        "SelectTable",
    ),
    "ParallelTable, too few elements": (
        lambda: nr.ParallelTable(nr.Tanh(), nr.Tanh()),
        lambda m: m.forward([X]),
        ValueError,
        "a table of 2",
    ),
    "Sequential, second module refuses": (lambda: model(), lambda m: m.forward(X), ValueError, r"Linear\(5 -> 2\)"),
    "LSTM, another number of features": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.forward(G),
        ValueError,
        r"LSTM\(4 -> 6\).*\(3, 6\).*batch, 4",
    ),
    "LSTM, float64 into float32": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.forward(X.astype(float)),
        TypeError,
        "astype",
    ),
    "LSTM, no array": (lambda: stepped(nr.LSTM(4, 6)), lambda m: m.forward([X]), TypeError, "an array"),
    "LSTM, another batch in mid-sequence": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.forward(X[:2]),
        ValueError,
        r"\(2,\).*forget\(\)",
    ),
    "GRU, too many backward calls": (
        lambda: back(stepped(nr.GRU(4, 6)), 2),
        lambda m: m.backward(X, G),
        RuntimeError,
        "0 left",
    ),
    "GRU, beyond rho": (
        lambda: back(nr_steps(nr.GRU(4, 6, rho=1), 4), 2),
        lambda m: m.backward(X, G),
        RuntimeError,
        "rho",
    ),
    "GRU, backward in evaluate mode": (
        lambda: stepped(nr.GRU(4, 6).evaluate()),
        lambda m: m.backward(X, G),
        RuntimeError,
        "evaluate",
    ),
    "LSTM, row out of the batch": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.forget(rows=[3]),
        IndexError,
        "batch of 3",
    ),
    "LSTM, rows that are no numbers": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.forget(rows=[True, False, True]),
        TypeError,
        "row numbers",
    ),
    "LSTM, state of a forgotten step": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.get_hidden_state(7),
        IndexError,
        "step 7",
    ),
    "LSTM, setting an old state": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.set_hidden_state(1, [G, G]),
        IndexError,
        "newest step",
    ),
    "LSTM, a state of another shape": (
        lambda: stepped(nr.LSTM(4, 6)),
        lambda m: m.set_hidden_state(2, [X, X]),
        ValueError,
        "hidden state",
    ),
    "Recurrent, another batch": (
        lambda: stepped(nr.Recurrent(6, nr.Linear(4, 6), nr.Linear(6, 6))),
        lambda m: m.forward(X[:2]),
        ValueError,
        "forget",
    ),
    "Recurrent, a start state": (
        lambda: nr.Recurrent(6, nr.Linear(4, 6), nr.Linear(6, 6)),
        lambda m: m.set_hidden_state(0, G),
        ValueError,
        "start module",
    ),
    "Sequencer, empty table": (
        lambda: nr.Sequencer(nr.LSTM(4, 6)),
        lambda m: m.forward([]),
        ValueError,
        "at least one step",
    ),
    "Sequencer, unequal steps": (
        lambda: run(nr.Sequencer(nr.LSTM(4, 6))),
        lambda m: m.forward([X, X[:2]]),
        ValueError,
        "step 1",
    ),
    "Sequencer, tables of unequal length": (
        lambda: run_table(nr.Sequencer(nr.LSTM(4, 6))),
        lambda m: m.backward([X, X], [G]),
        ValueError,
        "2 inputs and 1 gradients",
    ),
    "Sequencer, second backward": (
        lambda: back_sequence(run(nr.Sequencer(nr.LSTM(4, 6)))),
        lambda m: m.backward(SEQUENCE, np.ones((5, 3, 6), "f4")),
        RuntimeError,
        "second backward",
    ),
    "Sequencer, unknown mode": (
        lambda: nr.Sequencer(nr.LSTM(4, 6)),
        lambda m: m.remember("always"),
        ValueError,
        "always",
    ),
    "Sequencer, a part refuses": (
        lambda: nr.Sequencer(model()),
        lambda m: m.forward(SEQUENCE),
        ValueError,
        r"Linear\(5 -> 2\)",
    ),
    "Graph, another number of inputs": (lambda: two_inputs(), lambda m: m.forward([X]), ValueError, "table of 2"),
    "clipping to nothing": (
        lambda: nr.Linear(4, 2),
        lambda m: nr.optim.clip_grad_norm(m, 0),
        ValueError,
        "clip_grad_norm",
    ),
}


def back(cell, steps):
    for _ in range(steps):
        cell.backward(X, G)
    return cell


def nr_steps(cell, steps):
    for _ in range(steps):
        cell.forward(X)
    return cell


def run_table(module):
    module.forward([X, X])
    return module


def back_sequence(module):
    module.backward(SEQUENCE, np.ones((5, 3, 6), "float32"))
    return module


def two_inputs():
    a, b = nr.Input("a"), nr.Input("b")
    return nr.Graph([a, b], nr.CAddTable()([a, b]))


def condition(module):
    """Return all that a call could have changed, as comparable text."""
    weights, gradients = module.parameters()
    recurrent = [m for m in module.modules() if isinstance(m, nr.AbstractRecurrent)]
    states = [(m.step, len(m._records), m._gone_back, str(m.get_hidden_state())) for m in recurrent]
    return [a.tobytes() for a in (*weights, *gradients)], states, str(module._seen), module.dtype, module.is_training


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_refused_and_changes_nothing(name):
    make, call, error, text = CALLS[name]
    module = make()
    before = condition(module)
    with pytest.raises(error, match=text) as raised:
        call(module)
    assert ": got " in str(raised.value)
    assert "; expects " in str(raised.value)
    assert condition(module) == before


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: nr.Linear(0, 2), ValueError, "Linear.*sizes"),
        (lambda: nr.LSTM(4, -1), ValueError, "hidden_size = -1"),
        (lambda: nr.LSTM(4.5), ValueError, "input_size = 4.5"),
        (lambda: nr.GRU(4, 6, rho=0), ValueError, "rho = 0"),
        (lambda: nr.RNN(4, 6, nonlinearity="sine"), ValueError, "sine"),
        (lambda: nr.Dropout(1.5), ValueError, "Dropout"),
        (lambda: nr.Sequential(nr.Tanh), TypeError, "a Module"),
        (lambda: nr.Sequencer("LSTM"), TypeError, "a Module"),
        (lambda: nr.seed(-1), ValueError, "seed"),
        (lambda: nr.Linear(4, 2, rng="x"), TypeError, "Generator"),
        (lambda: nr.optim.SGD(nr.Linear(4, 2), learning_rate=-1), ValueError, "learning_rate"),
        (lambda: nr.ClassNLLCriterion().forward(X, np.array([0, 1, 4])), IndexError, "4"),
        (lambda: nr.MSECriterion().forward(X, G), ValueError, "MSECriterion"),
        (lambda: nr.SequencerCriterion(nr.MSECriterion()).forward([X, X], [X]), ValueError, "2.*1"),
        (lambda: nr.Graph(nr.Input("a"), nr.Tanh()(nr.Input("b"))), ValueError, "'b'"),
    ],
)
def test_a_wrong_construction_or_criterion_call_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def cell(equations, states=("h",)):
    return type("Odd", (nr.Cell,), {"states": states, "equations": equations})


@pytest.mark.parametrize(
    ("equations", "states", "error", "text"),
    [
        (lambda self, x, h: h, ("h", "c"), TypeError, "positional"),
        (lambda self, x, h: (h, h), ("h",), ValueError, "2 value"),
        (lambda self, x, h: 1.0, ("h",), ValueError, "a symbol"),
        (lambda self, x, h: tanh(x + h), ("h",), ValueError, "as many channels"),
        (lambda self, x, h: linear("a", x) + linear("a", h), ("h",), ValueError, "a name of its own"),
        (lambda self, x, h: peephole("a", h) + peephole("a", h), ("h",), ValueError, "a name of its own"),
        (lambda self, x, h: linear("a", x, size="wide"), ("h",), ValueError, "wide"),
        (lambda self, x, h: h if h else x, ("h",), TypeError, "condition"),
        (lambda self, x, h: h * np.ones(6), ("h",), TypeError, "finite numbers"),
    ],
)
def test_equations_that_make_no_sense_are_refused_when_the_cell_is_made(equations, states, error, text):
    with pytest.raises(error, match=text):
        cell(equations, states)(4, 6)
