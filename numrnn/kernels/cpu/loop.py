"""Runs a cell's program over a stretch of steps: arrays, packed weights, and threads.

A single step is a stretch of one. So stepping and whole sequences run the same compiled code on slices of the same
arrays, which is why they agree bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numrnn.equations.derive import Group, Program
from numrnn.kernels.cpu.compile import compile_program
from numrnn.kernels.cpu.emit import parameter_order
from numrnn.kernels.cpu.masking import PADDING
from numrnn.kernels.cpu.matmul import empty_panels, lanes_of, pack_rows, pack_transposed
from numrnn.kernels.cpu.memory import empty
from numrnn.kernels.cpu.threads import ALONE, is_worth_sharing, run, threads_for

Arrays = tuple[np.ndarray, ...]
Parameters = Mapping[str, np.ndarray]

STRETCH_BYTES = 1 << 20
"""Results of input maps that are made before the loop uses them: they should still be in the cache then."""

CACHE_BYTES = 1 << 20
"""Weights of the loop that a core keeps at hand from step to step."""

FEW_ROWS = 4
"""Rows of a part, for which weights of that size are too large; for more rows, weights may be larger."""

STEP_BYTES = 1 << 16
"""Weights times rows, in a thread's share of a step, that are worth a meeting of threads."""

EVALUATE_NUMBERS, EVALUATE_STEPS = 1 << 18, 64
"""Results of maps, or at least steps, of a sequence that are computed at once in evaluate mode: this bounds the memory
of a long one."""

SHORT_NUMBERS = 1 << 17
"""Results of maps, and numbers kept from step to step, of a short sequence."""

EVALUATE_WIDE = 1 << 20
"""Numbers of wide states in such steps: with fewer, the copies from one stretch of steps to the next cost too much."""

WIDE_WORK = 8
"""Operations for each number of a wide state, which is read, changed and added up."""

NO_FLAGS = np.zeros((0, 0), np.uint8)


def with_batch(sequence: np.ndarray) -> np.ndarray:
    """Return `(time, [batch,] features)` with a batch axis, contiguous and writeable: what kernels take."""
    array = sequence if sequence.ndim == 3 else sequence[:, np.newaxis]
    flags = array.flags
    return array if flags.c_contiguous and flags.writeable else np.array(array, order="C")


@dataclass
class Tape:
    """What a stretch of T steps leaves for its backward pass. All arrays begin with the time axis.

    `states` have T + 1 entries: the state before the first step, then the state after each.
    """

    pre: Arrays  # of each group of linear maps: results, in part overwritten by what the backward pass needs
    states: Arrays
    kept: Arrays
    grad_pre: Arrays = ()
    grad_states: Arrays = ()  # like states: what each receives from later steps; of wide ones, two steps in turn
    grad_vectors: Arrays = ()
    masks: Arrays = ()  # (batch, channels)
    noise: Arrays = ()  # (time, batch, channels)
    flags: np.ndarray = field(default_factory=lambda: NO_FLAGS)  # (time, batch), or nothing if no row is treated apart

    def __len__(self) -> int:
        return len(self.states[0]) - 1

    @property
    def last_gradients(self) -> list[np.ndarray]:
        """What the states after the last step receive, as views; those before the first step are the first rows."""
        return [array[len(self) % len(array)] for array in self.grad_states]

    @property
    def forward_arrays(self) -> tuple[Arrays, ...]:
        """What the forward pass writes."""
        return self.pre, self.states, self.kept

    def step(self, index: int) -> Tape:
        """Return the part of one step, as views."""
        one, two = slice(index, index + 1), slice(index, index + 2)
        return Tape(
            tuple(a[one] for a in self.pre),
            tuple(a[two] for a in self.states),
            tuple(a[one] for a in self.kept),
            tuple(a[one] for a in self.grad_pre),
            tuple(a[two] if len(a) > len(self) else a for a in self.grad_states),
            tuple(a[one] for a in self.grad_vectors),
            self.masks,
            tuple(a[one] for a in self.noise),
            self.flags[one],
        )


