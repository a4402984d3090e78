"""Lowering: a recurrence made of modules, run on symbols, is a cell's program.

A recurrence says how its modules make the new state out of the input and the old one (`equations_of_step`). Here it
does so once on symbols, each module by its `as_equations`, which gives the equations that cells are written in. What
follows is the same as for a cell: maps of the input at all steps at once, and one fused loop. The parameters stay where
they are: a linear map reads the weight of its `Linear`, and adds to that gradient.

Outputs and states are to the bit those of stepping where the element functions are the same. Gradients are so where
each value is used once; where several gradients meet, they may be added in another order.

A module that has no equations but reads the input only (a `LookupTable`, say, or dropout) is run before the loop, over
all steps. With any other, there is no program, and the recurrence is stepped.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numrnn.equations import linear, parameter
from numrnn.equations.derive import Program
from numrnn.equations.symbols import Trace, Value
from numrnn.kernels.cpu.loop import CellLoop, Tape, Weights
from numrnn.kernels.cpu.memory import empty
from numrnn.module import Module, NoEquations
from numrnn.table import Array, is_table

GIVES = {
    "as_equations": (
        *("update_output", "update_grad_input", "acc_grad_parameters", "check_input"),
        *("forward", "backward", "route", "route_back"),
    ),
    "equation": ("function", "gradient", "_numbers"),
}
"""What a module's equations stand for: a subclass that has others of these needs equations of its own."""


@dataclass(frozen=True)
class Symbol:
    """What a module gets in the place of an array: values of the equations, side by side along the last axis."""

    values: tuple[Value, ...]
    widths: tuple[int, ...]

    @property
    def width(self) -> int:
        """Number of features."""
        return sum(self.widths)

    def with_other(self, function: Callable[..., Value], other: Any) -> Symbol:
        """Return `function(value, other)` of each value, with a number or the values beside it."""
        if isinstance(other, Symbol):
            if self.widths != other.widths:
                raise NoEquations(f"features in groups of {self.widths} and {other.widths}")
            others: Any = other.values
        elif math.isfinite(other):
            others = [float(other)] * len(self.values)
        else:
            raise NoEquations(f"arithmetic with {other}")
        return Symbol(tuple(map(function, self.values, others)), self.widths)

    def __add__(self, other: Any) -> Symbol:
        return self.with_other(operator.add, other)

    def __sub__(self, other: Any) -> Symbol:
        return self.with_other(operator.sub, other)

    def __mul__(self, other: Any) -> Symbol:
        return self.with_other(operator.mul, other)

    def __truediv__(self, other: Any) -> Symbol:
        return self.with_other(operator.truediv, other)

    def __neg__(self) -> Symbol:
        return Symbol(tuple(map(operator.neg, self.values)), self.widths)


class _Input:
    """The recurrence's input, before any module has read it: an array of features, or of something else."""


@dataclass(frozen=True)
class _Part:
    """Where a parameter of the equations is: rows (and columns) of a module's parameter."""

    owner: Module
    name: str
    rows: slice
    columns: slice | None = None

    def of(self, store: str) -> Array:
        """Return the part of the owner's parameter, or gradient."""
        array = getattr(self.owner, store)[self.name][self.rows]
        return array if self.columns is None else array[:, self.columns]


