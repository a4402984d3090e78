"""ClassCriterion: what losses have in common that compare the scores of classes with the right class."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array, check_index_array, check_index_range


class ClassCriterion(Criterion):
    """The sum of the losses of the rows of a batch, each times a share that is the same whatever the scores.

    A subclass writes `row_losses`, `row_gradients` and `shares`. They work on sequences; one step is a sequence of
    length 1.

    Parameters
    ----------
    weights : array (classes,), optional
        Weight of each class; without it, all are 1.
    size_average : bool
        Whether to average over the batch.
    ignore_index : int, optional
        Rows with this target count nothing.
    """

    scores = "scores"
    """What the input is."""

    def __init__(self, weights: Any = None, size_average: bool = True, ignore_index: int | None = None) -> None:
        self.weights = None if weights is None else np.array(weights, np.float64)
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(
                complaint(type(self).__name__, f"weights of shape {self.weights.shape}", "shape (classes,)")
            )
        self.size_average = bool(size_average)
        self.ignore_index = None if ignore_index is None else int(ignore_index)

    def row_losses(self, rows: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the losses (time, batch) of scores (time, batch, classes). Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no row_losses")

    def row_gradients(self, rows: np.ndarray, target: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return the gradients of shares * losses, in a new array. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no row_gradients")

    def shares(self, weights: np.ndarray, counted: np.ndarray, classes: int) -> np.ndarray:
        """Return the shares (time, batch), in float64. Subclasses write this.

        `weights` are those of the targets, 0 for rows that are not `counted`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no shares")

    def check(self, input: Any, target: Any) -> None:
        """Expect the scores of a batch or of one sample, and its classes."""
        self._check(input, target, axes=())

    def update_output(self, input: np.ndarray, target: Any) -> float:
        """Add up the losses."""
        return self._losses(input[None], np.asarray(target)[None])[0]

    def update_grad_input(self, input: np.ndarray, target: Any) -> np.ndarray:
        """Return each row's gradient."""
        return self._gradients(input[None], np.asarray(target)[None])[0]

    def forward_sequence(self, input: np.ndarray, target: np.ndarray) -> list[float]:
        """Return the losses of all steps."""
        self._check(input, target, axes=("time",))
        return self._losses(input, target).tolist()

    def backward_sequence(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the gradients of all steps."""
        self._check(input, target, axes=("time",))
        return self._gradients(input, target)

    def _check(self, input: Any, target: Any, axes: tuple[str, ...]) -> None:
        check_float_array(self, input)
        if input.ndim - len(axes) not in (1, 2) or input.shape[-1] == 0:
            batch, sample = ", ".join((*axes, "batch", "classes")), ", ".join((*axes, "classes"))
            raise ValueError(complaint(self, describe(input), f"{self.scores} ({batch}) or ({sample})"))
        classes = input.shape[-1]
        if self.weights is not None and len(self.weights) != classes:
            raise ValueError(complaint(self, describe(input), f"{len(self.weights)} classes, as many as weights"))
        if isinstance(target, int) and not isinstance(target, bool):
            target = np.asarray(target)
        check_index_array(self, target)
        lone_sample = input.ndim - len(axes) == 1 and target.shape == (*input.shape[:-1], 1)
        if target.shape != input.shape[:-1] and not lone_sample:
            raise ValueError(
                complaint(self, f"targets of shape {target.shape}", f"shape {input.shape[:-1]}, as the input has")
            )
        if target.size and not (target.min() >= 0 and target.max() < classes):  # those that are ignored, at best
            check_index_range(self, target[self._is_counted(target)], classes, "target")

    def _is_counted(self, target: np.ndarray) -> np.ndarray:
        if self.ignore_index is None:
            return np.ones(target.shape, bool)
        return np.asarray(target != self.ignore_index)

    def _rows(self, input: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return input (time, batch, classes), targets (time, batch), their shares (time, batch)."""
        rows = input[:, None] if input.ndim == 2 else input
        target = np.ascontiguousarray(target.reshape(rows.shape[:2]))  # so that sums are made in one order
        counted = self._is_counted(target)
        target = np.where(counted, target, 0)
        weights = counted.astype(np.float64) if self.weights is None else counted * self.weights[target]
        return rows, target, self.shares(weights, counted, input.shape[-1])

    def _losses(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        rows, classes, shares = self._rows(input, target)
        # A row that does not count may hold anything; it must not turn into 0 * inf.
        return (shares * np.where(shares == 0, 0, self.row_losses(rows, classes))).sum(-1)

    def _gradients(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        return self.row_gradients(*self._rows(input, target)).reshape(input.shape)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        weights = "" if self.weights is None else f"weights={self.weights.tolist()}, "
        ignored = "" if self.ignore_index is None else f", ignore_index={self.ignore_index}"
        return f"{weights}size_average={self.size_average}{ignored}"


class LikelihoodCriterion(ClassCriterion):
    """Minus the log-probability of the target class, averaged by the weights of the targets."""

    def __init__(self, weights: Any = None, size_average: bool = True, ignore_index: int = -100) -> None:
        super().__init__(weights, size_average, ignore_index)

    def shares(self, weights: np.ndarray, counted: np.ndarray, classes: int) -> np.ndarray:
        """Divide by the sum of the weights."""
        if not self.size_average:
            return weights
        total = weights.sum(-1, keepdims=True)
        return weights / np.where(total == 0, 1, total)
