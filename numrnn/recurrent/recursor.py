"""Recursor: any module as a recurrent one."""

from __future__ import annotations

from typing import Any

from numrnn.errors import complaint, describe
from numrnn.module import Module
from numrnn.recurrent.abstract_recurrent import AbstractRecurrent
from numrnn.recurrent.composite import CompositeRecurrent
from numrnn.table import is_table, leaves, length_of, step_of


class Recursor(CompositeRecurrent):
    """Make any module a recurrent one, to be stepped through time and back.

    What the module keeps between forward and backward is remembered for every step; recurrent modules inside it go on
    from step to step.

    Parameters
    ----------
    module : Module
        The module, for instance a `Sequential` with cells in it.
    rho : int
        How many steps, besides the newest, are remembered for `backward`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> rnn = nr.Recursor(nr.Sequential(nr.LSTM(4, 6), nr.Linear(6, 2)))
    >>> x, grad = np.zeros((3, 4), "float32"), np.ones((3, 2), "float32")
    >>> for t in range(2):
    ...     y = rnn.forward(x)
    >>> for t in range(2):
    ...     grad_x = rnn.backward(x, grad)
    """

    def __init__(self, module: Module, rho: int = 9999999) -> None:
        super().__init__(rho)
        self.add_child("module", module)

    def forward_step(self, input: Any, state: Any) -> tuple[Any, list[Any], Any]:
        """Return (output, state, record) of one step; the state is inside the module."""
        output = self._children["module"].forward(input)
        return output, [], {"memory": self._children_memory(), "after": [], "in_sequence": False}

    def backward_step(self, record: Any, input: Any, grad_output: Any, grad_state: Any) -> tuple[Any, list[Any]]:
        """Return the gradient of the input of one step."""
        self._check_stepped(record)
        self._restore_children_memory(record["memory"])
        grad_input = self._children["module"].update_grad_input(input, grad_output)
        record["memory"], record["grad_output"] = self._children_memory(), grad_output
        return grad_input, []

    def accumulate_step(self, record: Any, input: Any, scale: float) -> None:
        """Let the module add its parameters' gradients of one step."""
        self._restore_children_memory(record["memory"])
        self._children["module"].acc_grad_parameters(input, record["grad_output"], scale)

    def forward_sequence(self, input: Any) -> Any:
        """Run all steps the way the module itself does: such a sequence is gone back through as a whole."""
        self.check_input(step_of(input, 0))
        output = self._children["module"].forward_sequence(input)
        self._input_shapes = [leaf.shape[1:] for leaf in leaves(input)]
        self._advance([{"after": [], "in_sequence": True}] * length_of(input), [])
        return output

    def sequence_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through a sequence."""
        if not self._is_whole(length_of(input)):
            return super().sequence_grad_input(input, grad_output)
        grad_input = self._children["module"].sequence_grad_input(input, grad_output)
        self._went_back(length_of(input), [])
        return grad_input

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let the module add its parameters' gradients of all steps."""
        if not self._records[-1]["in_sequence"]:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
            return
        self._children["module"].sequence_acc_grad_parameters(input, grad_output, scale)
        self._accumulated += length_of(input)

    def get_hidden_state(self, step: int | None = None) -> list[Any]:
        """Return a list of the states of the recurrent modules inside; see `AbstractRecurrent`."""
        return [inner.get_hidden_state(step) for inner in self._inner()]

    def set_hidden_state(self, step: int, state: Any) -> None:
        """Set the states of the recurrent modules inside from a list; see `AbstractRecurrent`."""
        self.check_hidden_state(step, state)
        for inner, own in self._for_inner(state):
            inner.set_hidden_state(step, own)

    def check_hidden_state(self, step: int, state: Any) -> None:
        """Raise an error if the modules inside would refuse their states."""
        for inner, own in self._for_inner(state):
            inner.check_hidden_state(step, own)

    def get_grad_hidden_state(self, step: int | None = None) -> list[Any]:
        """Return a list of the gradients of the states of the recurrent modules inside; see `AbstractRecurrent`."""
        return [inner.get_grad_hidden_state(step) for inner in self._inner()]

    def set_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Set the gradients of the newest states inside from a list; see `AbstractRecurrent`."""
        self.check_grad_hidden_state(step, gradient)
        for inner, own in self._for_inner(gradient):
            inner.set_grad_hidden_state(step, own)

    def check_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Raise an error if the modules inside would refuse their gradients."""
        for inner, own in self._for_inner(gradient):
            inner.check_grad_hidden_state(step, own)

    def _for_inner(self, states: Any) -> list[tuple[AbstractRecurrent, Any]]:
        inner = self._inner()
        given = [None] * len(inner) if states is None else states
        if not is_table(given) or len(given) != len(inner):
            expects = f"a table of {len(inner)}, one for each recurrent module inside"
            raise ValueError(complaint(self, f"{describe(given)} as states", expects))
        return list(zip(inner, given, strict=True))

    def _inner(self) -> list[AbstractRecurrent]:
        """Return the recurrent modules directly inside, not those inside other recurrent ones."""
        return list(self._children["module"]._stepped_modules())
