"""What does not fit is refused by name, and everything stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import numrnn as nr
from numrnn.equations import linear, peephole, sigmoid, tanh
from numrnn.table import copy_table, leaves, map_table

# ---- calls of modules in the middle of their work ----------------------------------------------------------------

X = np.random.default_rng(0).normal(size=(6, 2, 3))  # (time, batch, features)
WORDS = np.random.default_rng(1).integers(0, 9, (6, 2))


def wide(*shape: int) -> np.ndarray:
    return np.zeros(shape)


@dataclass(frozen=True)
class Worker:
    """A module that has made two calls, and has gone back through some of them."""

    make: Callable[[], nr.Module]
    input: Callable[[int], Any]  # of the k-th call
    gone_back: int = 0


def sentences(k: int) -> np.ndarray:
    return X[k : k + 3]


WORKERS: dict[str, Worker] = {
    "Linear": Worker(lambda: nr.Linear(3, 4), lambda k: X[k]),
    "LookupTable": Worker(lambda: nr.LookupTable(9, 4), lambda k: WORDS[k]),
    "LogSoftMax": Worker(lambda: nr.LogSoftMax(), lambda k: X[k]),
    "CAddTable": Worker(lambda: nr.CAddTable(), lambda k: [X[k], X[0]]),
    "JoinTable": Worker(lambda: nr.JoinTable(), lambda k: [X[k], X[0]]),
    "SelectTable": Worker(lambda: nr.SelectTable(1), lambda k: [X[k], X[0]]),
    "Sequential": Worker(lambda: nr.Sequential(nr.Dropout(0.5), nr.GRU(3, 4), nr.Linear(4, 2)), lambda k: X[k], 1),
    "ParallelTable": Worker(
        lambda: nr.ParallelTable(nr.LSTM(3, 4), nr.Sequential(nr.Dropout(0.5), nr.Linear(3, 2))),
        lambda k: [X[k], X[0]],
        1,
    ),
    "LSTM": Worker(lambda: nr.LSTM(3, 4), lambda k: X[k], 1),
    "LSTM at the start": Worker(lambda: nr.LSTM(3, 4), lambda k: X[k], 2),
    "GRU": Worker(lambda: nr.GRU(3, 4), lambda k: X[k], 1),
    "GRU, evaluating": Worker(lambda: nr.GRU(3, 4).evaluate(), lambda k: X[k]),
    "Recurrent": Worker(lambda: nr.Recurrent(4, nr.Linear(3, 4), nr.Linear(4, 4)), lambda k: X[k], 1),
    "Recurrent at the start": Worker(lambda: nr.Recurrent(4, nr.Linear(3, 4), nr.Linear(4, 4)), lambda k: X[k], 2),
    "Recursor": Worker(lambda: nr.Recursor(nr.Sequential(nr.LSTM(3, 4), nr.Linear(4, 2))), lambda k: X[k], 1),
    "Recursor of two": Worker(lambda: nr.Recursor(nr.Sequential(nr.LSTM(3, 4), nr.GRU(4, 2))), lambda k: X[k], 1),
    "mixing rows": Worker(
        lambda: nr.Sequential(nr.LSTM(3, 4), nr.Recurrent(4, nr.GRU(4, 4), nr.Linear(4, 4))), lambda k: X[k], 1
    ),
    "Sequencer": Worker(lambda: nr.Sequencer(nr.Sequential(nr.GRU(3, 4), nr.Linear(4, 2))), sentences),
    "Sequencer at the start": Worker(lambda: nr.Sequencer(nr.Linear(3, 4)), sentences, 1),
    "Sequencer, remembering": Worker(lambda: nr.Sequencer(nr.LSTM(3, 4)).remember(), lambda k: list(sentences(k))),
    "Sequencer, evaluating": Worker(lambda: nr.Sequencer(nr.GRU(3, 4)).evaluate(), sentences),
    "Sequencer of tables": Worker(
        lambda: nr.Sequencer(
            nr.ParallelTable(nr.Recurrent(4, nr.Linear(3, 4), nr.Linear(4, 4)), nr.Linear(3, 2))
        ).remember(),
        lambda k: [[X[k], X[0]], [X[0], X[k]]],
    ),
    "Graph": Worker(lambda: graph(), lambda k: [X[k], X[0]], 1),
}


def graph() -> nr.Graph:
    x, y = nr.Input("x"), nr.Input("y")
    return nr.Graph([x, y], nr.CAddTable()([nr.GRU(3, 4)(nr.Dropout(0.5)(x)), nr.Linear(3, 4)(y)]))


# name of the worker, the wrong call, the error, what it says after "got ...; expects ..."
CALLS: list[tuple[str, Callable[[Any], Any], type[Exception], str]] = [
    # forward
    ("Linear", lambda m: m.forward(wide(2, 4)), ValueError, r"shape \(2, 4\); expects shape \(\.\.\., 3\)"),
    ("Linear", lambda m: m.forward(wide(2, 3).astype("float32")), TypeError, r"float32 .*; expects .*float64"),
    ("Linear", lambda m: m.forward(WORDS), TypeError, r"int64 .*; expects one float32 or float64 array"),
    ("Linear", lambda m: m.forward([X[0]]), TypeError, r"table of 1 .*; expects one float32 or float64 array"),
    ("Linear", lambda m: m.forward(None), TypeError, r"got None; expects"),
    ("Linear", lambda m: m.forward("text"), TypeError, r"got 'text'; expects"),
    ("Linear", lambda m: m.forward(np.array(1.0)), ValueError, r"shape \(\); expects shape"),
    ("Linear", lambda m: m.forward_sequence(wide(2, 2, 5)), ValueError, r"expects shape \(\.\.\., 3\)"),
    ("LookupTable", lambda m: m.forward(X[0]), TypeError, r"float64 .*; expects one array of integers"),
    ("LookupTable", lambda m: m.forward(np.array([0, 9])), IndexError, r"index 9; expects integers from 0 to 8"),
    ("LookupTable", lambda m: m.forward(np.array([0, -1])), IndexError, r"index -1; expects integers from 0 to 8"),
    ("LogSoftMax", lambda m: m.forward(wide(2, 0)), ValueError, r"expects .* at least one class"),
    ("CAddTable", lambda m: m.forward([wide(2, 3), wide(2, 4)]), ValueError, r"expects arrays of one shape"),
    ("CAddTable", lambda m: m.forward([]), ValueError, r"an empty table; expects at least one"),
    ("CAddTable", lambda m: m.forward(X[0]), TypeError, r"expects a table"),
    (
        "JoinTable",
        lambda m: m.forward([wide(2, 3), wide(3, 3)]),
        ValueError,
        r"expects shapes that differ along axis -1",
    ),
    ("SelectTable", lambda m: m.forward([X[0]]), ValueError, r"table of 1 .*; expects a table that has an element 1"),
    ("Sequential", lambda m: m.forward(wide(2, 4)), ValueError, r"GRU\(3 -> 4\): .*; expects one step: shape"),
    (
        "Sequential",
        lambda m: m.forward(wide(3, 3)),
        ValueError,
        r"GRU\(3 -> 4\): got a batch of shape \(3,\) in the mi",
    ),
    ("ParallelTable", lambda m: m.forward([X[0]]), ValueError, r"table of 1 .*; expects a table of 2 elements"),
    ("ParallelTable", lambda m: m.forward([X[0], wide(2, 4)]), ValueError, r"Linear\(3 -> 2\): .* expects shape"),
    ("LSTM", lambda m: m.forward(wide(2, 4)), ValueError, r"\(2, 4\); expects one step: shape \(batch, 3\) or \(3,\)"),
    ("LSTM", lambda m: m.forward(wide(1, 2, 3)), ValueError, r"\(1, 2, 3\); expects one step"),
    ("LSTM", lambda m: m.forward(wide(2, 3).astype("float32")), TypeError, r"float32 .*; expects float64: one step"),
    ("LSTM", lambda m: m.forward(list(X[0])), TypeError, r"table of 2 .*; expects an array"),
    ("LSTM", lambda m: m.forward(wide(3, 3)), ValueError, r"a batch of shape \(3,\) .*expects \(2,\), as in the steps"),
    ("LSTM", lambda m: m.forward(wide(3)), ValueError, r"a batch of shape \(\) in the middle .*expects \(2,\)"),
    ("LSTM", lambda m: m.forward_sequence(wide(0, 2, 3)), ValueError, r"\(0, 2, 3\); expects at least one step"),
    ("LSTM", lambda m: m.forward_sequence(wide(2, 1, 3)), ValueError, r"a batch of shape \(1,\) .*expects \(2,\)"),
    ("GRU, evaluating", lambda m: m.forward(wide(3, 3)), ValueError, r"a batch of shape \(3,\) .*expects \(2,\)"),
    ("Recurrent", lambda m: m.forward(wide(3, 3)), ValueError, r"\(3, 3\) in the middle of a sequence; expects"),
    ("Recursor", lambda m: m.forward(wide(3)), ValueError, r"\(3,\) in the middle of a sequence; expects"),
    ("Sequencer", lambda m: m.forward([]), ValueError, r"an empty table; expects at least one step"),
    (
        "Sequencer",
        lambda m: m.forward(wide(0, 2, 3)),
        ValueError,
        r"\(0, 2, 3\); expects an array \(time, \.\.\.\) of at",
    ),
    ("Sequencer", lambda m: m.forward(np.array(0.0)), ValueError, r"shape \(\); expects an array \(time, \.\.\.\)"),
    ("Sequencer", lambda m: m.forward(None), TypeError, r"got None; expects NumPy arrays"),
    ("Sequencer", lambda m: m.forward([X[0], X[0, :1]]), ValueError, r"at step 1 after .*; expects steps of one shape"),
    ("Sequencer", lambda m: m.forward([X[0], X[0].astype("f4")]), ValueError, r"at step 1 .*; expects .*element type"),
    ("Sequencer", lambda m: m.forward(wide(4, 2, 5)), ValueError, r"GRU\(3 -> 4\): .*; expects a sequence: shape"),
    (
        "Sequencer, remembering",
        lambda m: m.forward(wide(3, 5, 3)),
        ValueError,
        r"LSTM\(3 -> 4\): got a batch of shape \(5,",
    ),
    (
        "Sequencer of tables",
        lambda m: m.forward([[X[0], wide(2, 4)]] * 2),
        ValueError,
        r"Linear\(3 -> 2\): got .*expects",
    ),
    ("Graph", lambda m: m.forward([X[0]]), ValueError, r"table of 1 .*; expects a table of 2 inputs"),
    ("Graph", lambda m: m.forward([X[0], wide(2, 4)]), ValueError, r"Linear\(3 -> 4\): got .*; expects shape"),
    # backward
    ("Linear", lambda m: m.backward(X[1], wide(2, 5)), ValueError, r"shape \(2, 5\); expects a grad_output like"),
    (
        "Linear",
        lambda m: m.backward(X[1], wide(2, 4).astype("f4")),
        TypeError,
        r"float32 .*; expects a grad_output like",
    ),
    ("Linear", lambda m: m.backward(wide(1, 3), wide(2, 4)), ValueError, r"expects in backward the input of the last"),
    ("Linear", lambda m: m.backward(X[1], None), ValueError, r"got None; expects a grad_output like"),
    ("LSTM", lambda m: m.backward(X[0], wide(2, 3)), ValueError, r"\(2, 3\); expects a grad_output like"),
    (
        "LSTM at the start",
        lambda m: m.backward(X[0], wide(2, 4)),
        RuntimeError,
        r"1 more step\(s\) with 0 left; expects at most one backward for every",
    ),
    (
        "GRU, evaluating",
        lambda m: m.backward(X[1], wide(2, 4)),
        RuntimeError,
        r"backward in evaluate mode; expects train",
    ),
    (
        "Recurrent at the start",
        lambda m: m.backward(X[0], wide(2, 4)),
        RuntimeError,
        r"with 0 left; expects at most one backward for every forward",
    ),
    ("Recursor", lambda m: m.backward(X[0], wide(2, 4)), ValueError, r"\(2, 4\); expects a grad_output like"),
    (
        "Sequencer at the start",
        lambda m: m.backward(X[1:4], wide(3, 2, 4)),
        RuntimeError,
        r"a second backward; expects one backward for every forward",
    ),
    (
        "Sequencer, remembering",
        lambda m: m.backward(list(X[1:4]), [wide(2, 4)] * 2),
        ValueError,
        r"tables of 3 .* and 2 g",
    ),
    ("Sequencer", lambda m: m.backward(X[1:4], [wide(2, 2)] * 3), ValueError, r"expects a grad_output like the last"),
    (
        "Sequencer, evaluating",
        lambda m: m.backward(X[1:4], wide(3, 2, 4)),
        RuntimeError,
        r"evaluate mode; expects training",
    ),
    # states
    ("GRU", lambda m: m.forget(rows=[2]), IndexError, r"rows \[2\]; expects rows of a batch of 2"),
    ("GRU", lambda m: m.forget(rows=[0, -1]), IndexError, r"rows \[0, -1\]; expects rows of a batch of 2"),
    ("GRU", lambda m: m.forget(rows=[True, False]), TypeError, r"bool array .*; expects row numbers"),
    ("GRU", lambda m: m.forget(rows=[0.0]), TypeError, r"float64 array .*; expects row numbers"),
    ("Recurrent", lambda m: m.forget(rows=[5]), IndexError, r"rows \[5\]; expects rows of a batch of 2"),
    ("GRU", lambda m: m.get_hidden_state(7), IndexError, r"the hidden state of step 7; expects a step from 1 to 2"),
    ("GRU", lambda m: m.get_hidden_state(-1), IndexError, r"the hidden state of step -1; expects"),
    ("GRU", lambda m: m.get_grad_hidden_state(0), IndexError, r"hidden state of step 0; expects one of the steps"),
    ("GRU", lambda m: m.set_hidden_state(1, wide(2, 4)), IndexError, r"step 1; expects 0 or the newest step \(2\)"),
    ("GRU", lambda m: m.set_hidden_state(2, wide(3, 4)), ValueError, r"of shape \(3, 4\); expects shape \(2, 4\)"),
    ("GRU", lambda m: m.set_hidden_state(2, wide(2, 5)), ValueError, r"of shape \(2, 5\); expects"),
    ("GRU", lambda m: m.set_hidden_state(2, None), TypeError, r"None; expects"),
    ("GRU", lambda m: m.set_hidden_state(0, wide(2, 5)), ValueError, r"of shape \(2, 5\); expects"),
    ("GRU", lambda m: m.set_hidden_state(0, "zero"), TypeError, r"<U4 array .*; expects arrays of numbers"),
    ("GRU", lambda m: m.set_hidden_state(0, np.array(["a"] * 4)), TypeError, r"<U1 array .*; expects"),
    ("Recurrent", lambda m: m.set_start_state([wide(2, 4)] * 2), ValueError, r"hidden state; expects one array"),
    ("LSTM", lambda m: m.set_hidden_state(0, wide(2, 4)), ValueError, r"1 state\(s\); expects 2: h, c"),
    ("LSTM", lambda m: m.set_hidden_state(2, [wide(2, 4)] * 3), ValueError, r"3 state\(s\); expects 2: h, c"),
    (
        "LSTM",
        lambda m: m.set_grad_hidden_state(1, [wide(2, 4)] * 2),
        IndexError,
        r"step 1; expects the newest step \(2",
    ),
    ("LSTM", lambda m: m.set_grad_hidden_state(2, [wide(2, 5)] * 2), ValueError, r"of shape \(2, 5\); expects"),
    ("Recursor", lambda m: m.set_hidden_state(0, [None, None]), ValueError, r"table of 2 .*; expects a table of 1"),
    ("Recursor of two", lambda m: m.set_hidden_state(0, [[wide(2, 4)] * 2, wide(3)]), ValueError, r"expects .* \(2,\)"),
    (
        "Recursor of two",
        lambda m: m.set_hidden_state(2, [[wide(2, 4)] * 2, wide(3, 2)]),
        ValueError,
        r"expects .*\(2, 2\)",
    ),
    ("Recursor of two", lambda m: m.set_grad_hidden_state(2, [None, wide(3)]), ValueError, r"expects .* \(2,\)"),
    (
        "mixing rows",
        lambda m: m.forget(rows=[0]),
        ValueError,
        r"forget\(rows=...\); expects modules that treat rows one",
    ),
    ("Sequencer", lambda m: m.remember("always"), ValueError, r"remember\('always'\); expects one of"),
    # parameters
    (
        "Linear",
        lambda m: setattr(m, "weight", wide(3, 4)),
        ValueError,
        r"weight of shape \(3, 4\); expects shape \(4, 3\)",
    ),
    ("Linear", lambda m: setattr(m, "grad_bias", wide(3)), ValueError, r"bias of shape \(3,\); expects shape \(4,\)"),
    ("LSTM", lambda m: m.load_state_dict({}), ValueError, r"a state without \['candidate_bias', .*; expects its own"),
    (
        "Linear",
        lambda m: m.load_state_dict({**m.state_dict(), "gain": wide(1)}),
        ValueError,
        r"unknown \['gain'\]; exp",
    ),
    ("Linear", lambda m: load(m, bias=wide(5)), ValueError, r"bias of shape \(5,\); expects shape \(4,\)"),
    ("Linear", lambda m: load(m, bias=np.array(["a"] * 4)), TypeError, r"bias.* <U1 array .*; expects"),
    ("Linear", lambda m: load(m, bias=wide(4) * 1j), TypeError, r"bias.* complex128 array .*; expects"),
    ("Linear", lambda m: m.load_state_dict([wide(4, 3)]), TypeError, r"got table of 1 .*; expects a dict"),
    ("Linear", lambda m: m.astype("float16"), TypeError, r"astype\('float16'\); expects float32 or float64"),
    ("LSTM", lambda m: m.astype("banana"), TypeError, r"astype\('banana'\); expects float32 or float64"),
    ("Linear", lambda m: m.add_child("extra", 3), TypeError, r"got 3; expects a Module as 'extra'"),
    ("Sequential", lambda m: m.add(np.tanh), TypeError, r"got ufunc; expects a Module"),
]


def load(module: nr.Module, **wrong: Any) -> None:
    """Load a state in which all but one parameter fit, and differ from what the module has."""
    module.load_state_dict({name: array + 1 for name, array in module.state_dict().items()} | wrong)


def at_work(worker: Worker) -> nr.Module:
    module = worker.make().astype("float64")
    for k in range(2):
        output = module.forward(worker.input(k))
    for k in range(worker.gone_back):
        module.backward(worker.input(1 - k), random_like(output))
    return module


def random_like(output: Any) -> Any:
    return map_table(lambda array: np.random.default_rng(2).normal(size=array.shape), output)


def results(worker: Worker, module: nr.Module) -> list[Any]:
    """Return all that can be seen of a module, now and in what it does next."""
    recurrent = [part for part in module.modules() if isinstance(part, nr.AbstractRecurrent)]
    seen = [*module.state_dict().values(), *copy_table(module.parameters()[1])]
    seen += [leaf for part in recurrent for leaf in leaves(part.get_hidden_state())]
    seen += [part.step for part in recurrent]
    left = 0 if not module.is_training else 2 if recurrent and not isinstance(module, nr.Sequencer) else 1
    for k in range(worker.gone_back, left):
        x = worker.input(1 - k)
        seen += leaves(module.backward(x, random_like(worker.make().astype("float64").forward(x))))
    output = module.forward(worker.input(2))
    seen += leaves(output)
    if module.is_training:
        seen += leaves(module.backward(worker.input(2), random_like(output)))
    seen += copy_table(module.parameters()[1])
    module.forget()
    return [*seen, *leaves(module.forward(worker.input(3)))]


@pytest.mark.parametrize(("name", "call", "error", "message"), CALLS)
def test_a_wrong_call_is_refused_by_name_and_changes_nothing(name, call, error, message):
    worker = WORKERS[name]
    module = at_work(worker)
    expected = results(worker, module.clone())
    with pytest.raises(error, match=message) as caught:
        call(module)
    names = [repr(part) for part in module.modules()]
    assert any(str(caught.value).startswith(f"{name}: got ") for name in names), str(caught.value)
    for left, right in zip(results(worker, module), expected, strict=True):
        np.testing.assert_array_equal(left, right)


# ---- what was never used -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKERS)
def test_backward_before_any_forward_is_refused(name):
    worker = WORKERS[name]
    module = worker.make().astype("float64")
    output = module.clone().forward(worker.input(0))
    with pytest.raises(RuntimeError, match=r"got a backward before any forward; expects forward first"):
        module.backward(worker.input(0), output)
    assert not any(gradient.any() for gradient in module.parameters()[1])


# ---- constructors and functions ----------------------------------------------------------------------------------


class TwoForOne(nr.Cell):
    def equations(self, x, h):
        return sigmoid(h), h


class Narrow(nr.Cell):
    def equations(self, x, h):
        return tanh(linear("a", x, h, size="input"))


class Mixed(nr.Cell):
    def equations(self, x, h):
        return x + h


class Branching(nr.Cell):
    def equations(self, x, h):
        return h if h > 0 else -h


class Twice(nr.Cell):
    def equations(self, x, h):
        return linear("a", x) + linear("a", h)


class Unnamed(nr.Cell):
    def equations(self, x, h):
        return linear(x, h)


class NoSuchSize(nr.Cell):
    def equations(self, x, h):
        return linear("a", x, size="outer") + h


class ArrayInside(nr.Cell):
    def equations(self, x, h):
        return h * np.ones(3)


class PeepholeTwice(nr.Cell):
    def equations(self, x, h):
        return peephole("a", h) + peephole("a", h)


def moved_parameters() -> None:
    layer = nr.Linear(2, 3)
    optimizer = nr.optim.SGD(layer, 0.1)
    layer.astype("float64")
    optimizer.step()


def shared_cell() -> nr.Graph:
    x, cell = nr.Input(), nr.GRU(3)
    return nr.Graph(x, cell(cell(x)))


LAYER, SCORES = nr.Linear(2, 3), np.zeros((2, 4))

FUNCTIONS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    # modules
    (lambda: nr.Linear(0, 3), ValueError, r"Linear: got sizes 0 and 3; expects whole numbers, sizes of at least 1"),
    (lambda: nr.Linear("3", 4), ValueError, r"Linear: got sizes '3' and 4; expects whole numbers"),
    (lambda: nr.Linear(2.5, 4), ValueError, r"Linear: got .*2\.5.*; expects"),
    (lambda: nr.Linear(3, 4, rng="seed"), TypeError, r"rng: got 'seed'; expects a numpy.random.Generator"),
    (lambda: nr.Add(0), ValueError, r"Add: got size 0; expects a whole number, a size of at l"),
    (
        lambda: nr.LookupTable(0, 3),
        ValueError,
        r"LookupTable: got n_index=0, n_output=3; expects whole numbers, sizes of at least 1",
    ),
    (lambda: nr.Dropout(1.0), ValueError, r"Dropout: got p=1\.0; expects a probability, 0 <= p < 1"),
    (lambda: nr.Dropout(float("nan")), ValueError, r"Dropout: got p=nan; expects"),
    (lambda: nr.LSTM(3, 0), ValueError, r"LSTM: got hidden_size = 0; expects a whole number >= 1"),
    (lambda: nr.GRU(3.0), ValueError, r"GRU: got input_size = 3\.0; expects a whole number >= 1"),
    (lambda: nr.FastLSTM(3, 4, rho=0), ValueError, r"FastLSTM: got rho = 0; expects a whole number of steps >= 1"),
    (lambda: nr.RNN(3, nonlinearity="gelu"), ValueError, r"RNN: got nonlinearity = 'gelu'; expects 'tanh' or 'relu'"),
    (lambda: nr.Recursor(3), TypeError, r"Recursor\(\): got 3; expects a Module as 'module'"),
    (lambda: nr.Recursor(nr.Tanh(), rho=-1), ValueError, r"Recursor: got rho = -1; expects"),
    (lambda: nr.Recurrent(3, "in", LAYER), TypeError, r"Recurrent\(.*\): got 'in'; expects a Module as 'input'"),
    (lambda: nr.Sequencer(np.tanh), TypeError, r"Sequencer\(\): got ufunc; expects a Module as 'module'"),
    (lambda: nr.Sequential(LAYER, None), TypeError, r"Sequential\(.*\): got None; expects a Module as '1'"),
    # graphs
    (lambda: nr.Graph(LAYER, LAYER), TypeError, r"Graph: got Linear as an input; expects Input nodes"),
    (lambda: nr.Graph(nr.Input(), LAYER), TypeError, r"Graph: got Linear as an output; expects nodes"),
    (lambda: nr.Graph(nr.Input("a"), LAYER(nr.Input("b"))), ValueError, r"Graph: got .*'b'; expects it among the inp"),
    (shared_cell, ValueError, r"Graph: got the recurrent module GRU\(3 -> 3\) in 2 places; expects"),
    (lambda: LAYER([nr.Input(), SCORES]), TypeError, r"Linear\(2 -> 3\): got .*; expects nodes only"),
    # equations
    (lambda: TwoForOne(3), ValueError, r"TwoForOne: got equations that return 2 value\(s\); expects a symbol for each"),
    (lambda: Narrow(3, 4), ValueError, r"Narrow: got a new h of 3 channels; expects 4 of them"),
    (lambda: Mixed(3, 4), ValueError, r"equations: got add of x \(input: 3\), h \(hidden: 4\); expects as many"),
    (lambda: nr.Cell(3), NotImplementedError, r"Cell has no equations"),
    (lambda: Branching(3), TypeError, r"equations: got a comparison .*; expects arithmetic|'>' not supported"),
    (lambda: Twice(3), ValueError, r"linear\('a'\): got a name used before; expects a name of its own"),
    (lambda: Unnamed(3), TypeError, r"linear: got .* as the name; expects an identifier"),
    (lambda: NoSuchSize(3), ValueError, r"linear\('a'\): got the size 'outer'; expects one of \['hidden', 'input'\]"),
    (lambda: ArrayInside(3), TypeError, r"equations: got .*; expects symbols and plain, finite numbers"),
    (lambda: PeepholeTwice(3), ValueError, r"peephole\('a'\): got a name used before; expects a name of its own"),
    # criterions
    (
        lambda: nr.MSECriterion()(SCORES, SCORES[:1]),
        ValueError,
        r"MSECriterion\(.*\): got a target of shape \(1, 4\); exp",
    ),
    (lambda: nr.MSECriterion()(SCORES, SCORES.astype("f4")), TypeError, r"MSECriterion\(.*float32 array.*; expects fl"),
    (lambda: nr.ClassNLLCriterion()(SCORES, np.array([0, 4])), IndexError, r"target 4; expects integers from 0 to 3"),
    (
        lambda: nr.ClassNLLCriterion()(SCORES, np.zeros(2)),
        TypeError,
        r"float64 array .*; expects one array of integers",
    ),
    (
        lambda: nr.ClassNLLCriterion()(SCORES, np.zeros(3, int)),
        ValueError,
        r"targets of shape \(3,\); expects shape \(2,",
    ),
    (lambda: nr.ClassNLLCriterion(np.ones(3))(SCORES, np.zeros(2, int)), ValueError, r"expects 3 classes, as many as"),
    (lambda: nr.SequencerCriterion(3), TypeError, r"SequencerCriterion: got 3; expects a Criterion"),
    (
        lambda: sequence_loss(SCORES, SCORES[:1]),
        ValueError,
        r"2 steps and a target of 1 steps; expects sequences of one",
    ),
    (lambda: sequence_loss([], []), ValueError, r"a sequence without steps; expects at least one step"),
    (lambda: sequence_loss(3, SCORES), TypeError, r"got 3; expects a table of steps, or an array"),
    # optimisers
    (lambda: nr.optim.SGD(nr.Tanh(), 0.1), ValueError, r"SGD: got Tanh\(\); expects a module with parameters"),
    (lambda: nr.optim.SGD(LAYER, -1), ValueError, r"SGD: got learning_rate=-1\.0; expects a number >= 0"),
    (lambda: nr.optim.SGD(LAYER, 0.1, momentum=1.0), ValueError, r"SGD: got momentum=1\.0; expects 0 <= momentum < 1"),
    (lambda: nr.optim.SGD(LAYER, 0.1, nesterov=True), ValueError, r"SGD: got nesterov=True; expects"),
    (lambda: nr.optim.Adam(LAYER, betas=(0.9, 1.0)), ValueError, r"Adam: got beta2=1\.0; expects 0 <= beta2 < 1"),
    (lambda: nr.optim.Adam(LAYER).load_state_dict({}), ValueError, r"Adam\(.*\): got a state of \[\]; expects"),
    (moved_parameters, RuntimeError, r"SGD\(.*\): got parameters that have moved to other memory; expects"),
    (lambda: nr.optim.clip_grad_norm(LAYER, np.nan), ValueError, r"clip_grad_norm: got max_norm=nan; expects a number"),
    # the rest
    (lambda: nr.seed(-1), ValueError, r"seed: got -1; expects a whole number >= 0, or None"),
    (lambda: nr.seed(1.5), ValueError, r"seed: got 1\.5; expects a whole number >= 0, or None"),
    (lambda: nr.testing.check_gradients(nr.Tanh()), TypeError, r"Tanh\(\): got no input; expects one step of it"),
]


def sequence_loss(input: Any, target: Any) -> float:
    return nr.SequencerCriterion(nr.MSECriterion())(input, target)


@pytest.mark.parametrize(("function", "error", "message"), FUNCTIONS)
def test_a_wrong_argument_is_refused_by_name(function, error, message):
    before = LAYER.state_dict()
    with pytest.raises(error, match=message):
        function()
    np.testing.assert_equal(LAYER.state_dict(), before)
