"""A module on trial: a copy of it, and a sequence that can be run through it in several ways."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from numrnn.errors import complaint
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent, Cell, Recursor
from numrnn.sequencer import AbstractSequencer, Sequencer
from numrnn.table import Array, copy_table, is_table, leaves, map_table, split_steps, stack_steps

Results = dict[str, Any]
"""Arrays by what they are: "the output of step 0", "the gradient of weight", ..."""

Interrupt = Callable[[Module, str, Any, Any], None]
"""Called with the module that is running, a stage ("forward", "backward", "end"), an input and its grad_output."""

STEPPING, SEQUENCER, TABLE, ARRAY = "step by step", "by a Sequencer", "as a table", "as an array"


class Trial:
    """A copy of a module, and a sequence for it. Every run begins alike: with the same states and random numbers.

    Parameters
    ----------
    module, input, length, seed
        See `check_gradients`.
    dtype : str
        Element type of the copy and of the sequence.

    Attributes
    ----------
    ways : list of str
        How the sequence can be run: a module of one step is stepped, or put into a Sequencer; a sequencer is given a
        table or an array.
    batch : int
        Number of rows of a step, 0 if it has none.
    is_random : bool
        Whether the module draws random numbers.
    can_be_cut : bool
        Whether the sequence may be given in several calls.
    """

    def __init__(self, module: Module, input: Any, length: int, seed: int, dtype: str = "float64") -> None:
        self.rng, self.dtype, self.module = np.random.default_rng(seed), dtype, module.clone().astype(dtype)
        if input is None:
            if not isinstance(module, Cell):
                raise TypeError(complaint(module, "no input", "one step of it (which is drawn for cells only)"))
            input = self.rng.normal(size=(3, module.input_size))
        is_sequencer = isinstance(module, AbstractSequencer) and module.takes_sequences
        self.can_be_cut = module.is_causal if is_sequencer else True
        self.steps = [map_table(self._cast, step) for step in (input if is_sequencer else [input])]
        if not is_sequencer:
            self.steps += [map_table(self._drawn, self.steps[0]) for _ in range(length - 1)]
        self.ways = [TABLE, ARRAY] if is_sequencer else [STEPPING, SEQUENCER]
        if is_sequencer and is_table(self.steps[0]):
            self.ways = [TABLE]
        arrays = leaves(self.steps[0])
        self.batch = len(arrays[0]) if all(a.ndim > (a.dtype.kind == "f") for a in arrays) else 0
        own = [value for part in self.module.modules() for value in vars(part).values()]
        self._generators = [(g, g.bit_generator.state) for g in own if isinstance(g, np.random.Generator)]
        self.is_random = bool(self._generators)
        self._buffers = {part: dict(part._buffers) for part in self.module.modules()}
        self._grads: list[Any] = [None] * len(self.steps)
        self._states: list[tuple[str, AbstractRecurrent, Any]] = []
        self._draw_the_rest()

    def _cast(self, leaf: Any) -> Array:
        array = np.array(leaf)
        return array.astype(self.dtype) if array.dtype.kind == "f" else array

    def _drawn(self, like: Array, scale: float = 1.0) -> Array:
        if like.dtype.kind == "f":
            return (scale * self.rng.normal(size=like.shape)).astype(self.dtype)
        return self.rng.permutation(like.reshape(-1)).reshape(like.shape)

    def _draw_the_rest(self) -> None:
        """Draw the gradients of the outputs and the start states."""
        for part in self.module.modules():
            if isinstance(part, AbstractRecurrent):
                part.rho = max(part.rho, len(self.steps))
            if isinstance(part, AbstractSequencer):
                part.remember("neither")
        outputs, _ = self._go(self.ways[0], training=False)
        self._grads = [map_table(lambda y: self._drawn(y) if y.dtype.kind == "f" else None, y) for y in outputs]
        for name, part in _parts_with_states("module", self.module):
            start = part.get_hidden_state(0)
            if start is not None:
                drawn = map_table(lambda state: None if state is None else self._drawn(state, 0.5), start)
                self._states.append((name, part, drawn))

    def run(self, way: str, **options: Any) -> Results:
        """Run the sequence in one of the `ways`, with the options of `_go`, and return all results."""
        outputs, grad_inputs = self._go(way, **options)
        results = {key: y for t in range(len(outputs)) for key, y in _named(f"output of step {t}", outputs[t])}
        for name, part in _parts_with_states("module", self.module):
            results |= _named(f"last state of the {name}", part.get_hidden_state())
        if grad_inputs:
            results |= self._gradients(grad_inputs)
        return results

    def _gradients(self, grad_inputs: list[Any]) -> Results:
        results: Results = {}
        for t, gradient in enumerate(grad_inputs):
            table = map_table(lambda leaf: None, self.steps[t]) if gradient is None else gradient
            results |= _named(f"gradient of the input of step {t}", table)
        for (name, _), gradient in zip(self.module.named_parameters(), self.module.parameters()[1], strict=True):
            results[f"gradient of the parameter {name}"] = gradient.copy()
        for name, part, _ in self._states:
            results |= _named(f"gradient of the start state of the {name}", part.get_grad_hidden_state(0))
        return results

    def _go(
        self,
        way: str,
        *,
        training: bool = True,
        backward: bool = True,
        overwrite: bool = False,
        cut: bool = False,
        interrupt: Interrupt | None = None,
    ) -> tuple[list[Any], list[Any]]:
        """Return the outputs and, in training, the gradients of the inputs.

        With `overwrite`, the arrays that the module returned are overwritten at once. With `cut`, a sequencer that
        remembers is given the sequence in two parts. An `interrupt` is called at the last step forward and back.
        """
        walker = self._start(way, training)
        if cut:
            walker.remember("both")
        before = copy.deepcopy((self.steps, self._grads))
        parts, join = self._parts(way, 1 + cut)
        interrupt = interrupt or (lambda *_: None)
        outputs, grad_inputs = [], []
        for x, _ in parts:
            if x is parts[-1][0]:
                interrupt(walker, "forward", x, None)
            outputs.append(_kept(walker.forward(x), overwrite))
        if training and backward:
            for x, grad_output in reversed(parts):
                if x is parts[0][0]:
                    interrupt(walker, "backward", x, grad_output)
                grad_inputs.append(_kept(walker.backward(x, grad_output), overwrite))
            interrupt(walker, "end", *parts[0])
        for own, old in zip(leaves([self.steps, self._grads]), leaves(before), strict=True):
            if own is not None and not np.array_equal(own, old):
                why = "by the module, or where an array that it returned is written to"
                raise AssertionError(f"{self.module!r}, {way}: an input or a grad_output was changed {why}")
        return join(outputs), join(grad_inputs[::-1])

    def _start(self, way: str, training: bool) -> Any:
        """Return the module, or what runs it, at the start of a sequence."""
        walker: Any = self.module
        if way == SEQUENCER:
            walker = Sequencer(self.module)
        elif way == STEPPING and not isinstance(self.module, AbstractRecurrent):
            walker = Recursor(self.module)
        (walker.training if training else walker.evaluate)()
        walker.forget()
        walker.zero_grad_parameters()
        for generator, state in self._generators:
            generator.bit_generator.state = state
        for part in self.module.modules():
            for name, array in self._buffers.get(part, {}).items():
                part._buffers[name] = array.copy()
        for _, part, state in self._states:
            part.set_hidden_state(0, state)
        if isinstance(walker, AbstractSequencer):
            walker.remember("neither")
        return walker

    def _parts(self, way: str, count: int) -> tuple[list[tuple[Any, Any]], Callable[[list[Any]], list[Any]]]:
        """Return (input, grad_output) of every call, and what makes a list of steps of what the calls returned."""
        if way == STEPPING:
            return list(zip(self.steps, self._grads, strict=True)), list
        ends = [len(self.steps) * k // count for k in range(count + 1)]
        slices = [slice(*pair) for pair in itertools.pairwise(sorted(set(ends)))]
        kind = stack_steps if way == ARRAY else list

        def join(returned: list[Any]) -> list[Any]:
            if way != ARRAY:
                return [step for table in returned for step in table]
            lengths = [piece.stop - piece.start for piece in slices]
            return [step for pair in zip(returned, lengths, strict=False) for step in split_steps(*pair)]

        return [(kind(self.steps[piece]), kind(self._grads[piece])) for piece in slices], join

    # ---- variations ----------------------------------------------------------------------------------------------

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Iterate over (name, array) of everything that has a gradient; it may be changed in place."""
        for t, step in enumerate(self.steps):
            yield from ((n, a) for n, a in _named(f"input of step {t}", step) if a.dtype.kind == "f")
        yield from ((f"parameter {name}", array) for name, array in self.module.named_parameters())
        for name, _, state in self._states:
            yield from ((n, a) for n, a in _named(f"start state of the {name}", state) if a is not None)

    def slope(self, array: Array, direction: Array, step: float) -> float:
        """Return the central difference of the loss as one of the `arrays` moves along a direction."""
        old, losses = array.copy(), []
        for distance in (step, -step, 0):
            array[...] = old + distance * direction
            self.module.parameters_changed()
            if distance:
                losses.append(self._loss())
        return (losses[0] - losses[1]) / (2 * step)

    def _loss(self) -> float:
        outputs, _ = self._go(self.ways[-1], backward=False)
        pairs = zip(leaves(outputs), leaves(self._grads), strict=True)
        return float(sum((output * grad).sum() for output, grad in pairs if grad is not None))

    def copy(self) -> Trial:
        """Return a copy that shares nothing."""
        return copy.deepcopy(self)

    def only(self, row: int) -> Trial:
        """Return a copy with one row of the batch."""
        alone = self.copy()
        for name in ("steps", "_grads"):
            setattr(alone, name, [_row(step, row) for step in getattr(alone, name)])
        alone._states = [(name, part, _row(state, row)) for name, part, state in alone._states]
        return alone


def _row(table: Any, row: int) -> Any:
    return map_table(lambda array: None if array is None else array[row : row + 1], table)


def _kept(returned: Any, overwrite: bool) -> Any:
    kept = copy_table(returned)
    if overwrite:
        for array in leaves(returned):
            if isinstance(array, np.ndarray):
                array.fill(77)
    return kept


def _named(name: str, table: Any) -> list[tuple[str, Any]]:
    if is_table(table):
        return [pair for k, element in enumerate(table) for pair in _named(f"{name}[{k}]", element)]
    return [(name, table)]


def _parts_with_states(name: str, module: Module) -> Iterator[tuple[str, AbstractRecurrent]]:
    """Iterate over (name, module) of those whose states last through the sequence."""
    if isinstance(module, AbstractSequencer) and not module.takes_sequences:
        return
    if isinstance(module, AbstractRecurrent) and not isinstance(module, Recursor):
        yield name, module
    for key, child in module.named_children():
        if not isinstance(child, AbstractSequencer):
            yield from _parts_with_states(f"{name}.{key}", child)
