"""Runs a cell's program over a stretch of steps: arrays, packed weights, and threads.

A single step is a stretch of one. So stepping and whole sequences run the same compiled code on slices of the same
arrays, which is why they agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numrnn.equations.derive import Group, Program
from numrnn.equations.symbols import Value
from numrnn.kernels.cpu.compile import compile_program
from numrnn.kernels.cpu.emit import parameter_order
from numrnn.kernels.cpu.matmul import pack
from numrnn.kernels.cpu.memory import empty
from numrnn.kernels.cpu.threads import run, threads_for

Arrays = tuple[np.ndarray, ...]
Parameters = Mapping[str, np.ndarray]

STRETCH_BYTES = 1 << 20
"""Results of input maps that are made before the loop uses them: they should still be in the cache then."""


@dataclass
class Tape:
    """What a stretch of T steps leaves for its backward pass. All arrays begin with the time axis.

    `states` have T + 1 entries: the state before the first step, then the state after each.
    """

    pre: Arrays  # of each group of linear maps: results, in part overwritten by what the backward pass needs
    states: Arrays
    kept: Arrays
    grad_pre: Arrays = ()
    grad_states: Arrays = ()  # like states: the gradient that each state receives from later steps
    grad_vectors: Arrays = ()

    def __len__(self) -> int:
        return len(self.states[0]) - 1

    @property
    def forward_arrays(self) -> tuple[Arrays, ...]:
        """What the forward pass writes."""
        return self.pre, self.states, self.kept

    def start_backward(self, vectors: Arrays) -> None:
        """Make room for the gradients, with zeros as the gradient of the last state."""
        self.grad_pre = tuple(empty(array.shape, array.dtype) for array in self.pre)
        self.grad_states = tuple(empty(array.shape, array.dtype) for array in self.states)
        steps, batch = self.states[0].shape[0] - 1, self.states[0].shape[1]
        self.grad_vectors = tuple(empty((steps, batch, v.size), v.dtype) for v in vectors)
        for array in self.grad_states:
            array[-1] = 0

    def step(self, index: int) -> Tape:
        """Return the part of one step, as views."""
        one, two = slice(index, index + 1), slice(index, index + 2)
        return Tape(
            tuple(a[one] for a in self.pre),
            tuple(a[two] for a in self.states),
            tuple(a[one] for a in self.kept),
            tuple(a[one] for a in self.grad_pre),
            tuple(a[two] for a in self.grad_states),
            tuple(a[one] for a in self.grad_vectors),
        )


@dataclass
class Weights:
    """A cell's parameters in the form in which the kernels of one direction read them."""

    rows: Arrays | np.ndarray  # forward: the bias of each group; backward: zeros
    input: Arrays  # panels of the maps of x, of the groups that have one
    products: Arrays  # panels of the products in the loop
    vectors: Arrays

    @property
    def matrices(self) -> tuple[Arrays | np.ndarray, Arrays, Arrays]:
        """What the kernels read as `weights`."""
        return self.rows, self.input, self.products


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
        self._products = [
            (group, position, argument is program.input)
            for group in program.groups
            for position, argument in enumerate(group.maps[0].arguments)
        ]
        self._row_work = 2 * sum(
            group.columns * sizes[group.size] * sizes[group.maps[0].arguments[position].size or ""]
            for group, position, _ in self._products
        )

    def pack(self, parameters: Parameters, backward: bool = False) -> Weights:
        """Pack the parameters for the forward or the backward pass."""
        program, sizes = self.program, self.program.trace.sizes
        vectors = tuple(parameters[f"{name}_peephole"] for name in program.trace.vectors)
        rows = np.zeros(max(sizes.values()), self.dtype) if backward else tuple(map(self._bias, [parameters] * len(program.groups), program.groups))
        input = [self._pack(parameters, group, k, backward) for group, k, of_input in self._products if of_input]
        products = [self._pack(parameters, p.group, p.position, backward) for p in program.products]
        return Weights(rows, tuple(input), tuple(products), vectors)

    def _bias(self, parameters: Parameters, group: Group) -> np.ndarray:
        size = self.program.trace.sizes[group.size]
        biases = [
            parameters[f"{m.name}_bias"] if m.bias else np.zeros(m.parts * size, self.dtype) for m in group.maps
        ]
        return np.concatenate(biases)

    def _pack(self, parameters: Parameters, group: Group, position: int, backward: bool) -> np.ndarray:
        matrices = [parameters[f"{m.name}_weight_{m.suffixes[position]}"] for m in group.maps]
        matrix = matrices[0] if len(matrices) == 1 else np.concatenate(matrices)
        return pack(matrix) if backward else pack(matrix, transposed=True, parts=group.columns)

    def forward(self, weights: Weights, x: np.ndarray, start: list[np.ndarray], output: np.ndarray) -> Tape:
        """Run the steps of `x`, `(time, batch, input)`, from the state `start`; write `output`; return the tape."""
        steps, batch = x.shape[:2]
        program, sizes = self.program, self.program.trace.sizes
        pre = tuple(self._empty(steps, batch, group.columns * sizes[group.size]) for group in program.groups)
        states = tuple(self._empty(steps + 1, batch, sizes[state.size or ""]) for state in program.states)
        for array, value in zip(states, start, strict=True):
            array[0] = value
        tape = Tape(pre, states, tuple(self._empty(steps, batch, sizes[v.size or ""]) for v in program.kept))
        step_bytes = batch * sum(array.shape[-1] for array in pre) * self.dtype.itemsize
        stretch = max(1, STRETCH_BYTES // max(1, step_bytes))
        arguments = (x, output, tape.forward_arrays, weights.matrices, weights.vectors, stretch)
        self._run(self.module.forward, arguments, steps, batch)
        return tape

    def backward(self, weights: Weights, tape: Tape, x: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Go back through a tape whose gradient of the last state is set; return the gradient of `x`."""
        steps, batch = x.shape[:2]
        grad_x = empty(x.shape, x.dtype)
        gradients = self._gradients(tape, batch)
        arguments = (x, grad_output, grad_x, tape.forward_arrays, gradients, weights.matrices, weights.vectors)
        self._run(self.module.backward, arguments, steps, batch)
        return grad_x

    def _gradients(self, tape: Tape, batch: int) -> tuple[Arrays, ...]:
        sizes = self.program.trace.sizes
        work = tuple(self._empty(1, batch, sizes[value.size or ""])[0] for value in self.program.work)
        return tape.grad_pre, tape.grad_states, tape.grad_vectors, work

    def accumulate(self, gradients: Parameters, tape: Tape, x: np.ndarray, scale: float) -> None:
        """Add the gradients of the parameters, row by row in the order of stepping back: last row first."""
        steps, batch = x.shape[:2]
        targets = tuple(gradients[name] for name in self._order)
        arrays = self._gradients(tape, 0)
        arguments = (x, tape.forward_arrays, arrays, targets, self.dtype.type(scale))
        self._run(self.module.accumulate, arguments, steps, batch)

    def _run(self, kernel, arguments: tuple, steps: int, batch: int) -> None:
        run(kernel, (*arguments, False), threads_for(steps * batch * self._row_work))

    def _empty(self, *shape: int) -> np.ndarray:
        return empty(shape, self.dtype)
