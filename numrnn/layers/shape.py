"""Layers that pick parts of an array, change its shape, or reduce an axis. None of them has parameters.

An axis counted from the end means the same for one sample, a batch and a whole sequence; counted from 0, it is an axis
of one step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.layers.arrays import check_axis, check_float_array, is_index, is_size
from numrnn.module import Module


class AxisLayer(Module):
    """A module that works along one axis of an array.

    Parameters
    ----------
    axis : int
        The axis.
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
            raise ValueError(complaint(type(self).__name__, f"axis={axis!r}", "a whole number"))
        self.axis = int(axis)

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axis stays where it is under further leading axes."""
        return self.axis < 0

    def check_input(self, input: Any) -> None:
        """Expect one array that has this axis."""
        check_axis(self, input, self.axis)

    def along(self, array: np.ndarray) -> np.ndarray:
        """Return a view of `array` with the axis first."""
        return np.moveaxis(array, self.axis, 0)

    def describe_arguments(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


class Select(AxisLayer):
    """Pick one position along an axis, which goes away.

    Parameters
    ----------
    axis : int
        The axis.
    index : int
        The position, from 0; a negative one counts from the end.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Select(0, -1)(np.arange(6.0).reshape(3, 2)).tolist()
    [4.0, 5.0]
    """

    def __init__(self, axis: int, index: int) -> None:
        super().__init__(axis)
        self.index = int(index)

    def check_input(self, input: Any) -> None:
        """Expect one array that has this position."""
        super().check_input(input)
        size = input.shape[self.axis]
        if not -size <= self.index < size:
            raise ValueError(complaint(self, describe(input), f"an array with a position {self.index} on the axis"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy what is there."""
        return np.array(self.along(input)[self.index])

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Put the gradient there, and zeros elsewhere."""
        if is_index(input):
            return None
        grad_input = np.zeros(input.shape, input.dtype)
        self.along(grad_input)[self.index] = grad_output
        return grad_input

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"axis={self.axis}, index={self.index}"


class Narrow(AxisLayer):
    """Pick consecutive positions along an axis.

    Parameters
    ----------
    axis : int
        The axis.
    offset : int
        The first position, from 0; a negative one counts from the end.
    length : int
        How many; -1 stands for all from there on.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Narrow(-1, 1, 2)(np.arange(8.0).reshape(2, 4)).tolist()
    [[1.0, 2.0], [5.0, 6.0]]
    """

    def __init__(self, axis: int, offset: int, length: int = 1) -> None:
        super().__init__(axis)
        if not is_size(length) and length != -1:
            raise ValueError(complaint("Narrow", f"length={length!r}", "a whole number of at least 1, or -1"))
        self.offset, self.length = int(offset), int(length)

    def check_input(self, input: Any) -> None:
        """Expect one array that has these positions."""
        super().check_input(input)
        size = input.shape[self.axis]
        part = self._slice(size)
        if part.start < 0 or part.start >= part.stop or part.stop > size:
            expects = f"an array that has {self.length} positions from {self.offset} on"
            raise ValueError(complaint(self, describe(input), expects))

    def _slice(self, size: int) -> slice:
        start = self.offset + (size if self.offset < 0 else 0)
        return slice(start, size if self.length == -1 else start + self.length)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy what is there."""
        return np.array(self._part(input), order="C")

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Put the gradient there, and zeros elsewhere."""
        if is_index(input):
            return None
        grad_input = np.zeros(input.shape, input.dtype)
        self._part(grad_input)[...] = grad_output
        return grad_input

    def _part(self, array: np.ndarray) -> np.ndarray:
        part = self.along(array)[self._slice(array.shape[self.axis])]
        return np.moveaxis(part, 0, self.axis)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Pick some of the symbols' features."""
        symbol = recorder.symbol(input)
        part = self._slice(symbol.width)
        return recorder.narrow(symbol, self.axis, part.start, part.stop)

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"axis={self.axis}, offset={self.offset}, length={self.length}"


