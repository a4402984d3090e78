"""Table layers: they join, pick and rearrange the elements of a table. None of them has parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import is_index
from numrnn.module import Module
from numrnn.table import copy_gradient, copy_table, is_table, leaves, map_table


class TableLayer(Module):
    """A module whose input is a table of at least one element."""

    row_wise = True

    def check_input(self, input: Any) -> None:
        """Expect a table."""
        if not is_table(input):
            raise TypeError(complaint(self, describe(input), "a table (list) of arrays"))
        if not input:
            raise ValueError(complaint(self, "an empty table", "at least one element"))
        super().check_input(input)

    def check_arrays_alike(self, input: Any, shapes: list[tuple[int, ...]], expects: str) -> None:
        """Raise an error unless the elements' `shapes` are equal, and their element types too."""
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(complaint(self, describe(input), expects))
        if any(element.dtype != input[0].dtype for element in input):
            raise TypeError(complaint(self, describe(input), "elements of one element type"))


class JoinTable(TableLayer):
    """Join arrays along an axis.

    Parameters
    ----------
    axis : int
        Axis to join along. Counted from the end (the default is the last axis), it means the same for one
        sample, a batch and a whole sequence; counted from 0, it is an axis of one step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.JoinTable()([np.zeros((2, 3)), np.ones((2, 4))]).shape
    (2, 7)
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self.axis = int(axis)

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axis stays where it is under further leading axes."""
        return self.axis < 0

    def check_input(self, input: Any) -> None:
        """Expect arrays whose shapes differ along the axis only."""
        super().check_input(input)
        for element in input:
            if is_table(element):
                raise TypeError(complaint(self, describe(input), "a table of arrays, not of tables"))
            if not -element.ndim <= self.axis < element.ndim:
                raise ValueError(complaint(self, describe(input), f"arrays that have an axis {self.axis}"))
        shapes = [self._other_axes(element) for element in input]
        self.check_arrays_alike(input, shapes, f"shapes that differ along axis {self.axis} only")

    def _other_axes(self, element: np.ndarray) -> tuple[int, ...]:
        sizes = list(element.shape)
        sizes[self.axis] = -1
        return tuple(sizes)

    def update_output(self, input: Any) -> np.ndarray:
        """Join the arrays."""
        return np.concatenate(input, axis=self.axis)

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Cut the gradient up again."""
        if is_index(input[0]):
            return [None] * len(input)
        ends = np.cumsum([element.shape[self.axis] for element in input])
        return [part.copy() for part in np.split(grad_output, ends[:-1], axis=self.axis)]

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"axis={self.axis}"


class SelectTable(TableLayer):
    """Pick one element of a table; the gradients of the others are zero.

    Parameters
    ----------
    index : int
        Which one, from 0; a negative index counts from the end.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SelectTable(-1)([np.zeros(3), np.ones(2)]).tolist()
    [1.0, 1.0]
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = int(index)

    def check_input(self, input: Any) -> None:
        """Expect a table that has such an element."""
        super().check_input(input)
        if not -len(input) <= self.index < len(input):
            raise ValueError(complaint(self, describe(input), f"a table that has an element {self.index}"))

    def update_output(self, input: Any) -> Any:
        """Copy the element."""
        return copy_table(input[self.index])

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Give the element the gradient and the others zeros."""
        chosen = self.index % len(input)
        return [
            copy_gradient(element, grad_output) if k == chosen else _zeros(element) for k, element in enumerate(input)
        ]

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return str(self.index)


class FlattenTable(TableLayer):
    """Turn a table of tables into one flat table of all its arrays, in order.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> a, b, c = np.zeros(1), np.zeros(2), np.zeros(3)
    >>> [array.size for array in nr.FlattenTable()([a, [[b], c]])]
    [1, 2, 3]
    """

    def update_output(self, input: Any) -> list[np.ndarray]:
        """Copy the arrays."""
        return copy_table(leaves(input))

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Give the gradients the structure of the input."""
        gradients = iter(grad_output)
        return map_table(lambda leaf: copy_gradient(leaf, next(gradients)), input)


def _zeros(table: Any) -> Any:
    return map_table(lambda leaf: None if is_index(leaf) else np.zeros(leaf.shape, leaf.dtype), table)