@dataclass
class Recorder:
    """What `Module.as_equations` makes its equations with.

    Attributes
    ----------
    input_width : int or None
        Features of the recurrence's input; None if it is no array of features.
    source : Module or None
        What is run before the loop: the loop's input is its output.
    """

    trace: Trace
    input_width: int | None
    state_widths: tuple[int, ...]
    outside_width: Callable[[Module], int | None]
    axes: int
    source: Module | None = None
    reads_input: bool = False
    parts: dict[str, _Part] = field(default_factory=dict)

    def run(self, module: Module, input: Any) -> Any:
        """Return the output of a module for symbols."""
        if not isinstance(input, _Input):
            return self._equations(module, input)
        with self._on_trial() as trial:
            trial._equations(module, input)
        return self._equations(module, input) if trial.succeeded else self._outside(module)

    def _equations(self, module: Module, input: Any) -> Any:
        kind = type(module)
        for name, others in GIVES.items():
            level = _level(kind, name)
            if level is not None and any((_level(kind, other) or 0) > level for other in others):
                raise NoEquations(f"{module!r} computes something else than the class that its equations come from")
        return module.as_equations(self, input)

    @contextmanager
    def _on_trial(self) -> Any:
        """Give a recorder of its own to a part that may turn out to have no equations."""
        trace = Trace(dict(self.trace.sizes))
        trial = _Trial(trace, self.input_width, self.state_widths, self.outside_width, self.axes)
        try:
            with trace.recording():
                yield trial
        except NoEquations:
            return
        trial.succeeded = trial.source is None

    def _outside(self, module: Module) -> Symbol:
        """Return the output of a module that reads the input only, and is run before the loop."""
        if self.source is not None or self.reads_input:
            raise NoEquations(f"{module!r} and something else read the input")
        width = self.outside_width(module)
        if width is None:
            raise NoEquations(f"what {module!r} makes out of the input")
        self.source = module
        return Symbol((self._input_value(width),), (width,))

    def _input_value(self, width: int) -> Value:
        self.trace.sizes["input"] = width
        return self.trace.value("input", "x", size="input")

    # ---- what modules ask for ------------------------------------------------------------------------------------

    def symbol(self, value: Any) -> Symbol:
        """Expect one symbol."""
        if isinstance(value, _Input):
            if self.input_width is None:
                raise NoEquations("an input that is no array of features")
            if self.source is not None:
                raise NoEquations(f"{self.source!r} and something else read the input")
            self.reads_input = True
            return Symbol((self._input_value(self.input_width),), (self.input_width,))
        if not isinstance(value, Symbol):
            raise NoEquations("a table in the place of an array")
        return value

    def elements(self, value: Any, index: int = 0) -> list[Any]:
        """Expect a table that has an element of this index."""
        if not is_table(value) or not -len(value) <= index < len(value):
            raise NoEquations("an array in the place of a table, or too short a table")
        return list(value)

    def table(self, value: Any, length: int) -> list[Any]:
        """Expect a table of some length."""
        if len(self.elements(value)) != length:
            raise NoEquations(f"a table of {len(value)} elements")
        return list(value)

    def symbols(self, value: Any, length: int | None = None) -> list[Symbol]:
        """Expect a table of symbols, of some length."""
        return [self.symbol(element) for element in (self.table(value, length) if length else self.elements(value))]

    def each(self, function: Callable[..., Value]) -> Callable[..., Symbol]:
        """Return a function of symbols, given one of values."""

        def of_symbols(first: Symbol, *others: Symbol) -> Symbol:
            if any(other.widths != first.widths for other in others):
                raise NoEquations("features in different groups")
            try:
                values = tuple(map(function, first.values, *(other.values for other in others)))
            except TypeError as error:  # infinite constants
                raise NoEquations(str(error)) from error
            return Symbol(values, first.widths)

        return of_symbols

    def linear(self, owner: Module, input: Any, weight: str, bias: str | None) -> Symbol:
        """Return the affine map with parameters of a module.

        If the output is several times as wide as a state, it is in groups of that width: gates, most likely.
        """
        symbol = self.symbol(input)
        height, width = owner._parameters[weight].shape
        if symbol.width != width:
            raise NoEquations(f"{symbol.width} features for {owner!r}")
        values = symbol.values
        if len(set(values)) < len(values) or any(value.size is None for value in values):
            raise NoEquations("a constant, or the same features twice, as the argument of a linear map")
        uses = [part for part in self.parts.values() if part.owner is owner]
        if uses and (len(values) > 1 or any(part.columns is not None for part in uses)):
            raise NoEquations(f"{owner!r} in two places, on parts of its input")  # whose gradients are copies
        unit = next((size for size in self.state_widths if height > size and height % size == 0), height)
        results = []
        for first in range(0, height, unit):
            name, rows = self._name(owner), slice(first, first + unit)
            results.append(linear(name, *values, size=self._size(unit), bias=bias is not None))
            start = 0
            for suffix, columns in zip(self.trace.maps[name].suffixes, symbol.widths, strict=True):
                part = slice(start, start + columns) if len(values) > 1 else None
                self.parts[f"{name}_weight_{suffix}"] = _Part(owner, weight, rows, part)
                start += columns
            if bias is not None:
                self.parts[f"{name}_bias"] = _Part(owner, bias, rows)
        return Symbol(tuple(results), (unit,) * len(results))

    def vector(self, owner: Module, name: str, like: Symbol) -> Symbol:
        """Return a parameter of a module with one number for each feature of a symbol."""
        array = owner._parameters[name]
        if array.shape != (like.width,):
            raise NoEquations(f"a parameter of shape {array.shape} for {like.width} features")
        values, start = [], 0
        for width in like.widths:
            own = self._name(owner)
            values.append(parameter(own, self._size(width)))
            self.parts[own] = _Part(owner, name, slice(start, start + width))
            start += width
        return Symbol(tuple(values), like.widths)

    def join(self, value: Any, axis: int) -> Symbol:
        """Join symbols along the last axis."""
        self._expect_last(axis)
        symbols = self.symbols(value)
        values = [value for symbol in symbols for value in symbol.values]
        return Symbol(tuple(values), tuple(width for symbol in symbols for width in symbol.widths))

    def narrow(self, symbol: Symbol, axis: int, start: int, stop: int) -> Symbol:
        """Return the features from `start` to `stop`."""
        self._expect_last(axis)
        ends = np.cumsum([0, *symbol.widths]).tolist()
        if start not in ends or stop not in ends or start >= stop:
            raise NoEquations(f"features {start} to {stop} of groups of {symbol.widths}")
        chosen = slice(ends.index(start), ends.index(stop))
        return Symbol(symbol.values[chosen], symbol.widths[chosen])

    def _expect_last(self, axis: int) -> None:
        if axis not in (-1, self.axes - 1):
            raise NoEquations(f"axis {axis}")

    def _name(self, owner: Module) -> str:
        return f"{type(owner).__name__.lower()}{len(self.trace.parameters)}"

    def _size(self, width: int) -> str:
        """Return the name of a number of channels. It does not tell the number, so that kernels serve them all."""
        sizes = self.trace.sizes
        known = next((name for name, number in sizes.items() if name != "input" and number == width), None)
        if known is None:
            known = f"w{len(sizes)}"
            sizes[known] = width
        return known


