"""ParallelCriterion and MultiCriterion: weighted sums of losses."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from numrnn.criterion.composite import CompositeCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.table import add_tables, is_table, map_table


class _WeightedSum(CompositeCriterion):
    """What both have in common: a subclass says what each criterion is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[float] = []

    def add(self, criterion: Criterion, weight: float = 1) -> _WeightedSum:
        """Append a criterion, whose loss is multiplied by `weight`; return this one."""
        if isinstance(weight, bool) or not isinstance(weight, int | float | np.number):
            raise TypeError(complaint(self, f"a weight that is {describe(weight)}", "a number"))
        self._append(criterion)
        self.weights.append(float(weight))
        return self

    def _pairs(self, input: Any, target: Any) -> list[tuple[Any, Any]]:
        """Return the input and the target of each criterion."""
        raise NotImplementedError

    def _joined(self, gradients: list[Any]) -> Any:
        """Return the gradient of the input, from those of the criterions."""
        raise NotImplementedError

    def check(self, input: Any, target: Any) -> None:
        """Expect criterions; what they are given is for them to check."""
        if not self.criterions:
            raise ValueError(complaint(self, "a call with no criterion added", "at least one criterion"))

    def update_output(self, input: Any, target: Any) -> float:
        """Add up the weighted losses."""
        parts = zip(self.weights, self.criterions, self._pairs(input, target), strict=True)
        return sum(weight * criterion.forward(*pair) for weight, criterion, pair in parts)

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Weight the gradients."""
        parts = zip(self.weights, self.criterions, self._pairs(input, target), strict=True)
        return self._joined([_times(weight, criterion.backward(*pair)) for weight, criterion, pair in parts])

    def forward_sequence(self, input: Any, target: Any) -> list[float]:
        """Return the losses of all steps."""
        self.check(input, target)
        pairs = zip(self.criterions, self._pairs(input, target), strict=True)
        steps = zip(*(criterion.forward_sequence(*pair) for criterion, pair in pairs), strict=True)
        return [sum(weight * loss for weight, loss in zip(self.weights, step, strict=True)) for step in steps]

    def backward_sequence(self, input: Any, target: Any) -> Any:
        """Return the gradients of all steps."""
        self.check(input, target)
        parts = zip(self.weights, self.criterions, self._pairs(input, target), strict=True)
        return self._joined([_times(weight, criterion.backward_sequence(*pair)) for weight, criterion, pair in parts])

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        parts = zip(self.weights, self.criterions, strict=True)
        return ", ".join(f"{weight:g} * {criterion!r}" for weight, criterion in parts)


class ParallelCriterion(_WeightedSum):
    """A weighted sum of losses, the k-th of the k-th elements of an input table and a target table.

    Criterions are added one by one, in the order of the tables: `ParallelCriterion().add(first).add(second, 0.5)`.

    Parameters
    ----------
    repeat_target : bool
        Whether one target, instead of a table of targets, is that of all criterions.

    Raises
    ------
    TypeError
        In `add`, if it is given no criterion, or no number as the weight.
    TypeError, ValueError
        If the input, or the target if it is not repeated, is no table of as many elements as there are criterions.
    TypeError, ValueError, IndexError
        What the criterions raise about their elements.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.ParallelCriterion().add(nr.MSECriterion()).add(nr.ClassNLLCriterion(), 0.5)
    >>> criterion([np.array([3.0]), np.array([-2.0, -0.5])], [np.array([1.0]), 0])  # 4 + 0.5 * 2
    5.0
    """

    def __init__(self, repeat_target: bool = False) -> None:
        super().__init__()
        self.repeat_target = bool(repeat_target)

    def check(self, input: Any, target: Any) -> None:
        """Expect tables of as many elements as there are criterions."""
        super().check(input, target)
        for what, value in (("input", input), ("target", target)):
            if what == "target" and self.repeat_target:
                continue
            if not is_table(value) or len(value) != len(self.criterions):
                wrong = ValueError if is_table(value) else TypeError
                expects = f"a table of {len(self.criterions)}, one for each criterion"
                raise wrong(complaint(self, f"{describe(value)} as {what}", expects))

    def _pairs(self, input: Any, target: Any) -> list[tuple[Any, Any]]:
        targets = [target] * len(input) if self.repeat_target else target
        return list(zip(input, targets, strict=True))

    def _joined(self, gradients: list[Any]) -> Any:
        return gradients

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        parts = super().describe_arguments()
        return f"{parts}{', ' if parts else ''}repeat_target={self.repeat_target}"


class MultiCriterion(_WeightedSum):
    """A weighted sum of losses of one input and one target.

    Criterions are added one by one: `MultiCriterion().add(first).add(second, 0.5)`.

    Raises
    ------
    TypeError
        In `add`, if it is given no criterion, or no number as the weight.
    ValueError
        If no criterion was added.
    TypeError, ValueError, IndexError
        What the criterions raise about input and target.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.MultiCriterion().add(nr.MSECriterion()).add(nr.AbsCriterion(), 0.5)
    >>> criterion(np.array([3.0]), np.array([1.0]))  # 4 + 0.5 * 2
    5.0
    """

    def _pairs(self, input: Any, target: Any) -> list[tuple[Any, Any]]:
        return [(input, target)] * len(self.criterions)

    def _joined(self, gradients: list[Any]) -> Any:
        return reduce(add_tables, gradients)


def _times(weight: float, gradients: Any) -> Any:
    return map_table(
        lambda gradient: None if gradient is None else np.asarray(gradient * gradient.dtype.type(weight)), gradients
    )
