"""Repeater: one input, seen again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import is_size
from numrnn.module import Module
from numrnn.sequencer.abstract_sequencer import CompositeSequencer, remembering, states_inside
from numrnn.table import is_table, leaves, map_table, split_steps, stack_steps


class Repeater(CompositeSequencer):
    """Give a module the same input at several steps.

    Parameters
    ----------
    module : Module
        A module of one step, usually with a recurrent module in it.
    rho : int
        Number of steps.

    Notes
    -----
    The input is that of one step; the output is a table (list) of `rho` outputs, and so is its gradient. The gradient
    of the input is the sum over the steps. Every call begins a new sequence, whatever `remember` says. How the steps
    are computed is decided as in a `Sequencer`. Under a `Sequencer`, a whole call is one step.

    Raises
    ------
    ValueError
        If `rho` is not a whole number of at least 1; in forward, if the module refuses the input.
    RuntimeError
        In backward, after an earlier backward of the same forward, or in evaluate mode with recurrent modules inside.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> repeater, x = nr.Repeater(nr.LSTM(4, 6), 3), np.zeros((2, 4), "float32")
    >>> [y.shape for y in repeater(x)]
    [(2, 6), (2, 6), (2, 6)]
    >>> repeater.backward(x, [np.ones((2, 6), "float32")] * 3).shape
    (2, 4)
    """

    takes_sequences = False

    def __init__(self, module: Module, rho: int) -> None:
        super().__init__()
        if not is_size(rho):
            raise ValueError(complaint("Repeater", f"rho = {rho!r}", "a whole number of steps, at least 1"))
        self.rho = int(rho)
        self.add_child("module", module)

    @property
    def module(self) -> Module:
        """The module of one step."""
        return self._children["module"]

    def check_input(self, input: Any) -> None:
        """Expect at least one array."""
        super().check_input(input)
        if not leaves(input):
            raise ValueError(complaint(self, describe(input), "at least one array"))

    def run(self, input: Any) -> list[Any]:
        """Return the outputs of all steps."""
        self.module.forget()
        with remembering(self.rho, self.module):
            output = self.module.forward_sequence(self._repeated(input))
        return split_steps(output, self.rho)

    def go_back(self, input: Any, grad_output: Any) -> Any:
        """Return the sum of the gradients of all steps."""
        grads = self.module.sequence_grad_input(self._repeated(input), stack_steps(grad_output))
        return map_table(lambda gradient: None if gradient is None else np.asarray(gradient.sum(axis=0)), grads)

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps."""
        self.module.sequence_acc_grad_parameters(self._repeated(input), stack_steps(grad_output), scale)

    def check_grad_output(self, input: Any, grad_output: Any) -> None:
        """Expect the input of the last forward, and a table of gradients, one for each step."""
        if is_table(grad_output) and len(grad_output) != self.rho:
            got = f"a table of {len(grad_output)} gradients"
            raise ValueError(complaint(self, got, f"one for each of {self.rho} steps"))
        super().check_grad_output(input, grad_output)

    def _repeated(self, input: Any) -> Any:
        return map_table(lambda array: np.repeat(array[np.newaxis], self.rho, axis=0), input)

    def _with_states(self) -> Any:
        return states_inside(self.module)

    def describe_arguments(self) -> str:
        """Return the module and the number of steps."""
        return f"{self.module!r}, rho={self.rho}"
