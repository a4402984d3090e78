"""VariableLength: sequences of unequal lengths as one batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import is_index
from numrnn.module import Module
from numrnn.sequencer.sequencer import as_sequencer
from numrnn.table import is_table


class VariableLength(Module):
    """A module over a batch of sequences of unequal lengths.

    The sequences run as one batch, the longest first, and nothing of what is beyond a sequence's end touches its
    results, in either direction of time. Fused loops of cells leave the padding out.

    Parameters
    ----------
    module : Module
        A module over sequences, such as a `Sequencer` or a stack of several; or a module of one step, which is put into
        a `Sequencer`. Each call begins new sequences.
    last_only : bool
        Whether only the output at the last step of each sequence is given.

    Notes
    -----
    The input is a table of N arrays `(length, ...)`, in any order; a length may be 0. The output is a table of arrays
    of the same lengths; with `last_only` one array `(N, ...)`, whose rows are zero for sequences without steps. The
    recurrent modules inside are given a mask (see `AbstractRecurrent.set_masks`) in each call.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is no table of arrays that differ in length only, or all of them are empty.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> model = nr.VariableLength(nr.LSTM(4, 6))
    >>> [y.shape for y in model([np.zeros((length, 4), "float32") for length in (2, 0, 5)])]
    [(2, 6), (0, 6), (5, 6)]
    """

    memory = ("_order", "_lengths")

    def __init__(self, module: Module, last_only: bool = False) -> None:
        super().__init__()
        self.add_child("module", as_sequencer(module))
        self.last_only = bool(last_only)
        self._order: np.ndarray = np.zeros(0, int)  # of the last input: the longest first
        self._lengths: np.ndarray = np.zeros(0, int)  # in that order

    @property
    def module(self) -> Module:
        """The module over sequences."""
        return self._children["module"]

    def check_input(self, input: Any) -> None:
        """Expect a table of arrays that differ in length only."""
        if not is_table(input) or not input:
            raise TypeError(complaint(self, describe(input), "a table of at least one sequence"))
        for sequence in input:
            if not isinstance(sequence, np.ndarray) or sequence.ndim == 0:
                raise TypeError(complaint(self, describe(input), "a table of arrays (length, ...)"))
        first = input[0]
        if any(a.shape[1:] != first.shape[1:] or a.dtype != first.dtype for a in input):
            raise ValueError(complaint(self, describe(input), "sequences that differ in length only"))
        if not any(map(len, input)):
            raise ValueError(complaint(self, describe(input), "at least one sequence that has a step"))

    def forward(self, input: Any) -> Any:
        """Return the outputs; if that fails, nothing has changed."""
        return self._or_undo(super().forward, input)

    def update_output(self, input: Any) -> Any:
        """Run the sequences as one batch."""
        lengths = np.array([len(sequence) for sequence in input])
        self._order = np.argsort(-lengths, kind="stable")
        self._lengths = lengths[self._order]
        self.module.forget()
        self.module.set_masks(zero=np.arange(self._lengths[0])[:, None] >= self._lengths)
        output = self.module.forward(self._padded([input[k] for k in self._order]))
        if not isinstance(output, np.ndarray):
            raise TypeError(complaint(self, describe(output), "a module whose output is one array"))
        if not self.last_only:
            return self._unpadded(output)
        last = np.zeros((len(input), *output.shape[2:]), output.dtype)
        has_steps = self._lengths > 0
        last[self._order[has_steps]] = output[self._lengths[has_steps] - 1, np.flatnonzero(has_steps)]
        return last

    def _padded(self, sequences: list[Any]) -> np.ndarray:
        """Return sequences, the longest first, as one array `(time, batch, ...)` with zeros at their ends."""
        whole = np.zeros((len(sequences[0]), len(sequences), *sequences[0].shape[1:]), sequences[0].dtype)
        for k, sequence in enumerate(sequences):
            whole[: len(sequence), k] = sequence
        return whole

    def _unpadded(self, array: np.ndarray) -> list[np.ndarray]:
        """Return the sequences in the caller's order."""
        sequences: list[Any] = [None] * len(self._order)
        for k, (place, length) in enumerate(zip(self._order, self._lengths, strict=True)):
            sequences[place] = np.array(array[:length, k])
        return sequences

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through the sequences as one batch."""
        gradient = self.module.update_grad_input(*self._batched(input, grad_output))
        return [None] * len(input) if is_index(input[0]) else self._unpadded(gradient)

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients."""
        self.module.acc_grad_parameters(*self._batched(input, grad_output), scale)

    def _batched(self, input: Any, grad_output: Any) -> tuple[np.ndarray, np.ndarray]:
        if not self.last_only:
            gradient = self._padded([grad_output[k] for k in self._order])
        else:
            gradient = np.zeros((self._lengths[0], *grad_output.shape), grad_output.dtype)
            has_steps = np.flatnonzero(self._lengths > 0)
            gradient[self._lengths[has_steps] - 1, has_steps] = grad_output[self._order[has_steps]]
        return self._padded([input[k] for k in self._order]), gradient

    def describe_arguments(self) -> str:
        """Return the module and whether only the last step counts."""
        return f"{self.module!r}, last_only={self.last_only}"