class Weights:
    """A cell's parameters in the form in which the kernels of one direction read them.

    Parameters
    ----------
    loop : CellLoop
        The compiled loops.
    backward : bool
        Whether they are for the backward pass.
    """

    def __init__(self, loop: CellLoop, backward: bool = False) -> None:
        program, dtype = loop.program, loop.dtype
        sizes = self._sizes = program.trace.sizes
        self._is_backward = backward
        self._pieces: list[tuple[Callable[..., None], str, tuple[Any, ...]]] = []  # what to call, for which parameter
        panels: dict[tuple[int, int], np.ndarray] = {}
        for group in program.groups:
            size = sizes[group.size]
            for position, argument in enumerate(group.maps[0].arguments):
                width, heads = sizes[argument.size or ""], group.maps[0].heads[position]
                if heads > 1:
                    panels[group.index, position] = self._panels_of_heads(group, position, heads, width, dtype)
                    continue
                shape = (group.columns * size, width, 1) if backward else (width, size, group.columns)
                packed = panels[group.index, position] = empty_panels(*shape, dtype)
                first = 0
                for m in group.maps:
                    name = f"{m.name}_weight_{m.suffixes[position]}"
                    if backward:
                        self._pieces.append((pack_rows, name, (packed, first * size)))
                    else:
                        self._pieces.append((pack_transposed, name, (size, packed, first, group.columns)))
                    first += m.parts
        inputs = [group for group in program.groups if program.input in group.maps[0].arguments]
        input = tuple(panels[g.index, g.maps[0].arguments.index(program.input)] for g in inputs)
        products = tuple(panels[product.group.index, product.position] for product in program.products)
        if backward:
            rows: Any = np.zeros(max(sizes.values()), dtype)
        else:
            rows = tuple(
                self._bias(group, np.zeros(group.columns * sizes[group.size], dtype)) for group in program.groups
            )
        self.matrices = rows, input, products
        """What the kernels read as `weights`: biases of each group (backward: zeros), panels of the maps of x, of
        the products in the loop."""
        self.vectors: Arrays = tuple(np.empty(sizes[v.size or ""], dtype) for v in program.trace.vectors.values())
        for name, vector in zip(program.trace.vectors, self.vectors, strict=True):
            self._pieces.append((_copy, name, (vector,)))
        self.vectors += tuple(np.empty(sizes[v.size or ""], dtype) for v in program.fixed)
        self._fix = loop.module.fix if program.fixed else None

    def _panels_of_heads(self, group: Group, position: int, heads: int, width: int, dtype: np.dtype) -> np.ndarray:
        """Return panels for each head; backward, for each part of each head, since parts lie apart in gradients."""
        size, width = self._sizes[group.size] // heads, width // heads
        if self._is_backward:
            packed = empty_panels(size, width, 1, dtype, several=(heads, group.columns))
        else:
            packed = empty_panels(width, size, group.columns, dtype, several=(heads,))
        first = 0
        for m in group.maps:
            name = f"{m.name}_weight_{m.suffixes[position]}"
            self._pieces.append((_pack_heads, name, (size, packed, first, group.columns, self._is_backward)))
            first += m.parts
        return packed

    def _bias(self, group: Group, row: np.ndarray) -> np.ndarray:
        size = len(row) // group.columns
        first = 0
        for m in group.maps:
            if m.bias:
                self._pieces.append((_copy, f"{m.name}_bias", (row[first * size : (first + m.parts) * size],)))
            first += m.parts
        return row

    def update(self, parameters: Parameters) -> None:
        """Read the parameters."""
        for function, name, arguments in self._pieces:
            function(parameters[name], *arguments)
        if self._fix is not None:
            self._fix(self.vectors)


