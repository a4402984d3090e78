"""Sequences from their last step to their first."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_axis, is_index
from numrnn.module import Module
from numrnn.recurrent.abstract_recurrent import combined_flags
from numrnn.sequencer.abstract_sequencer import (
    SequenceModule,
    accumulate_part,
    part_back,
    run_part,
)
from numrnn.sequencer.sequencer import as_sequencer
from numrnn.table import copy_gradient, copy_table, is_table, map_table


def backwards(sequence: Any) -> Any:
    """Return copies of arrays of all steps, the last step first."""
    return map_table(lambda array: None if array is None else np.array(array[::-1], order="C"), sequence)


def masks_backwards(owner: object, mask: Any, reset: Any, zero: Any) -> tuple[Any, Any, Any]:
    """Return the masks (see `AbstractRecurrent.set_masks`) for the reversed sequence, if they fit together.

    Rows begin anew where they would in the other direction: where `reset` says that a step is the first of what it
    belongs to, the step before it is the last, and the first one to come now.
    """
    combined_flags(owner, mask, reset, zero)  # raises an error if they do not
    mask, reset, zero = (None if given is None else np.asarray(given)[::-1] for given in (mask, reset, zero))
    if reset is not None:
        reset = np.concatenate([np.zeros_like(reset[:1]), reset[:-1]])
    return mask, reset, zero


class SeqReverseSequence(Module):
    """Reverse an array along an axis.

    Parameters
    ----------
    axis : int
        The axis. Counted from the end, it means the same for one sample, a batch and a whole sequence.

    Raises
    ------
    TypeError, ValueError
        In forward, if the input is not one array that has this axis.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqReverseSequence()(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[3.0, 4.0], [1.0, 2.0]]
    """

    def __init__(self, axis: int = 0) -> None:
        super().__init__()
        self.axis = int(axis)

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axis stays where it is under further leading axes."""
        return self.axis < 0

    def check_input(self, input: Any) -> None:
        """Expect one array that has this axis."""
        check_axis(self, input, self.axis)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy the array in the other order."""
        return np.array(np.flip(input, self.axis), order="C")

    def update_grad_input(self, input: np.ndarray, grad_output: Any) -> np.ndarray | None:
        """Put the gradient into the first order again."""
        return None if is_index(input) else self.update_output(grad_output)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"axis={self.axis}"


class ReverseSequence(Module):
    """Reverse a sequence: the last step becomes the first.

    The input is a table (list) of steps, which may differ in shape, or an array `(time, ...)`. The output is of the
    same kind.

    Raises
    ------
    ValueError
        In forward, if the sequence is empty.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ReverseSequence()(np.array([1.0, 2.0, 3.0])).tolist()
    [3.0, 2.0, 1.0]
    >>> nr.ReverseSequence()([np.zeros(1), np.ones(2)])
    [array([1., 1.]), array([0.])]
    """

    def check_input(self, input: Any) -> None:
        """Expect a table or an array of at least one step."""
        super().check_input(input)
        if (not is_table(input) and np.ndim(input) == 0) or len(input) == 0:
            raise ValueError(complaint(self, describe(input), "a sequence of at least one step"))

    def update_output(self, input: Any) -> Any:
        """Copy the steps in the other order."""
        return copy_table(input[::-1]) if is_table(input) else backwards(input)

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Put the gradients into the first order again."""
        return copy_gradient(input, None if grad_output is None else grad_output[::-1])


class ReverseUnreverse(SequenceModule):
    """Run over a sequence from its last step to its first; the outputs are in the order of the inputs again.

    Parameters
    ----------
    module : Module
        A module of one step, which a `Sequencer` applies to every step, or a module over sequences.

    Notes
    -----
    Input and output are a table (list) of T steps or an array `(time, ...)`. If it remembers, a call goes on from the
    state after the first step of the last call. Masks (`set_masks`) are those of the input's steps, in their order.

    Raises
    ------
    ValueError, RuntimeError
        As a `Sequencer` does.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> lstm, x = nr.Sequencer(nr.LSTM(4, 6)), np.random.default_rng(0).normal(size=(5, 3, 4)).astype("float32")
    >>> y = nr.ReverseUnreverse(lstm)(x)
    >>> bool(np.array_equal(y, lstm(x[::-1])[::-1]))
    True
    """

    is_causal = False

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.add_child("module", as_sequencer(module))
        self._remember = getattr(self.module, "_remember", "neither")

    @property
    def module(self) -> Module:
        """The module over sequences that is run backwards."""
        return self._children["module"]

    def remember(self, mode: str = "both") -> ReverseUnreverse:
        """Choose when a call goes on from the state in which the last one ended; see `AbstractSequencer.remember`."""
        super().remember(mode)
        self.module.remember(mode)
        return self

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Give masks to the recurrent modules in here, for the steps in the order of the input."""
        self.module.set_masks(*masks_backwards(self, mask, reset, zero))

    def run_sequence(self, sequence: Any) -> Any:
        """Return the outputs of all steps."""
        return backwards(run_part(self.module, backwards(sequence)))

    def sequence_back(self, sequence: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps."""
        return backwards(part_back(self.module, backwards(sequence), backwards(grad_output)))

    def accumulate_sequence(self, sequence: Any, grad_output: Any, scale: float) -> None:
        """Let the module add its parameters' gradients of all steps."""
        accumulate_part(self.module, backwards(sequence), backwards(grad_output), scale)

    def _with_states(self) -> Any:
        return self.module
