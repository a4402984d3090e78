"""Recursor: any module as a recurrent one."""

from __future__ import annotations

from typing import Any

from numrnn.module import Module
from numrnn.recurrent.composite import CompositeRecurrent
from numrnn.states import StatesOfParts
from numrnn.table import leaves, length_of, step_of


class Recursor(StatesOfParts, CompositeRecurrent):
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

    def mask_zero(self, n_input_dims: int | None = None) -> Recursor:
        """Put a `MaskZero` around the module: rows of zeros in the input give rows of zeros; return this module.

        Recurrent modules inside go on with what they make of rows of zeros, as in the original, unless they have been
        told to `mask_zero` themselves, or masks are given by `set_masks` or `set_zero_mask`.

        Parameters
        ----------
        n_input_dims : int, optional
            Number of axes of a row's input; 1, if not given.
        """
        from numrnn.mask_zero import MaskZero

        masked = MaskZero(self._children["module"], 1 if n_input_dims is None else n_input_dims)
        self.forget()
        self.add_child("module", masked)
        return self

    def _with_states(self) -> list[Module]:
        """Return the recurrent modules directly inside, not those inside other recurrent ones."""
        return list(self._children["module"]._stepped_modules())
