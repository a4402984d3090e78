"""CompositeCriterion and WrappingCriterion: what criterions have in common that are made of others."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe


class CompositeCriterion(Criterion):
    """A criterion that is made of others, `criterions`."""

    def __init__(self) -> None:
        self.criterions: list[Criterion] = []

    def _append(self, criterion: Any) -> None:
        if not isinstance(criterion, Criterion):
            raise TypeError(complaint(type(self).__name__, describe(criterion), "a Criterion"))
        self.criterions.append(criterion)

    def of_steps(self, count: int) -> list[Criterion]:
        """Return the criterion of each of `count` steps."""
        parts = [part.of_steps(count) for part in self.criterions]
        if all(step is part for part, steps in zip(self.criterions, parts, strict=True) for step in steps):
            return [self] * count
        return [self._made_of(list(step)) for step in zip(*parts, strict=True)]

    def _made_of(self, criterions: list[Criterion]) -> Criterion:
        same = copy.copy(self)
        same.criterions = criterions
        return same

    def _mask_takers(self) -> Iterator[Criterion]:
        for part in self.criterions:
            yield from part._mask_takers()


class WrappingCriterion(CompositeCriterion):
    """A criterion around another one, `criterion`."""

    def __init__(self, criterion: Criterion) -> None:
        super().__init__()
        self._append(criterion)

    @property
    def criterion(self) -> Criterion:
        """The criterion inside."""
        return self.criterions[0]