class Padding(AxisLayer):
    """Add a constant at one end of an axis.

    Parameters
    ----------
    axis : int
        The axis.
    pad : int
        How much: at the end of the axis, or at its beginning if it is negative.
    value : float
        The constant.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Padding(-1, -2, 0.5)(np.array([1.0, 2.0])).tolist()
    [0.5, 0.5, 1.0, 2.0]
    """

    def __init__(self, axis: int, pad: int, value: float = 0.0) -> None:
        super().__init__(axis)
        self.pad, self.value = int(pad), float(value)

    def check_input(self, input: Any) -> None:
        """Expect one float array that has this axis."""
        super().check_input(input)
        check_float_array(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Add the constant."""
        widths = [(0, 0)] * input.ndim
        widths[self.axis] = (max(-self.pad, 0), max(self.pad, 0))
        return np.pad(input, widths, constant_values=self.value)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Leave out the gradient of what was added."""
        first = max(-self.pad, 0)
        part = self.along(grad_output)[first : first + input.shape[self.axis]]
        return np.array(np.moveaxis(part, 0, self.axis), order="C")

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"axis={self.axis}, pad={self.pad}, value={self.value}"


class Unsqueeze(AxisLayer):
    """Add an axis of one position.

    Parameters
    ----------
    axis : int
        Which axis of the output it is.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Unsqueeze(-1)(np.zeros((2, 3))).shape
    (2, 3, 1)
    """

    def check_input(self, input: Any) -> None:
        """Expect one array that can have this axis."""
        if not isinstance(input, np.ndarray | np.generic):
            raise TypeError(complaint(self, describe(input), "one array"))
        if not -input.ndim - 1 <= self.axis <= input.ndim:
            raise ValueError(complaint(self, describe(input), f"an array that can have an axis {self.axis}"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy, with one axis more."""
        return np.expand_dims(np.array(input), self.axis)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Copy the gradient, without that axis."""
        return None if is_index(input) else np.array(grad_output).reshape(input.shape)


class Squeeze(AxisLayer):
    """Take away an axis of one position.

    Parameters
    ----------
    axis : int
        The axis.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Squeeze(-1)(np.zeros((2, 3, 1))).shape
    (2, 3)
    """

    def check_input(self, input: Any) -> None:
        """Expect one array whose axis has one position."""
        super().check_input(input)
        if input.shape[self.axis] != 1:
            raise ValueError(complaint(self, describe(input), f"an array with one position on axis {self.axis}"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy, without the axis."""
        return np.array(np.squeeze(input, self.axis))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Copy the gradient, with the axis."""
        return None if is_index(input) else np.array(grad_output).reshape(input.shape)


class Transpose(Module):
    """Swap axes.

    Parameters
    ----------
    *pairs : (int, int)
        Axes to swap, one pair after the other.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Transpose((0, 1), (1, 2))(np.zeros((2, 3, 4))).shape
    (3, 4, 2)
    """

    def __init__(self, *pairs: tuple[int, int]) -> None:
        super().__init__()
        if not all(len(pair) == 2 for pair in pairs):
            raise ValueError(complaint("Transpose", f"{pairs}", "pairs of axes, such as (0, 1)"))
        self.pairs = [(int(a), int(b)) for a, b in pairs]

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axes stay where they are under further leading axes."""
        return all(axis < 0 for pair in self.pairs for axis in pair)

    def check_input(self, input: Any) -> None:
        """Expect one array that has these axes."""
        for pair in [*self.pairs, (0, -1)]:
            for axis in pair:
                check_axis(self, input, axis)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Swap the axes."""
        for pair in self.pairs:
            input = np.swapaxes(input, *pair)
        return np.array(input, order="C")

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Swap them back."""
        if is_index(input):
            return None
        for pair in self.pairs[::-1]:
            grad_output = np.swapaxes(grad_output, *pair)
        return np.array(grad_output, order="C")

    def describe_arguments(self) -> str:
        """Return the pairs."""
        return ", ".join(map(str, self.pairs))


class Reshape(Module):
    """Give the array another shape.

    Parameters
    ----------
    *sizes : int
        The new shape; one size may be -1, for whatever is left.
    batch : bool, optional
        Whether the first axis stays (it is the batch) and the sizes are those of the others. Without it, it stays
        unless the array has just as many elements as the sizes say and more than one row.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Reshape(6)(np.zeros((5, 2, 3))).shape
    (5, 6)
    """

    def __init__(self, *sizes: int, batch: bool | None = None) -> None:
        super().__init__()
        if not sizes or sizes.count(-1) > 1 or not all(is_size(size) or size == -1 for size in sizes):
            raise ValueError(complaint(type(self).__name__, f"sizes {sizes}", "sizes of at least 1, at most one -1"))
        self.sizes, self.batch = tuple(map(int, sizes)), batch

    def check_input(self, input: Any) -> None:
        """Expect one array that can have the shape."""
        if not isinstance(input, np.ndarray | np.generic):
            raise TypeError(complaint(self, describe(input), "one array"))
        try:
            np.empty(input.shape, np.bool_).reshape(self._shape(input))
        except ValueError as error:
            raise ValueError(complaint(self, describe(input), f"an array that fits the sizes {self.sizes}")) from error

    def _shape(self, input: np.ndarray) -> tuple[int, ...]:
        keeps = self.batch
        if keeps is None:
            keeps = -1 in self.sizes or input.size != np.prod(self.sizes) or (input.ndim > 0 and len(input) == 1)
            keeps = keeps and input.ndim > 0
        return (*input.shape[:1], *self.sizes) if keeps else self.sizes

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy in the new shape."""
        return np.array(input, order="C").reshape(self._shape(input))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray | None:
        """Copy the gradient in the old shape."""
        return None if is_index(input) else np.array(grad_output, order="C").reshape(input.shape)

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return ", ".join(map(str, self.sizes))


class View(Reshape):
    """Give the whole array of one step another shape.

    Parameters
    ----------
    *sizes : int
        The new shape; one size may be -1, for whatever is left.
    n_input_dims : int, optional
        How many of the last axes get the new sizes; those before them stay. Without it, all do; if the array has so
        many times the elements that the sizes say, that number becomes the first axis.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = np.zeros((5, 3, 4))
    >>> nr.View(12)(x).shape, nr.View(-1, 4)(x).shape, nr.View(12, n_input_dims=2)(x).shape
    ((5, 12), (15, 4), (5, 12))
    """

    def __init__(self, *sizes: int, n_input_dims: int | None = None) -> None:
        super().__init__(*sizes, batch=False)
        self.n_input_dims = n_input_dims

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether leading axes stay."""
        return self.n_input_dims is not None

    def _shape(self, input: np.ndarray) -> tuple[int, ...]:
        if self.n_input_dims is None:
            count = math.prod(self.sizes)
            is_batch = count > 0 and input.size > count and input.size % count == 0
            return (input.size // count, *self.sizes) if is_batch else self.sizes
        kept = input.ndim - self.n_input_dims
        if kept < 0:
            raise ValueError(f"{self.n_input_dims} axes")
        return (*input.shape[:kept], *self.sizes)


# ---- reductions ------------------------------------------------------------------------------------------------------


class Reduction(AxisLayer):
    """A reduction of one axis.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.
    """

    def __init__(self, axis: int = 0) -> None:
        super().__init__(axis)

    def check_input(self, input: Any) -> None:
        """Expect one float array with something along this axis."""
        super().check_input(input)
        check_float_array(self, input)
        if input.shape[self.axis] == 0:
            raise ValueError(complaint(self, describe(input), f"an array with something along axis {self.axis}"))


class Sum(Reduction):
    """Add up along an axis.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.
    size_average : bool
        Whether to divide by the number of summands.
    squeeze : bool
        Whether the axis goes away; otherwise it stays, with one position.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Sum(-1)(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [3.0, 7.0]
    """

    def __init__(self, axis: int = 0, size_average: bool = False, squeeze: bool = True) -> None:
        super().__init__(axis)
        self.size_average, self.squeeze = bool(size_average), bool(squeeze)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Add up, one position after the other."""
        total = np.add.reduce(self.along(input), axis=0, keepdims=False)
        total = np.asarray(total if self._divisor(input) == 1 else total / input.dtype.type(self._divisor(input)))
        return total if self.squeeze else np.expand_dims(total, self.axis)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Repeat the gradient."""
        gradient = np.expand_dims(grad_output, self.axis) if self.squeeze else grad_output
        return np.array(np.broadcast_to(gradient, input.shape)) / input.dtype.type(self._divisor(input))

    def _divisor(self, input: np.ndarray) -> int:
        return input.shape[self.axis] if self.size_average else 1

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"axis={self.axis}, size_average={self.size_average}, squeeze={self.squeeze}"


class Mean(Sum):
    """Average along an axis.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Mean(-1)(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.5, 3.5]
    """

    def __init__(self, axis: int = 0) -> None:
        super().__init__(axis, size_average=True)

    def describe_arguments(self) -> str:
        """Return the axis."""
        return f"axis={self.axis}"


class Max(Reduction):
    """The largest value along an axis; where several are, the first gets the gradient.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Max(-1)(np.array([[1.0, 2.0], [4.0, 3.0]])).tolist()
    [2.0, 4.0]
    """

    def choice(self, input: np.ndarray) -> np.ndarray:
        """Return the positions of the values that are chosen."""
        return np.asarray(input.argmax(self.axis))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Take the values that are chosen."""
        where = np.expand_dims(self.choice(input), self.axis)
        return np.array(np.take_along_axis(input, where, self.axis).squeeze(self.axis))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Give them the gradient."""
        grad_input = np.zeros(input.shape, input.dtype)
        where = np.expand_dims(self.choice(input), self.axis)
        np.put_along_axis(grad_input, where, np.expand_dims(grad_output, self.axis), self.axis)
        return grad_input


class Min(Max):
    """The smallest value along an axis; where several are, the first gets the gradient.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Min(-1)(np.array([[1.0, 2.0], [4.0, 3.0]])).tolist()
    [1.0, 3.0]
    """

    def choice(self, input: np.ndarray) -> np.ndarray:
        """Return the positions of the smallest values."""
        return np.asarray(input.argmin(self.axis))


class ArgMax(Reduction):
    """The position of the largest value along an axis, from 0. It has no gradient: zeros go back.

    Parameters
    ----------
    axis : int
        The axis; by default the first of a step.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ArgMax(-1)(np.array([[1.0, 2.0], [4.0, 3.0]])).tolist()
    [1, 0]
    """

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Find the largest."""
        return np.asarray(input.argmax(self.axis))

    def update_grad_input(self, input: np.ndarray, grad_output: Any) -> np.ndarray:
        """Return zeros."""
        return np.zeros(input.shape, input.dtype)
