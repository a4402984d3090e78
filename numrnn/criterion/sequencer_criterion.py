"""SequencerCriterion and RepeaterCriterion: a loss over all steps of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.composite import WrappingCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.table import is_table, map_table, split_steps, stack_steps


class _OverSteps(WrappingCriterion):
    """What both have in common: a subclass says what the targets of the steps are."""

    def __init__(self, criterion: Criterion, size_average: bool = False) -> None:
        super().__init__(criterion)
        self.size_average = bool(size_average)

    def _targets(self, input: Any, target: Any) -> Any:
        """Return the targets of all steps, as an array or a table."""
        raise NotImplementedError

    def check(self, input: Any, target: Any) -> None:
        """Expect a sequence; the steps are for the criterion to check."""
        self._check_sequence(input)
        if len(input) == 0:
            raise ValueError(complaint(self, "a sequence without steps", "at least one step"))

    def _check_sequence(self, sequence: Any) -> None:
        if not is_table(sequence) and (not isinstance(sequence, np.ndarray) or sequence.ndim == 0):
            raise TypeError(complaint(self, describe(sequence), "a table of steps, or an array (time, ...)"))

    def update_output(self, input: Any, target: Any) -> float:
        """Add up the losses, first step first."""
        target = self._targets(input, target)
        if _is_block(input) and _is_block(target):
            losses = self.criterion.forward_sequence(stack_steps(input), stack_steps(target))
        else:
            steps = zip(self.criterion.of_steps(len(input)), input, target, strict=True)
            losses = [own.forward(*step) for own, *step in steps]
        return sum(losses) / self._divisor(input)

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Take each step's gradient."""
        target, divisor = self._targets(input, target), self._divisor(input)
        if _is_block(input) and _is_block(target):
            gradients = self.criterion.backward_sequence(stack_steps(input), stack_steps(target))
            if divisor != 1:
                gradients /= divisor
            return split_steps(gradients, len(input)) if is_table(input) else gradients
        steps = zip(self.criterion.of_steps(len(input)), input, target, strict=True)
        gradients = [own.backward(*step) for own, *step in steps]
        gradients = map_table(lambda gradient: None if gradient is None else gradient / divisor, gradients)
        return gradients if is_table(input) else stack_steps(gradients)

    def _divisor(self, input: Any) -> int:
        return len(input) if self.size_average else 1

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.criterion!r}, size_average={self.size_average}"


class SequencerCriterion(_OverSteps):
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
        Or if a mask is set that is for another number of steps.
    TypeError, ValueError, IndexError
        What the criterion raises about a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.SequencerCriterion(nr.MSECriterion())
    >>> criterion(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2)))  # (1 + 4) / 2 + (9 + 16) / 2
    15.0
    """

    def check(self, input: Any, target: Any) -> None:
        """Expect sequences of one length; the steps are for the criterion to check."""
        self._check_sequence(input)
        self._check_sequence(target)
        if len(input) != len(target):
            got = f"an input of {len(input)} steps and a target of {len(target)} steps"
            raise ValueError(complaint(self, got, "sequences of one length"))
        super().check(input, target)

    def _targets(self, input: Any, target: Any) -> Any:
        return target


class RepeaterCriterion(_OverSteps):
    """Add up a criterion's losses over the steps of a sequence, all against one target.

    Parameters
    ----------
    criterion : Criterion
        The loss of one step.
    size_average : bool
        Whether to divide the sum, and the gradients, by the number of steps.

    Notes
    -----
    `input` is a table of steps or an array `(time, ...)`, of any length; `target` is what the criterion takes for one
    step.

    Raises
    ------
    ValueError
        If the input has no steps.
    TypeError, ValueError, IndexError
        What the criterion raises about a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.RepeaterCriterion(nr.MSECriterion())
    >>> criterion(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0]))  # 0 + (4 + 4) / 2
    4.0
    """

    def _targets(self, input: Any, target: Any) -> Any:
        if isinstance(target, np.ndarray):
            return np.broadcast_to(target, (len(input), *target.shape))
        return [target] * len(input)


def _is_block(sequence: Any) -> bool:
    """Whether the steps are alike and can be one array (they may differ in batch size, or be tables)."""
    if not is_table(sequence):
        return True
    if any(is_table(step) for step in sequence):
        return False
    return len({(np.shape(step), getattr(step, "dtype", type(step))) for step in sequence}) == 1
