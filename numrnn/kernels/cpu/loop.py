"""Runs a cell's program over a stretch of steps: arrays, packed weights, and the products that do not depend on time.

A single step is a stretch of one. So stepping and whole sequences run the same compiled code on slices of the same
arrays, which is why they agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from numrnn.equations.compile import compile_program
from numrnn.equations.derive import Program
from numrnn.kernels.cpu.matmul import add_product, add_product_of_transposed, add_rows, pack

Arrays = tuple[np.ndarray, ...]
Parameters = Mapping[str, np.ndarray]


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

    def start_backward(self, vectors: Arrays) -> None:
        """Make room for the gradients, with zeros as the gradient of the last state."""
        self.grad_pre = tuple(np.empty_like(array) for array in self.pre)
        self.grad_states = tuple(np.empty_like(array) for array in self.states)
        steps, batch = self.states[0].shape[0] - 1, self.states[0].shape[1]
        self.grad_vectors = tuple(np.empty((steps, batch, v.size), v.dtype) for v in vectors)
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
    """A cell's parameters in the form in which the kernels read them."""

    biases: list[np.ndarray] = field(default_factory=list)  # one a group, or zero
    input: list[np.ndarray | None] = field(default_factory=list)  # panels of each group's map of x
    products: Arrays = ()  # panels of the products in the loop
    vectors: Arrays = ()


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

    def pack(self, parameters: Parameters, backward: bool = False) -> Weights:
        """Pack the parameters for the forward or the backward pass."""
        weights = Weights(vectors=tuple(parameters[f"{name}_peephole"] for name in self.program.trace.vectors))
        for group in self.program.groups:
            arguments = group.maps[0].arguments
            position = next((k for k, a in enumerate(arguments) if a is self.program.input), None)
            matrix = None if position is None else self._matrix(parameters, group, position)
            weights.input.append(None if matrix is None else pack(matrix, transposed=not backward))
            width = self.program.trace.sizes[group.size]
            zeros = [np.zeros(m.parts * width, self.dtype) for m in group.maps]
            biases = [parameters[f"{m.name}_bias"] if m.bias else z for m, z in zip(group.maps, zeros, strict=True)]
            weights.biases.append(np.concatenate(biases))
        weights.products = tuple(
            pack(self._matrix(parameters, product.group, product.position), transposed=not backward)
            for product in self.program.products
        )
        return weights

    def _matrix(self, parameters: Parameters, group, position: int) -> np.ndarray:
        matrices = [parameters[f"{m.name}_weight_{m.suffixes[position]}"] for m in group.maps]
        return matrices[0] if len(matrices) == 1 else np.concatenate(matrices)

    def forward(self, weights: Weights, x: np.ndarray, start: list[np.ndarray]) -> Tape:
        """Run the steps of `x`, `(time, batch, input)`, from the state `start`, and return the tape."""
        steps, batch = x.shape[:2]
        pre = []
        for bias, panels in zip(weights.biases, weights.input, strict=True):
            array = np.empty((steps, batch, bias.size), self.dtype)
            array[...] = bias
            if panels is not None:
                add_product(x.reshape(steps * batch, -1), panels, array.reshape(steps * batch, -1))
            pre.append(array)
        states = []
        for value in start:
            array = np.empty((steps + 1, batch, value.shape[-1]), self.dtype)
            array[0] = value
            states.append(array)
        kept = tuple(self._empty(value, steps, batch) for value in self.program.kept)
        tape = Tape(tuple(pre), tuple(states), kept)
        self.module.forward((x, tape.pre, tape.states, tape.kept), weights.products, weights.vectors)
        return tape

    def backward(self, weights: Weights, tape: Tape, x: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Go back through a tape whose gradient of the last state is set; return the gradient of `x`."""
        steps, batch = x.shape[:2]
        grad_x = np.zeros_like(x)
        work = tuple(self._empty(value, 1, batch)[0] for value in self.program.work)
        gradients = (grad_output, grad_x, tape.grad_pre, tape.grad_states, tape.grad_vectors, work)
        self.module.backward((x, tape.pre, tape.states, tape.kept), gradients, weights.products, weights.vectors)
        for grad_pre, panels in zip(tape.grad_pre, weights.input, strict=True):
            if panels is not None:
                add_product(grad_pre.reshape(steps * batch, -1), panels, grad_x.reshape(steps * batch, -1))
        return grad_x

    def _empty(self, value, steps: int, batch: int) -> np.ndarray:
        return np.empty((steps, batch, self.program.trace.sizes[value.size]), self.dtype)

    def accumulate(self, gradients: Parameters, tape: Tape, x: np.ndarray, scale: float) -> None:
        """Add the gradients of the parameters, row by row in the order of stepping: last step first."""
        packed: dict[int, np.ndarray] = {}
        for group, grad_pre in zip(self.program.groups, tape.grad_pre, strict=True):
            width, first = self.program.trace.sizes[group.size], 0
            for m in group.maps:
                last = first + m.parts * width
                rows = _rows(grad_pre[:, :, first:last], scale)
                first = last
                if m.bias:
                    add_rows(rows, gradients[f"{m.name}_bias"])
                for argument, suffix in zip(m.arguments, m.suffixes, strict=True):
                    if id(argument) not in packed:
                        packed[id(argument)] = pack(_rows(self._argument(argument, tape, x)))
                    add_product_of_transposed(rows, packed[id(argument)], gradients[f"{m.name}_weight_{suffix}"])
        for name, grad_vector in zip(self.program.trace.vectors, tape.grad_vectors, strict=True):
            add_rows(_rows(grad_vector, scale), gradients[f"{name}_peephole"])

    def _argument(self, argument, tape: Tape, x: np.ndarray) -> np.ndarray:
        """Return what a linear map was applied to, at all steps of the tape."""
        program = self.program
        if argument is program.input:
            return x
        if argument in program.states:
            return tape.states[program.states.index(argument)][:-1]
        if argument in program.outputs:
            return tape.states[program.outputs.index(argument)][1:]
        return tape.kept[program.kept.index(argument)]


def _rows(array: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Return `(time, batch, features)` as rows, the last step first."""
    backwards = np.ascontiguousarray(array[::-1]).reshape(-1, array.shape[-1])
    return backwards if scale == 1.0 else backwards * array.dtype.type(scale)
