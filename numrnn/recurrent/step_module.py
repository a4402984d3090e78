"""One step of a cell as a module without a memory: the states go in and out."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.loop import Tape
from numrnn.kernels.cpu.memory import empty
from numrnn.module import Module
from numrnn.recurrent.cell import Cell
from numrnn.table import Array, is_table


class StepModule(Module):
    """One step of a cell as a plain module: from `[x, *states]` to the new state, or the table of new states.

    Parameters
    ----------
    cell : Cell
        The cell whose equations and parameters it has.

    Notes
    -----
    All arrays are `(batch, features)`. A cell with one state gives an array, others a table.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> step = nr.StepModule(nr.RNN(4, 6))
    >>> step([np.zeros((3, 4), "float32"), np.zeros((3, 6), "float32")]).shape
    (3, 6)
    """

    memory = ("_tape",)

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        if not isinstance(cell, Cell):
            raise TypeError(complaint(type(self).__name__, describe(cell), "a Cell"))
        self._tape: Tape | None = None
        self._cell = cell
        self._parameters, self._gradients = cell._parameters, cell._gradients
        self._tape: Tape | None = None

    @property
    def cell(self) -> Cell:
        """The cell whose equations and parameters it has; it makes no steps itself."""
        return self._cell

    def parameters_changed(self) -> None:
        """Let the cell drop what it has made from the old parameters."""
        self._cell.parameters_changed()

    def check_input(self, input: Any) -> None:
        """Expect a table of the input and the states."""
        cell = self.cell
        widths = [cell.input_size, *cell.state_widths()]
        expects = f"a table of {len(widths)} arrays (batch, features) with {widths} features"
        if not is_table(input) or len(input) != len(widths) or any(not isinstance(a, np.ndarray) for a in input):
            raise TypeError(complaint(self, describe(input), expects))
        if any(array.dtype != self.dtype for array in input):
            raise TypeError(complaint(self, describe(input), f"arrays of {self.dtype.name}"))
        shapes = [(len(input[0]) if input[0].ndim else 0, width) for width in widths]
        if [array.shape for array in input] != shapes:
            raise ValueError(complaint(self, describe(input), expects))

    def update_output(self, input: Any) -> Any:
        """Make the step."""
        x, *states = (np.array(array) for array in input)
        cell = self.cell
        weights = cell._packed_weights(again=True)
        output = empty((1, len(x), states[0].shape[1]), self.dtype)
        cell.is_training, cell.noise = self.is_training, None
        masks = cell._masks(len(x)) if cell.program().trace.masks else ()
        noise = cell._drawn(1, len(x))
        self._tape = cell._loop().forward(weights, x[np.newaxis], states, output, masks, noise=noise)
        after = [np.array(array[-1]) for array in self._tape.states]
        return after if len(after) > 1 else after[0]

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Array]:
        """Go back through the step."""
        gradients = list(grad_output) if is_table(grad_output) else [grad_output]
        cell, tape = self.cell, self._tape
        cell._loop().start_backward(tape)
        for array, gradient in zip(tape.last_gradients[1:], gradients[1:], strict=True):
            array[...] = gradient
        weights = cell._packed_weights(backward=True, again=True)
        grad_x = cell._loop().backward(weights, tape, *(np.array(a)[np.newaxis] for a in (input[0], gradients[0])))
        return [grad_x[0], *(np.array(array[0]) for array in tape.grad_states)]

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients."""
        cell = self.cell
        parts = cell._gradient_parts()
        cell._loop().accumulate(parts, self._tape, np.array(input[0])[np.newaxis], scale)
        cell._put_back(parts)

    def describe_arguments(self) -> str:
        """Return the cell, or its sizes."""
        return repr(self.cell) if type(self) is StepModule else self.cell.describe_arguments()