def _pack_heads(weight: np.ndarray, size: int, packed: np.ndarray, first: int, columns: int, backward: bool) -> None:
    """Pack a weight (heads, parts * size, width), whose parts are those of a group of `columns` from `first` on."""
    for head, matrix in enumerate(weight):
        if backward:
            for part in range(len(matrix) // size):
                pack_rows(matrix[part * size : (part + 1) * size], packed[head, first + part], 0)
        else:
            pack_transposed(matrix, size, packed[head], first, columns)


def _copy(source: np.ndarray, target: np.ndarray) -> None:
    target[...] = source


class CellLoop:
    """The compiled loops of one program for one element type.

    Parameters
    ----------
    program : Program
        A cell's equations, taken apart.
    name : str
        Name of the cell, for the emitted file.
    dtype : numpy.dtype
        float32 or float64.
    """

    def __init__(self, program: Program, name: str, dtype: np.dtype) -> None:
        self.program = program
        self.dtype = np.dtype(dtype)
        self.module = compile_program(program, name, self.dtype.name)
        sizes = program.trace.sizes
        self._order = parameter_order(program)
        self._loop_bytes = self.dtype.itemsize * sum(
            product.group.columns * sizes[product.group.size] * (sizes[product.argument.size or ""] // product.heads)
            for product in program.products
            if product.group.level <= program.depth
        )
        self.pre_widths = [group.columns * sizes[group.size] for group in program.groups]
        self.state_widths = [sizes[state.size or ""] for state in program.states]
        self.is_wide = [state in program.wide for state in program.states]
        self._wide_numbers = sum(itertools.compress(self.state_widths, self.is_wide))
        self.kept_widths = [program.trace.width(value.size) for value in program.kept]
        self.passing_widths = [sizes[value.size or ""] for value in program.passing]
        self._work_widths = [program.trace.width(value.size) for value in program.work]
        self._ahead_widths = [program.trace.width(value.size) for value in program.ahead]
        self._gathers_ahead = any(block.gathered and block.level > program.depth for block in program.blocks)
        gathered = [(block.gathered, program.trace.width(block.size)) for block in program.blocks]
        most = max((len(values) for values, _ in gathered), default=0)
        self._gathered_widths = [max(width for values, width in gathered if len(values) > k) for k in range(most)]
        self._vector_widths = [sizes[value.size or ""] for value in program.trace.vectors.values()]
        self._step_bytes = sum(self.pre_widths) * self.dtype.itemsize
        self._row_work = 2 * sum(
            group.columns * sizes[group.size] * (sizes[argument.size or ""] // heads)
            for group in program.groups
            for argument, heads in zip(group.maps[0].arguments, group.maps[0].heads, strict=True)
        )

    def forward(
        self,
        weights: Weights,
        x: np.ndarray,
        state: list[np.ndarray] | None,
        output: np.ndarray,
        masks: Arrays = (),
        flags: np.ndarray = NO_FLAGS,
        noise: Arrays = (),
    ) -> Tape:
        """Run the steps of `x`, `(time, batch, input)`, from a state, or from zeros; write `output`; return the tape.

        `masks` are what the equations drop, `noise` what they draw at every step; `flags` say which rows are padding at
        which steps (see `kernels.cpu.masking`).
        """
        steps, batch = x.shape[:2]
        dtype = self.dtype
        pre = tuple([empty((steps, batch, width), dtype) for width in self.pre_widths])
        states = tuple([empty((steps + 1, batch, width), dtype) for width in self.state_widths])
        for k, array in enumerate(states):
            array[0] = 0 if state is None else state[k]
        kept = tuple([empty((steps, batch, width), dtype) for width in self.kept_widths])
        tape = Tape(pre, states, kept, masks=masks, noise=noise, flags=flags)
        passing = tuple([empty((batch, width), dtype) for width in self.passing_widths])
        rest = weights.matrices, weights.vectors, (*masks, *noise), flags, self.stretch(batch)
        arguments = (x, output, tape.forward_arrays, passing, *rest)
        self._run(self.module.forward, arguments, steps, batch)
        return tape

    def stretch(self, batch: int) -> int:
        """Return for how many steps what need not wait for the loop is made at once."""
        return max(1, STRETCH_BYTES // max(1, batch * self._step_bytes))

    def start_backward(self, tape: Tape) -> None:
        """Make room for a tape's gradients, with zeros as the gradient of the last state."""
        steps, batch, dtype = len(tape), tape.states[0].shape[1], self.dtype
        tape.grad_pre = tuple([empty(array.shape, dtype) for array in tape.pre])
        shapes = zip((array.shape for array in tape.states), self.is_wide, strict=True)
        tape.grad_states = tuple([empty((2, *shape[1:]) if is_wide else shape, dtype) for shape, is_wide in shapes])
        tape.grad_vectors = tuple([empty((steps, batch, width), dtype) for width in self._vector_widths])
        for array in tape.last_gradients:
            array[...] = 0

    def backward(self, weights: Weights, tape: Tape, x: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Go back through a tape whose gradient of the last state is set; return the gradient of `x`."""
        steps, batch = x.shape[:2]
        grad_x = empty(x.shape, x.dtype)
        gradients = self._gradients(tape, batch)
        masks = (*tape.masks, *tape.noise)
        arrays = tape.forward_arrays, gradients, weights.matrices, weights.vectors, masks, tape.flags
        arguments = (x, grad_output, grad_x, *arrays, self.stretch(batch))
        self._run(self.module.backward, arguments, steps, batch)
        return grad_x

    def _gradients(self, tape: Tape, batch: int) -> tuple[Arrays, ...]:
        work = tuple([empty((batch, width), self.dtype) for width in self._work_widths])
        rows = batch if tape.flags.size else 0
        held = tuple([empty((rows, width), self.dtype) for width in self.state_widths])
        ahead_rows = batch * min(len(tape), self.stretch(batch))
        ahead = tuple([empty((ahead_rows, width), self.dtype) for width in self._ahead_widths])
        rows = ahead_rows if self._gathers_ahead else batch
        gathered = tuple([empty((rows, width), self.dtype) for width in self._gathered_widths])
        return tape.grad_pre, tape.grad_states, tape.grad_vectors, work, ahead, held, gathered

    def accumulate(self, gradients: Parameters, tape: Tape, x: np.ndarray, scale: float) -> None:
        """Add the gradients of the parameters, row by row in the order of stepping back: last row first."""
        if tape.flags.size and (tape.flags & PADDING).any():
            x, tape = self._without_padding(x, tape)
        steps, batch = x.shape[:2]
        targets = tuple(gradients[name] for name in self._order)
        arrays = self._gradients(tape, 0)
        arguments = (x, tape.forward_arrays, arrays, targets, self.dtype.type(scale))
        self._run(self.module.accumulate, arguments, steps, batch)

    def _without_padding(self, x: np.ndarray, tape: Tape) -> tuple[np.ndarray, Tape]:
        """Return the rows that are no padding, of all steps, as one step: as far as parameters' gradients need them."""
        rows = np.flatnonzero((tape.flags & PADDING) == 0)

        def chosen(arrays: Arrays) -> Arrays:
            return tuple([array.reshape(-1, array.shape[2])[rows][np.newaxis] for array in arrays])

        def before_and_after(array: np.ndarray) -> np.ndarray:
            return np.stack([array.reshape(-1, array.shape[2])[rows + shift] for shift in (0, x.shape[1])])

        # no map sees wide states
        pairs = zip(tape.states, self.is_wide, strict=True)
        states = [array[:2, :0] if is_wide else before_and_after(array) for array, is_wide in pairs]
        grad_pre, grad_vectors = chosen(tape.grad_pre), chosen(tape.grad_vectors)
        # results and gradients of states are not looked at
        chosen_tape = Tape(grad_pre, tuple(states), chosen(tape.kept), grad_pre, tuple(states), grad_vectors)
        return chosen((x,))[0], chosen_tape

    def _run(self, kernel: Any, arguments: tuple[Any, ...], steps: int, batch: int) -> None:
        parts = threads_for(self.work(steps, batch))
        run(kernel, (*arguments, self.shares_channels(batch, parts)), parts)

    def is_short(self, steps: int, batch: int) -> bool:
        """Whether a sequence is so short that it takes long, compared to its steps, to get ready for it."""
        return steps * batch * sum((*self.pre_widths, *self.kept_widths, *self.state_widths)) <= SHORT_NUMBERS

    def steps_at_once(self, batch: int) -> int:
        """Return how many steps are computed at once if nothing of them is kept."""
        if self._wide_numbers:
            return max(1, EVALUATE_WIDE // max(1, batch * self._wide_numbers))
        return max(EVALUATE_STEPS, EVALUATE_NUMBERS // max(1, batch * sum(self.pre_widths)))

    def work(self, steps: int, batch: int) -> int:
        """Return how much work some steps are. Reading the weights for a row takes as long as the work for two."""
        return steps * (max(batch, 2) * self._row_work + batch * WIDE_WORK * self._wide_numbers)

    def shares_channels(self, batch: int, parts: int) -> bool:
        """Whether each part of a kernel gets some of the channels, instead of some rows of the batch.

        It costs a meeting at every step. It pays where there are fewer rows than parts, and where a core's cache does
        not hold the weights of the loop, unless there are so many rows that reading the weights again at every step
        takes little of the time. Without products in the loop, nobody has to meet, and what counts is that the parts
        are of the same size.
        """
        if self.program.depth == 0:
            vectors = -(-min(self.state_widths) // lanes_of(self.dtype))
            return parts > 1 and batch * -(-vectors // parts) <= vectors * -(-batch // parts)
        is_large = batch < parts or self._loop_bytes >= CACHE_BYTES * max(1, batch / (FEW_ROWS * parts))
        return parts > 1 and is_large and batch * self._loop_bytes >= parts * STEP_BYTES


class Stepper:
    """Makes single steps that no backward pass follows, with all that can be done beforehand done.

    Parameters
    ----------
    loop : CellLoop
        The compiled loops.
    weights : Weights
        For the forward pass, up to date.
    batch : int
        Rows of every step.
    masks : tuple of array
        What the equations drop, and what they draw at every step.
    """

    def __init__(self, loop: CellLoop, weights: Weights, batch: int, masks: Arrays = ()) -> None:
        self._kernel, self._dtype = loop.module.step, loop.dtype
        self._shapes = [(2, batch, width) for width in loop.state_widths]
        self._output_shape = self._shapes[0][1:]
        rows, input, products = weights.matrices
        self._rest = (
            *(np.empty((1, batch, width), loop.dtype) for width in (*loop.pre_widths, *loop.kept_widths)),
            *(np.empty((batch, width), loop.dtype) for width in loop.passing_widths),
            *(*rows, *input, *products, *weights.vectors, *masks, NO_FLAGS),
            1,
        )
        self._alone = False, *ALONE
        self._shares_channels, self._batch = loop.shares_channels, batch
        self._work = loop.work(1, batch)
        self._is_large = is_worth_sharing(self._work)

    def __call__(self, x: np.ndarray, state: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the output, `(batch, features)`, and the new state."""
        dtype = self._dtype
        output = np.empty(self._output_shape, dtype)
        states = [np.empty(shape, dtype) for shape in self._shapes]
        if self._is_large and (parts := threads_for(self._work)) > 1:
            by_channels = self._shares_channels(self._batch, parts)
            run(self._kernel, (x, output, *state, *states, *self._rest, by_channels), parts)
        else:
            self._kernel(x, output, *state, *states, *self._rest, *self._alone)
        return output, [array[1] for array in states]


class Runner:
    """Makes short sequences of one shape that no backward pass follows, with all that can be done beforehand done.

    Parameters
    ----------
    loop : CellLoop
        The compiled loops.
    weights : Weights
        For the forward pass; up to date whenever a sequence is run.
    steps, batch : int
        Of every sequence.
    """

    def __init__(self, loop: CellLoop, weights: Weights, steps: int, batch: int) -> None:
        dtype = self._dtype = loop.dtype
        self._output_shape = steps, batch, loop.state_widths[0]
        pre, kept = ([np.empty((steps, batch, w), dtype) for w in some] for some in (loop.pre_widths, loop.kept_widths))
        states = [np.empty((steps + 1, batch, width), dtype) for width in loop.state_widths]
        passing = tuple(np.empty((batch, width), dtype) for width in loop.passing_widths)
        arrays = (tuple(pre), tuple(states), tuple(kept)), passing, weights.matrices, weights.vectors, ()
        self._rest = *arrays, NO_FLAGS, loop.stretch(batch)
        self._first, self._last = [array[0] for array in states], [array[-1] for array in states]
        self._kernel, self._work = loop.module.forward, loop.work(steps, batch)
        self._shares_channels = loop.shares_channels

    def __call__(self, x: np.ndarray, state: list[np.ndarray] | None) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the outputs, `(time, batch, features)`, and the last state; without a state, begin with zeros."""
        output = np.empty(self._output_shape, self._dtype)
        for k, array in enumerate(self._first):
            array[...] = 0 if state is None else state[k]
        parts = threads_for(self._work)
        by_channels = parts > 1 and self._shares_channels(self._output_shape[1], parts)
        run(self._kernel, (x, output, *self._rest, by_channels), parts)
        return output, [array.copy() for array in self._last]
