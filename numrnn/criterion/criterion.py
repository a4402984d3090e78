"""Criterion: what every loss is."""

from __future__ import annotations

from typing import Any

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
        return [self.forward(step_of(input, t), step_of(target, t)) for t in range(length_of(input))]

    def backward_sequence(self, input: Any, target: Any) -> Any:
        """Return the gradients of all steps, each of its own loss, as arrays with a leading time axis."""
        return stack_steps([self.backward(step_of(input, t), step_of(target, t)) for t in range(length_of(input))])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.describe_arguments()})"

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return ""
