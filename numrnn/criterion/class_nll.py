"""ClassNLLCriterion: the negative log-likelihood of classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.memory import empty
from numrnn.layers.arrays import check_float_array, check_index_array, check_index_range


class ClassNLLCriterion(Criterion):
    """Minus the log-probability of the target class, averaged over the batch.

    With w the weight of a row's target, the loss is `sum(-w * input[n, target[n]])`, divided by `sum(w)` if
    it averages.

    Parameters
    ----------
    weights : array (classes,), optional
        Weight of each class; without it, all are 1.
    size_average : bool
        Whether to divide by the sum of the weights of the targets.
    ignore_index : int
        Rows with this target count nothing. If all are ignored, the loss and the gradient are 0.

    Notes
    -----
    `input` holds log-probabilities (such as `LogSoftMax` gives), of shape (batch, classes), or (classes,) for
    one sample. `target` holds integers from 0, of shape (batch,); for one sample, one integer.

    Raises
    ------
    TypeError, ValueError
        If `input` or `target` is of another kind or shape.
    IndexError
        If a target is not in 0 .. classes-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> log_probabilities = np.log(np.array([[0.5, 0.5], [0.75, 0.25]]))
    >>> round(nr.ClassNLLCriterion()(log_probabilities, np.array([0, 1])), 4)  # (log 2 + log 4) / 2
    1.0397
    """

    def __init__(self, weights: Any = None, size_average: bool = True, ignore_index: int = -100) -> None:
        self.weights = None if weights is None else np.array(weights, np.float64)
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(
                complaint("ClassNLLCriterion", f"weights of shape {self.weights.shape}", "shape (classes,)")
            )
        self.size_average = bool(size_average)
        self.ignore_index = int(ignore_index)

    def check(self, input: Any, target: Any) -> None:
        """Expect log-probabilities of a batch or of one sample, and its classes."""
        self._check(input, target, axes=())

    def update_output(self, input: np.ndarray, target: Any) -> float:
        """Pick and add up."""
        return self._losses(input[None], np.asarray(target)[None])[0]

    def update_grad_input(self, input: np.ndarray, target: Any) -> np.ndarray:
        """Put each row's weight where its target is."""
        return self._gradients(input[None], np.asarray(target)[None])[0]

    def forward_sequence(self, input: np.ndarray, target: np.ndarray) -> list[float]:
        """Return the losses of all steps."""
        self._check(input, target, axes=("time",))
        return self._losses(input, target).tolist()

    def backward_sequence(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return the gradients of all steps."""
        self._check(input, target, axes=("time",))
        return self._gradients(input, target)

    # The rest works on sequences; one step is a sequence of length 1.

    def _check(self, input: Any, target: Any, axes: tuple[str, ...]) -> None:
        check_float_array(self, input)
        if input.ndim - len(axes) not in (1, 2) or input.shape[-1] == 0:
            batch, sample = ", ".join((*axes, "batch", "classes")), ", ".join((*axes, "classes"))
            raise ValueError(complaint(self, describe(input), f"log-probabilities ({batch}) or ({sample})"))
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
        check_index_range(self, target[target != self.ignore_index], classes, "target")

    def _rows(self, input: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return input (time, batch, classes), targets (time, batch, 1), their shares (time, batch)."""
        if input.ndim == 2:
            input = input[:, None]
        target = target.reshape(input.shape[:2])
        counted = target != self.ignore_index
        target = np.where(counted, target, 0)
        shares = counted.astype(np.float64) if self.weights is None else counted * self.weights[target]
        if self.size_average:
            total = shares.sum(-1, keepdims=True)
            shares = shares / np.where(total == 0, 1, total)
        return input, target[..., None], shares

    def _losses(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        rows, classes, shares = self._rows(input, target)
        picked = np.take_along_axis(rows, classes, -1)[..., 0]
        # A probability of 0 has a logarithm of -inf; where it does not count, it must not turn into 0 * inf.
        return (shares * np.where(shares == 0, 0, -picked)).sum(-1)

    def _gradients(self, input: np.ndarray, target: np.ndarray) -> np.ndarray:
        rows, classes, shares = self._rows(input, target)
        gradients = empty(rows.shape, rows.dtype)
        gradients.fill(0)
        np.put_along_axis(gradients, classes, 0 - shares[..., None], -1)
        return gradients.reshape(input.shape)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        weights = "" if self.weights is None else f"weights={self.weights.tolist()}, "
        return f"{weights}size_average={self.size_average}, ignore_index={self.ignore_index}"
