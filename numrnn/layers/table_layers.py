"""Table layers: they join, pick and rearrange the elements of a table. None of them has parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_axis, is_index
from numrnn.module import Module
from numrnn.table import copy_gradient, copy_table, is_table, leaves, map_table, zero_gradient


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

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Join the symbols' features."""
        return recorder.join(input, self.axis)

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
            copy_gradient(element, grad_output) if k == chosen else zero_gradient(element)
            for k, element in enumerate(input)
        ]

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Pick the symbols."""
        return recorder.elements(input, self.index)[self.index]

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

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Flatten the table of symbols."""
        return leaves(recorder.elements(input))


class NarrowTable(TableLayer):
    """Pick consecutive elements of a table; the gradients of the others are zero.

    Parameters
    ----------
    offset : int
        The first one, from 0.
    length : int
        How many.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.NarrowTable(1, 2)([np.zeros(1), np.ones(1), np.ones(2)])
    [array([1.]), array([1., 1.])]
    """

    def __init__(self, offset: int, length: int = 1) -> None:
        super().__init__()
        if offset < 0 or length < 1:
            got = f"offset={offset}, length={length}"
            raise ValueError(complaint("NarrowTable", got, "an offset of at least 0 and a length of at least 1"))
        self.offset, self.length = int(offset), int(length)

    def check_input(self, input: Any) -> None:
        """Expect a table that is long enough."""
        super().check_input(input)
        if len(input) < self.offset + self.length:
            expects = f"a table of at least {self.offset + self.length} elements"
            raise ValueError(complaint(self, describe(input), expects))

    def update_output(self, input: Any) -> list[Any]:
        """Copy the elements."""
        return copy_table(input[self.offset : self.offset + self.length])

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Give the elements their gradients and the others zeros."""
        gradients = [zero_gradient(element) for element in input]
        for k, gradient in enumerate(grad_output):
            gradients[self.offset + k] = copy_gradient(input[self.offset + k], gradient)
        return gradients

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Pick the symbols."""
        last = self.offset + self.length
        return recorder.elements(input, last - 1)[self.offset : last]

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"{self.offset}, {self.length}"


class ReverseTable(TableLayer):
    """Put the elements of a table in the reverse order.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ReverseTable()([np.zeros(1), np.ones(2)])
    [array([1., 1.]), array([0.])]
    """

    def update_output(self, input: Any) -> list[Any]:
        """Copy the elements, last first."""
        return copy_table(input[::-1])

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Turn the gradients around, too."""
        return copy_gradient(input, grad_output[::-1])

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Turn the table of symbols around."""
        return recorder.elements(input)[::-1]


class ZipTable(TableLayer):
    """Turn a table of tables inside out: `[[a1, a2], [b1, b2]]` into `[[a1, b1], [a2, b2]]`.

    Raises
    ------
    ValueError
        In forward, if the inner tables differ in length.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> a, b = np.zeros(1), np.ones(2)
    >>> nr.ZipTable()([[a, a], [b, b]])
    [[array([0.]), array([1., 1.])], [array([0.]), array([1., 1.])]]
    """

    def check_input(self, input: Any) -> None:
        """Expect a table of tables of one length."""
        super().check_input(input)
        if not all(is_table(element) and len(element) == len(input[0]) and element for element in input):
            raise ValueError(complaint(self, describe(input), "a table of tables of one length"))

    def update_output(self, input: Any) -> list[list[Any]]:
        """Copy the arrays into their new places."""
        return [copy_table(elements) for elements in zip(*input, strict=True)]

    def update_grad_input(self, input: Any, grad_output: Any) -> list[Any]:
        """Turn the gradients inside out again."""
        return [copy_gradient(*pair) for pair in zip(input, map(list, zip(*grad_output, strict=True)), strict=True)]


class SplitTable(Module):
    """Split an array along an axis into a table of arrays, which lack that axis.

    Parameters
    ----------
    axis : int
        The axis. Counted from the end, it means the same for one sample, a batch and a whole sequence; counted from
        0, it is an axis of one step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> [part.shape for part in nr.SplitTable(0)(np.zeros((2, 3, 4)))]
    [(3, 4), (3, 4)]
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = int(axis)

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axis stays where it is under further leading axes."""
        return self.axis < 0

    def check_input(self, input: Any) -> None:
        """Expect an array that has this axis, of at least one element."""
        check_axis(self, input, self.axis)
        if input.shape[self.axis] == 0:
            raise ValueError(complaint(self, describe(input), f"an array with something along axis {self.axis}"))

    def update_output(self, input: np.ndarray) -> list[np.ndarray]:
        """Copy the parts."""
        return [np.array(part, order="C") for part in np.moveaxis(input, self.axis, 0)]

    def update_grad_input(self, input: np.ndarray, grad_output: Any) -> np.ndarray | None:
        """Join the gradients again."""
        return None if is_index(input) else np.stack(grad_output, axis=self.axis)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"axis={self.axis}"


class ExpandAs(TableLayer):
    """Of a table of two arrays, broadcast the second to the shape of the first.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ExpandAs()([np.zeros((2, 3)), np.array([[1.0], [2.0]])]).tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    """

    def check_input(self, input: Any) -> None:
        """Expect two arrays with as many axes, whose sizes are equal or 1 in the second."""
        super().check_input(input)
        if len(input) != 2 or any(is_table(element) or is_index(element) for element in input):
            raise ValueError(complaint(self, describe(input), "a table of exactly 2 float arrays"))
        like, small = input
        pairs = zip(like.shape, small.shape, strict=False)
        if like.ndim != small.ndim or any(size not in (1, wanted) for wanted, size in pairs):
            raise ValueError(complaint(self, describe(input), f"a second array that fits the shape {like.shape}"))

    def update_output(self, input: Any) -> np.ndarray:
        """Broadcast."""
        return np.array(np.broadcast_to(input[1], input[0].shape))

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Add up what was repeated."""
        like, small = input
        axes = tuple(k for k in range(like.ndim) if small.shape[k] != like.shape[k])
        return [np.zeros_like(like), np.array(grad_output.sum(axes, keepdims=True)).reshape(small.shape)]
