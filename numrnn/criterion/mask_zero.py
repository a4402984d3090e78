"""MaskZeroCriterion: a loss without padding."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from numrnn.criterion.class_criterion import LikelihoodCriterion
from numrnn.criterion.composite import WrappingCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_float_array, is_size
from numrnn.table import is_table, leaves, map_table, zero_gradient


class MaskZeroCriterion(WrappingCriterion):
    """A loss of the rows that are no padding.

    The criterion inside sees the other rows only, so that its mean is over these. The gradient of padding is 0. If all
    rows are padding, the loss is 0.

    Without a mask, rows of the input (the prediction) that are all zero are taken for padding: what modules with
    `mask_zero` give for it. With one, given by `set_zero_mask`, a row of zeros is a row as any other, and what is in a
    masked row (NaN, say) does no harm.

    Parameters
    ----------
    criterion : Criterion
        The loss of the rows.
    n_input_dims : int
        Number of axes of one row of the input; the axis before them is that of the rows.

    Notes
    -----
    Arrays of the input have the shape (batch, ...), and so have those of the target; without the axis of the rows they
    are one sample. If the input is a table, the first array in it says which rows are padding.

    In a `SequencerCriterion` the mask has the shape (time, batch), and every step takes its own part, in every call;
    `set_zero_mask` of the outer criterion hands it to this one.

    Raises
    ------
    TypeError
        If `criterion` is none, or the input's first array is no float array.
    ValueError
        If `n_input_dims` is no number of at least 1, if the input has another number of axes, if arrays differ in the
        number of rows, or if the mask is for others.
    TypeError, ValueError, IndexError
        What the criterion raises about the rows.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.MaskZeroCriterion(nr.MSECriterion())
    >>> x, target = np.array([[1.0, 2.0], [0.0, 0.0]]), np.ones((2, 2))
    >>> criterion(x, target)  # (0 + 1) / 2
    0.5
    >>> criterion.set_zero_mask(np.array([True, False]))
    >>> criterion(x, target), criterion.backward(x, target).tolist()
    (1.0, [[0.0, 0.0], [-1.0, -1.0]])
    """

    def __init__(self, criterion: Criterion, n_input_dims: int = 1) -> None:
        super().__init__(criterion)
        if not is_size(n_input_dims):
            raise ValueError(complaint("MaskZeroCriterion", f"n_input_dims={n_input_dims!r}", "a number of at least 1"))
        self.n_input_dims = int(n_input_dims)

    def of_steps(self, count: int) -> list[Criterion]:
        """Return the criterion of each of `count` steps, with the mask of its step."""
        steps, mask = super().of_steps(count), self._zero_mask
        if mask is None:
            return steps
        if mask.shape[:1] != (count,):
            expects = f"one for each of {count} steps, (time, batch)"
            raise ValueError(complaint(self, f"a mask of shape {mask.shape}", expects))
        own = [copy.copy(step) for step in steps]
        for t, step in enumerate(own):
            step._zero_mask = np.asarray(mask[t])
        return own

    def _mask_takers(self) -> Iterator[Criterion]:
        yield self  # what is inside sees other rows

    def check(self, input: Any, target: Any) -> None:
        """Expect arrays of as many rows as the mask has; the rows are for the criterion to check."""
        self._check(input, target, axes=())

    def _check(self, input: Any, target: Any, axes: tuple[str, ...]) -> None:
        arrays = leaves(input)
        if not arrays:
            raise ValueError(complaint(self, describe(input), "at least one array"))
        check_float_array(self, arrays[0])
        rows = arrays[0].shape[: max(arrays[0].ndim - self.n_input_dims, 0)]
        if arrays[0].ndim - self.n_input_dims - len(axes) not in (0, 1):
            own = f"{self.n_input_dims} {'axis' if self.n_input_dims == 1 else 'axes'}"
            expects = f"({', '.join((*axes, 'batch', '...'))}) with rows of {own}, or one row"
            raise ValueError(complaint(self, describe(arrays[0]), expects))
        if self._zero_mask is not None and self._zero_mask.shape != rows:
            got = f"a mask of shape {self._zero_mask.shape} for rows of shape {rows}"
            raise ValueError(complaint(self, got, "a mask of the rows' shape", "set_zero_mask(None) takes it back"))
        for array in [*arrays, *leaves(target)] if rows else []:
            if np.shape(array)[: len(rows)] != rows:
                expects = f"an array that begins with the axes {rows}, as the first one does"
                raise ValueError(complaint(self, describe(array), expects))

    def _mask(self, input: Any) -> np.ndarray:
        """Return which rows are padding."""
        return rows_of_zeros(leaves(input)[0], self.n_input_dims) if self._zero_mask is None else self._zero_mask

    def update_output(self, input: Any, target: Any) -> float:
        """Return the loss of the other rows."""
        kept = self._kept(input, target)
        return 0.0 if kept is None else self.criterion.forward(*kept[:2])

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Put the gradients of the other rows where these are."""
        kept = self._kept(input, target)
        if kept is None:
            return zero_gradient(input)
        *arguments, keep = kept
        gradient = self.criterion.backward(*arguments)
        return gradient if keep is None else map_table(lambda part: _spread(part, keep), gradient)

    def _kept(self, input: Any, target: Any) -> tuple[Any, Any, np.ndarray | None] | None:
        """Return what the criterion inside sees, and which rows that is (None for all); None if there is nothing."""
        mask = self._mask(input)
        if not mask.any():
            return input, target, None
        if self._can_ignore(target, mask.shape):
            return input, self._ignoring(target, mask), None
        if mask.all():
            return None
        keep = ~mask
        return *(map_table(lambda array: array[keep], table) for table in (input, target)), keep

    # A criterion that can ignore targets needs no copies of the other rows; and it takes all steps at once.

    def _can_ignore(self, target: Any, rows: tuple[int, ...]) -> bool:
        return (
            isinstance(self.criterion, LikelihoodCriterion)
            and isinstance(target, np.ndarray)
            and target.dtype.kind in "iu"
            and target.shape == rows
        )

    def _ignoring(self, target: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask, self.criterion.ignore_index, target.astype(np.int64))

    def forward_sequence(self, input: Any, target: Any) -> list[float]:
        """Return the losses of all steps."""
        seen = self._target_of_sequence(input, target)
        return super().forward_sequence(input, target) if seen is None else self.criterion.forward_sequence(input, seen)

    def backward_sequence(self, input: Any, target: Any) -> Any:
        """Return the gradients of all steps."""
        seen = self._target_of_sequence(input, target)
        if seen is None:
            return super().backward_sequence(input, target)
        return self.criterion.backward_sequence(input, seen)

    def _target_of_sequence(self, input: Any, target: Any) -> np.ndarray | None:
        """Return the targets without those of padding, if the criterion can ignore some."""
        if is_table(input) or not isinstance(self.criterion, LikelihoodCriterion):
            return None
        self._check(input, target, axes=("time",))
        mask = self._mask(input)
        return self._ignoring(target, mask) if self._can_ignore(target, mask.shape) else None

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.criterion!r}, n_input_dims={self.n_input_dims}"


def rows_of_zeros(array: np.ndarray, row_axes: int) -> np.ndarray:
    """Return which rows, of that many axes, are all zero; an array of booleans."""
    outer = array.ndim - row_axes
    rows = array.reshape(*array.shape[:outer], math.prod(array.shape[outer:]))
    zero = np.asarray((rows[..., :1] == 0).all(-1))  # most rows are known after one look
    zero[zero] = ~rows[zero].any(-1)
    return zero


def _spread(part: np.ndarray | None, keep: np.ndarray) -> np.ndarray | None:
    """Return rows at their places, and zeros in between."""
    if part is None:
        return None
    whole = np.zeros((len(keep), *part.shape[1:]), part.dtype)
    whole[keep] = part
    return whole
