"""numrnn."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import singledispatch

import numpy as np

import numrnn as nr
from benchmarks import cells, data, first_use
from benchmarks.timing import Contestant, Numbers
from benchmarks.works import (
    FirstUse,
    FusedLoop,
    Import,
    Memory,
    OwnCell,
    Product,
    Program,
    RecentCell,
    Sequence,
    Step,
    Work,
)
from examples import permutation_lstm, permutation_rnn
from numrnn.kernels.cpu.affine import multiply
from numrnn.kernels.cpu.matmul import pack


def use_threads(count: int) -> None:
    nr.set_num_threads(count)


@singledispatch
def prepare(work: Work, name: str) -> Contestant:
    raise NotImplementedError(f"{type(work).__name__} is not written for {name}")


def train(model: nr.Module, x: np.ndarray, grad_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    output = model.forward(x)
    model.zero_grad_parameters()
    return output, model.backward(x, grad_output)


class Bidirectional:
    """Two cells, one of which reads backwards; their outputs are joined."""

    def __init__(self, forwards: nr.Cell, backwards: nr.Cell) -> None:
        self.forwards, self.backwards = nr.Sequencer(forwards).evaluate(), nr.Sequencer(backwards).evaluate()

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([self.forwards.forward(x), self.backwards.forward(x[::-1])[::-1]], -1)


@prepare.register
def _(work: Sequence, name: str) -> Contestant:
    x, grad_output = data.sequences(work.steps, work.batch, work.hidden)
    own = [[cells.with_weights(work.cell, w) for w in directions] for directions in data.layers_of(work)]
    if work.directions == 2:
        model = Bidirectional(*own[0])
    else:
        stack = [cell for (cell,) in own]
        model = nr.Sequencer(stack[0] if len(stack) == 1 else nr.Sequential(*stack))
    if work.mode == "inference":
        if work.directions == 1:
            model.evaluate()
        return Contestant(lambda: model.forward(x), lambda: {"output": model.forward(x)})

    def numbers() -> Numbers:
        output, grad_x = train(model, x, grad_output)
        named = {
            f"gradient {k} of layer {n}": g for n, cell in enumerate(stack) for k, g in enumerate(cells.gradients(cell))
        }
        return {"output": output, "gradient of x": grad_x, **named}

    return Contestant(lambda: train(model, x, grad_output), numbers)


@prepare.register
def _(work: Step, name: str) -> Contestant:
    x, _ = data.sequences(20, 1, work.hidden)
    cell = cells.with_weights("LSTM", data.layer("LSTM", work.hidden)).evaluate()
    first = x[0]

    def numbers() -> Numbers:
        cell.forget()
        return {"last output": [cell.forward(step) for step in x][-1]}

    return Contestant(lambda: cell.forward(first), numbers)


@prepare.register
def _(work: OwnCell, name: str) -> Contestant:
    x, grad_output = data.sequences(work.steps, work.batch, work.hidden)
    kind = getattr(nr, work.built_in) if name == "built-in cell" else getattr(cells, work.cell)
    cell = kind(work.hidden, rng=0)
    model = nr.Sequencer(cell)

    def numbers() -> Numbers:
        output, grad_x = train(model, x, grad_output)
        return {"output": output, "gradient of x": grad_x, **gradients(cell, cell.state_dict())}

    return Contestant(lambda: train(model, x, grad_output), None if name == "built-in cell" else numbers)


def cell_of(work: RecentCell) -> nr.Cell:
    """Return the cell, which starts from the same weights every time."""
    more = {"heads": work.heads} if work.heads > 1 else {}
    return getattr(nr, work.cell)(work.hidden, rng=0, **more)


@prepare.register
def _(work: RecentCell, name: str) -> Contestant:
    x, grad_output = data.sequences(work.steps, work.batch, work.hidden)
    cell = cell_of(work)
    model = nr.Sequencer(cell)
    if work.mode == "inference":
        model.evaluate()
        return Contestant(lambda: model.forward(x), lambda: {"output": model.forward(x)})

    def numbers() -> Numbers:
        output, grad_x = train(model, x, grad_output)
        return {"output": output, "gradient of x": grad_x, **gradients(cell, cell.state_dict())}

    return Contestant(lambda: train(model, x, grad_output), numbers)


def module_over_sequences(work: FusedLoop) -> nr.AbstractSequencer:
    """Return the module, which starts from the same weights every time."""
    hidden = work.hidden
    if work.module == "SeqLSTMP":
        return nr.SeqLSTMP(hidden, 2 * hidden, hidden, rng=0)
    kind = getattr(nr, work.module)
    if issubclass(kind, nr.Cell):
        return nr.Sequencer(kind(hidden, hidden, rng=0))
    return kind(hidden, hidden, mask_zero=work.padding > 0, rng=0)


class Stepped:
    """What a module over sequences does, step by step."""

    def __init__(self, module: nr.AbstractSequencer) -> None:
        both = isinstance(module, nr.BiSequencer)
        self.cells = [part.module for part in ((module.forward_part, module.backward_part) if both else (module,))]
        self.zero_grad_parameters = module.zero_grad_parameters

    def forward(self, x: np.ndarray) -> np.ndarray:
        outputs = []
        for cell, steps in self._in_order(x):
            cell.forget()
            outputs.append(np.stack([cell.forward(step) for step in steps]))
        return sum(self._turned(outputs))

    def backward(self, x: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        grads = []
        for (cell, steps), (_, arriving) in zip(self._in_order(x), self._in_order(grad_output), strict=True):
            back = [cell.backward(*pair) for pair in zip(steps[::-1], arriving[::-1], strict=True)]
            grads.append(np.stack(back[::-1]))
        return sum(self._turned(grads))

    def _in_order(self, x: np.ndarray) -> list[tuple[nr.Cell, np.ndarray]]:
        """Return each cell with the steps in the order in which it sees them."""
        return list(zip(self.cells, (x, x[::-1]), strict=False))

    def _turned(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [array[::order] for array, order in zip(arrays, (1, -1), strict=False)]


@prepare.register
def _(work: FusedLoop, name: str) -> Contestant:
    x, grad_output = data.sequences(work.steps, work.batch, work.hidden)
    for row, ends in enumerate(np.linspace(1 - 2 * work.padding, 1, work.batch)):
        x[round(work.steps * max(ends, 0)) :, row] = 0

    def prepared() -> tuple[nr.AbstractSequencer, nr.AbstractSequencer | Stepped]:
        module = module_over_sequences(work)
        return module, Stepped(module) if name == "stepped" else module

    def numbers() -> Numbers:
        module, model = prepared()  # which draws the same noise every time
        output, grad_x = train(model, x, grad_output)
        return {"output": output, "gradient of x": grad_x, **gradients(module, module.state_dict())}

    _, model = prepared()
    return Contestant(lambda: train(model, x, grad_output), numbers)


def gradients(module: nr.Module, names: Iterable[str]) -> Numbers:
    return {f"gradient of {name}": g for name, g in zip(names, module.parameters()[1], strict=True)}


def program_of(work: Program) -> nr.Sequential:
    """Return the program's network, which starts from the same weights every time."""
    nr.seed(0)
    words, hidden = work.vocabulary, work.hidden
    if work.recurrent == "Recurrent":
        return permutation_rnn.build(words, hidden, work.steps)
    if work.recurrent == "LSTM":
        return permutation_lstm.build(words, hidden, work.steps)
    cell = nr.RNN(hidden) if work.recurrent == "RNN" else nr.LSTM(hidden, cell2gate=False)
    parts = nr.LookupTable(words, hidden), cell, nr.Linear(hidden, words), nr.LogSoftMax()
    return nr.Sequential(*map(nr.Sequencer, parts))


