"""Criterion: what every loss is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.table import length_of, stack_steps, step_of


class Criterion:
    """Base class of losses: a number for how far an input is from a target, and its gradient.

    A subclass writes `check`, `update_output` and `update_grad_input`.
    """

    def forward(self, input: Any, target: Any) -> float:
        """Return the loss.

        Raises
        ------
        TypeError, ValueError, IndexError
            If input and target do not fit the criterion, or each other.
        """
        self.check(input, target)
        return float(self.update_output(input, target))

    def backward(self, input: Any, target: Any) -> Any:
        """Return the gradient of the loss with respect to `input`; no forward needs to come first."""
        self.check(input, target)
        return self.update_grad_input(input, target)

    def __call__(self, input: Any, target: Any) -> float:
        """Return `forward(input, target)`."""
        return self.forward(input, target)

    def check(self, input: Any, target: Any) -> None:
        """Raise an error if the arguments do not fit. Subclasses write this."""

    def update_output(self, input: Any, target: Any) -> float:
        """Compute the loss. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no update_output")

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Compute the gradient, in new arrays. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no update_grad_input")

    # ---- whole sequences: arrays with a leading time axis, for SequencerCriterion --------------------------

    def forward_sequence(self, input: Any, target: Any) -> list[float]:
        """Return the losses of all steps."""
        steps = self.of_steps(length_of(input))
        return [own.forward(step_of(input, t), step_of(target, t)) for t, own in enumerate(steps)]

    def backward_sequence(self, input: Any, target: Any) -> Any:
        """Return the gradients of all steps, each of its own loss, as arrays with a leading time axis."""
        steps = self.of_steps(length_of(input))
        return stack_steps([own.backward(step_of(input, t), step_of(target, t)) for t, own in enumerate(steps)])

    def of_steps(self, count: int) -> list[Criterion]:
        """Return the criterion of each of `count` steps: this one, or copies that hold the masks of their steps."""
        return [self] * count

    # ---- padding -------------------------------------------------------------------------------------------

    def set_zero_mask(self, mask: Any) -> None:
        """Say which rows are padding: what every `MaskZeroCriterion` in here, and this one, goes by from now on.

        Parameters
        ----------
        mask : array of bool, or None
            True for padding; of the shape of the rows, such as (batch,), and in a `SequencerCriterion`
            (time, batch): every step takes its own. None (or False) goes back to what the input says.

        Raises
        ------
        TypeError
            If the mask is no array of booleans (nor None).
        ValueError
            If there is no `MaskZeroCriterion`.
        """
        takers = list(self._mask_takers())
        if not takers:
            raise ValueError(complaint(self, "set_zero_mask()", "a MaskZeroCriterion in it"))
        if mask is None or mask is False:
            own = None
        elif isinstance(mask, np.ndarray) and mask.dtype == bool:
            own = mask.copy()
        else:
            raise TypeError(complaint(self, describe(mask), "a mask that is an array of booleans, or None"))
        for taker in takers:
            taker._zero_mask = own

    _zero_mask: np.ndarray | None = None

    def _mask_takers(self) -> Iterator[Criterion]:
        """Iterate over what takes a mask: this criterion, or others inside it."""
        return iter(())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe_arguments()})"

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return ""
