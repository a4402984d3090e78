"""SequencerCriterion: a loss over all steps of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.table import is_table, map_table, split_steps, stack_steps


class SequencerCriterion(Criterion):
    """Add up a criterion's losses over the steps of a sequence.

    Parameters
    ----------
    criterion : Criterion
        The loss of one step.
    size_average : bool
        Whether to divide the sum, and the gradients, by the number of steps.

    Notes
    -----
    `input` and `target` are tables of steps, or arrays `(time, ...)`, each as it likes. The gradient is of the
    kind of the input; for a table, its elements are views of one block, which a Sequencer takes without
    copying.

    Raises
    ------
    ValueError
        If `input` and `target` differ in length, or have no steps.
    TypeError, ValueError, IndexError
        What the criterion raises about a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.SequencerCriterion(nr.MSECriterion())
    >>> criterion(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2)))  # (1 + 4) / 2 + (9 + 16) / 2
    15.0
    """

    def __init__(self, criterion: Criterion, size_average: bool = False) -> None:
        if not isinstance(criterion, Criterion):
            raise TypeError(complaint("SequencerCriterion", describe(criterion), "a Criterion"))
        self.criterion = criterion
        self.size_average = bool(size_average)

    def check(self, input: Any, target: Any) -> None:
        """Expect sequences of one length; the steps are for the criterion to check."""
        for sequence in (input, target):
            if not is_table(sequence) and (not isinstance(sequence, np.ndarray) or sequence.ndim == 0):
                raise TypeError(complaint(self, describe(sequence), "a table of steps, or an array (time, ...)"))
        if len(input) != len(target):
            got = f"an input of {len(input)} steps and a target of {len(target)} steps"
            raise ValueError(complaint(self, got, "sequences of one length"))
        if len(input) == 0:
            raise ValueError(complaint(self, "a sequence without steps", "at least one step"))

    def update_output(self, input: Any, target: Any) -> float:
        """Add up the losses, first step first."""
        if _is_block(input) and _is_block(target):
            losses = self.criterion.forward_sequence(stack_steps(input), stack_steps(target))
        else:
            losses = [self.criterion.forward(*step) for step in zip(input, target, strict=True)]
        return sum(losses) / self._divisor(input)

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Take each step's gradient."""
        divisor = self._divisor(input)
        if _is_block(input) and _is_block(target):
            gradients = self.criterion.backward_sequence(stack_steps(input), stack_steps(target))
            if divisor != 1:
                gradients /= divisor
            return split_steps(gradients, len(input)) if is_table(input) else gradients
        steps = [self.criterion.backward(*step) for step in zip(input, target, strict=True)]
        return map_table(lambda gradient: None if gradient is None else gradient / divisor, steps)

    def _divisor(self, input: Any) -> int:
        return len(input) if self.size_average else 1

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.criterion!r}, size_average={self.size_average}"


def _is_block(sequence: Any) -> bool:
    """Whether the steps are alike and can be one array (they may differ in batch size, or be tables)."""
    if not is_table(sequence):
        return True
    if any(is_table(step) for step in sequence):
        return False
    return len({(np.shape(step), getattr(step, "dtype", type(step))) for step in sequence}) == 1
