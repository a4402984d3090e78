"""MultiMarginCriterion: the hinge loss of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.class_criterion import ClassCriterion
from numrnn.errors import complaint


class MultiMarginCriterion(ClassCriterion):
    """Hinge loss of classes: the target's score is to be larger than every other one, by a margin.

    With w the weight of a row's target t, its loss is `w / classes * sum(max(0, margin - input[t] + input[i]) ** p)`
    over all classes i but t. (Crammer and Singer, "On the algorithmic implementation of multiclass kernel-based vector
    machines", 2001, ask this of the largest other score only.)

    Parameters
    ----------
    p : int
        1 for the hinge, or 2 for its square.
    weights : array (classes,), optional
        Weight of each class; without it, all are 1.
    margin : float
        By how much the target's score is to be larger.
    size_average : bool
        Whether to divide by the size of the batch, whatever the weights; otherwise the rows' losses are added up.

    Notes
    -----
    `input` holds scores, of shape (batch, classes), or (classes,) for one sample. `target` holds integers from 0, of
    shape (batch,); for one sample, one integer.

    Raises
    ------
    TypeError, ValueError
        If `p` is neither 1 nor 2, or `input` or `target` is of another kind or shape.
    IndexError
        If a target is not in 0 .. classes-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MultiMarginCriterion()(np.array([[3.0, 2.5, 1.0, 0.0]]), np.array([0]))  # 0.5 / 4
    0.125
    """

    def __init__(self, p: int = 1, weights: Any = None, margin: float = 1, size_average: bool = True) -> None:
        if p not in (1, 2):
            raise ValueError(complaint("MultiMarginCriterion", f"p={p!r}", "1 or 2"))
        super().__init__(weights, size_average)
        self.p, self.margin = int(p), float(margin)

    def shares(self, weights: np.ndarray, counted: np.ndarray, classes: int) -> np.ndarray:
        """Divide by the number of classes, and of rows."""
        return weights / (classes * (max(weights.shape[-1], 1) if self.size_average else 1))

    def row_losses(self, rows: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Add up what the others are too near."""
        missing = self._missing(rows, target).astype(np.float64)
        return (missing if self.p == 1 else missing * missing).sum(-1)

    def row_gradients(self, rows: np.ndarray, target: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Push what is too near away from the target."""
        missing = self._missing(rows, target)
        pushes = (missing > 0 if self.p == 1 else 2 * missing) * shares[..., None].astype(rows.dtype)
        np.put_along_axis(pushes, target[..., None], -pushes.sum(-1, keepdims=True), -1)
        return pushes

    def _missing(self, rows: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return how much each score is too near to the target's, 0 for the target itself."""
        rows = np.ascontiguousarray(rows)  # so that sums are made in one order
        picked = np.take_along_axis(rows, target[..., None], -1)
        missing = np.maximum(rows.dtype.type(self.margin) - picked + rows, 0)
        np.put_along_axis(missing, target[..., None], 0, -1)
        return missing

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"p={self.p}, margin={self.margin:g}, {super().describe_arguments()}"