class _Trial(Recorder):
    """A recorder whose equations are thrown away."""

    succeeded = False


def _level(kind: type, name: str) -> int | None:
    """Return how far down from the base class an attribute is defined."""
    order = kind.__mro__
    return next((len(order) - k for k, owner in enumerate(order) if name in vars(owner)), None)


class Lowered:
    """A recurrence's program, and its kernels.

    Parameters
    ----------
    recurrence : CompositeRecurrent
        The recurrence.
    input_width : int or None
        Features of its input; None if that is no array of features.
    axes : int
        Axes of a step of its input: 2 for a batch.
    state_widths : tuple of int
        Features of the states.
    outside_width : callable
        Returns the number of features that a module makes out of the input; None if it makes something else.

    Raises
    ------
    NoEquations
        If it has no program.
    """

    def __init__(
        self,
        recurrence: Any,
        input_width: int | None,
        axes: int,
        state_widths: tuple[int, ...],
        outside_width: Callable[[Module], int | None],
    ) -> None:
        self._recipe = [recurrence, input_width, axes, state_widths, None]
        self._record(outside_width)

    def _record(self, outside_width: Callable[[Module], int | None]) -> None:
        recurrence, input_width, axes, state_widths, _ = self._recipe
        trace = Trace({"input": input_width or 1})
        recorder = Recorder(trace, input_width, state_widths, outside_width, axes)
        states = [trace.value("state", f"h{k}", size=recorder._size(width)) for k, width in enumerate(state_widths)]
        symbols = [Symbol((state,), (width,)) for state, width in zip(states, state_widths, strict=True)]
        with trace.recording():
            after = [recorder.symbol(new) for new in recurrence.equations_of_step(recorder, _Input(), symbols)]
        if [symbol.widths for symbol in after] != [(width,) for width in state_widths]:
            raise NoEquations("new states that are not like the old ones")
        if any(symbol.values[0].size is None for symbol in after):
            raise NoEquations("a constant as a state")
        x = trace.value("input", "x", size="input")
        self.source, self._parts = recorder.source, recorder.parts
        self._recipe[-1] = trace.sizes["input"]
        self.program = Program(trace, x, states, [symbol.values[0] for symbol in after], given_out=len(states))
        self._loops: dict[Any, tuple[CellLoop, Weights, Weights]] = {}

    @property
    def input_width(self) -> int:
        """Features that the loop reads."""
        return self.program.trace.sizes["input"]

    def __getstate__(self) -> dict[str, Any]:
        return {"_recipe": self._recipe}

    def __getattr__(self, name: str) -> Any:
        """Record the equations of a copy, at the first use of what follows from them."""
        if name not in ("source", "program", "_parts", "_loops"):
            raise AttributeError(name)
        self._record(lambda module: self._recipe[-1])
        return self.__dict__[name]

    def _kernels(self, dtype: Any) -> tuple[CellLoop, Weights, Weights]:
        if dtype not in self._loops:
            loop = CellLoop(self.program, type(self._recipe[0]).__name__, dtype)
            self._loops[dtype] = loop, *(Weights(loop, backward) for backward in (False, True))
        return self._loops[dtype]

    def forward(self, x: Array, states: list[Array], keep: bool) -> tuple[list[Array], Tape | None]:
        """Run steps `(time, batch, features)` from a state; return all new states, and, if wanted, the tape."""
        loop, weights, _ = self._kernels(x.dtype)
        weights.update(self._taken("_parameters"))
        steps, batch = x.shape[:2]
        outputs = [empty((steps, batch, state.shape[-1]), x.dtype) for state in states]
        length = steps if keep else loop.steps_at_once(batch)
        tape = None
        for first in range(0, steps, length):
            part = slice(first, min(first + length, steps))
            tape = loop.forward(weights, x[part], states, outputs[0][part])
            states = [array[-1] for array in tape.states]
            for output, array in zip(outputs[1:], tape.states[1:], strict=True):
                output[part] = array[1:]
        return outputs, tape if keep else None

    def backward(
        self, tape: Tape, x: Array, grad_outputs: list[Array], grad_states: list[Any]
    ) -> tuple[Array, list[Array]]:
        """Return the gradients of `x` and of the state before it; those of the last state may be None."""
        loop, _, weights = self._kernels(x.dtype)
        weights.update(self._taken("_parameters"))
        loop.start_backward(tape)
        for array, gradient in zip(tape.last_gradients, grad_states, strict=True):
            if gradient is not None:
                array[...] = gradient
        grad_output = grad_outputs[0] if len(grad_outputs) == 1 else tuple(grad_outputs)
        grad_x = loop.backward(weights, tape, x, grad_output)
        return grad_x, [array[0] for array in tape.grad_states]

    def accumulate(self, tape: Tape, x: Array, scale: float) -> None:
        """Add the gradients of the parameters of all steps to those of the modules."""
        gradients = self._taken("_gradients")
        self._kernels(x.dtype)[0].accumulate(gradients, tape, x, scale)
        for name, part in self._parts.items():
            if part.columns is not None:
                part.of("_gradients")[...] = gradients[name]

    def _taken(self, store: str) -> dict[str, Array]:
        """Return the parameters, or gradients, by the names in the equations: views, or copies of some columns."""
        return {
            name: part.of(store) if part.columns is None else np.array(part.of(store), order="C")
            for name, part in self._parts.items()
        }


def structure_of(modules: Iterable[Module]) -> tuple[Any, ...]:
    """Return what the equations of modules depend on, besides parameters: their parts, and the numbers in them."""
    return tuple(
        (part, *[v for name, v in part.__dict__.items() if type(v) in (int, float, bool) and name != "is_training"])
        for module in modules
        for part in module.modules()
        if not part.keeps_steps
    )