def parameters_of(program: nr.Sequential) -> Numbers:
    """Return a program's parameters by names that do not tell how it is put together."""
    state = program.state_dict()
    *_, weight, bias = state
    table = "0.module.input.weight" if "0.module.input.weight" in state else "0.module.weight"
    names = {table: "table", weight: "last_weight", bias: "last_bias"}
    return {names.get(name, name.split("module.")[-1]): array for name, array in state.items()}


@prepare.register
def _(work: Program, name: str) -> Contestant:
    inputs, targets = data.words(work)
    model, criterion = program_of(work), nr.SequencerCriterion(nr.ClassNLLCriterion())
    start = model.state_dict()

    def run() -> float:
        outputs = model.forward(inputs)
        loss = criterion.forward(outputs, targets)
        model.zero_grad_parameters()
        model.backward(inputs, criterion.backward(outputs, targets))
        model.update_parameters(0.1)
        return loss

    def numbers() -> Numbers:
        model.load_state_dict(start)
        return {"loss": np.array(run()), **gradients(model, parameters_of(model))}

    return Contestant(run, numbers)


@prepare.register
def _(work: Product, name: str) -> Contestant:
    a, b = data.matrices(work)
    panels, zeros, out = pack(b), np.zeros(work.j, "float32"), np.empty((work.m, work.j), "float32")

    def run() -> np.ndarray:
        multiply(a, pack(b) if name == "packing too" else panels, zeros, out)
        return out

    return Contestant(run, lambda: {"product": run().copy()})


@prepare.register
def _(work: Memory, name: str) -> Contestant:
    x, _ = data.sequences(work.steps, work.batch, work.hidden)
    model = nr.Sequencer(cells.with_weights(work.cell, data.layer(work.cell, work.hidden)))

    def sample() -> float:
        model.forget()
        model.forward(x)
        tapes = {id(tape): tape for tape, _ in model.module._records}.values()
        kept = sum(array.nbytes for tape in tapes for arrays in tape.forward_arrays for array in arrays)
        return kept / (work.steps * work.batch)

    return Contestant(sample=sample)


@prepare.register
def _(work: FirstUse, name: str) -> Contestant:
    folder = tempfile.TemporaryDirectory()
    if work.cache == "warm":
        first_use.measure(folder.name)

    def sample() -> float:
        if work.cache == "warm":
            return first_use.measure(folder.name)[first_use.TOTAL]
        with tempfile.TemporaryDirectory() as empty:
            return first_use.measure(empty)[first_use.TOTAL]

    return Contestant(sample=sample)


@prepare.register
def _(work: Import, name: str) -> Contestant:
    return Contestant(sample=lambda: first_use.time_of_import("numrnn"))
