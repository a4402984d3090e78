"""Layers that multiply the arrays of a table with each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_outer_products, affine
from numrnn.kernels.cpu.memory import empty
from numrnn.layers.arrays import check_axis, check_float_array, compact, is_size
from numrnn.layers.table_arithmetic import PairTable
from numrnn.layers.table_layers import TableLayer
from numrnn.random import generator
from numrnn.table import is_table


def _check_two(owner: TableLayer, input: Any) -> None:
    if len(input) != 2:
        raise ValueError(complaint(owner, describe(input), "a table of exactly 2 arrays"))
    for element in input:
        check_float_array(owner, element)
    if input[0].dtype != input[1].dtype:
        raise TypeError(complaint(owner, describe(input), "elements of one element type"))


class DotProduct(PairTable):
    """The inner product of two arrays along the last axis.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.DotProduct()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])]).tolist()
    [50.0]
    """

    def check_input(self, input: Any) -> None:
        """Expect two float arrays of one shape with at least one axis."""
        super().check_input(input)
        if input[0].ndim == 0:
            raise ValueError(complaint(self, describe(input), "arrays (..., features)"))

    def update_output(self, input: Any) -> np.ndarray:
        """Multiply and add up."""
        return np.asarray((input[0] * input[1]).sum(-1))

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Give each array the other one times the gradient."""
        return [grad_output[..., None] * input[1], grad_output[..., None] * input[0]]


class MM(TableLayer):
    """The matrix product of two arrays `(..., rows, columns)`, matrix by matrix.

    Parameters
    ----------
    trans_a, trans_b : bool
        Whether the first, the second, is transposed before.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MM(trans_b=True)([np.zeros((3, 5, 4)), np.zeros((3, 6, 4))]).shape
    (3, 5, 6)
    """

    def __init__(self, trans_a: bool = False, trans_b: bool = False) -> None:
        super().__init__()
        self.trans_a, self.trans_b = bool(trans_a), bool(trans_b)

    def check_input(self, input: Any) -> None:
        """Expect two float arrays of matrices that can be multiplied."""
        super().check_input(input)
        _check_two(self, input)
        a, b = input
        fits = a.ndim == b.ndim >= 2 and a.shape[:-2] == b.shape[:-2]
        if not fits or a.shape[-2 if self.trans_a else -1] != b.shape[-1 if self.trans_b else -2]:
            raise ValueError(complaint(self, describe(input), "arrays (..., rows, columns) that can be multiplied"))

    def update_output(self, input: Any) -> np.ndarray:
        """Multiply."""
        return _products(_swapped(input[0], self.trans_a), _swapped(input[1], self.trans_b))

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Multiply the gradient with the other factor, transposed."""
        a, b = _swapped(input[0], self.trans_a), _swapped(input[1], self.trans_b)
        grad_a = _products(grad_output, _swapped(b, True))
        grad_b = _products(_swapped(a, True), grad_output)
        return [compact(_swapped(grad_a, self.trans_a)), compact(_swapped(grad_b, self.trans_b))]

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"trans_a={self.trans_a}, trans_b={self.trans_b}"


def _swapped(array: np.ndarray, is_swapped: bool) -> np.ndarray:
    return np.swapaxes(array, -1, -2) if is_swapped else array


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    output = empty((*a.shape[:-1], b.shape[-1]), a.dtype)
    zeros = np.zeros(b.shape[-1], a.dtype)
    for index in np.ndindex(a.shape[:-2]):
        affine(compact(a[index]), compact(b[index]), zeros, output[index])
    return output


class Bilinear(TableLayer):
    """A bilinear form of two arrays: `y_k = a W_k b + bias_k`.

    Parameters
    ----------
    input_size_1, input_size_2 : int
        Numbers of features of the first and the second array.
    output_size : int
        Number of features of the output.
    bias : bool
        Whether there is a bias.
    rng : numpy.random.Generator or int, optional
        Where the initial values, uniform between plus and minus `input_size_1 ** -0.5`, are drawn from.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (output_size, input_size_1, input_size_2).
    bias, grad_bias : numpy.ndarray
        Shape (output_size,).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Bilinear(4, 6, 2)([np.zeros((3, 4), "float32"), np.zeros((3, 6), "float32")]).shape
    (3, 2)
    """

    def __init__(
        self, input_size_1: int, input_size_2: int, output_size: int, bias: bool = True, rng: Any = None
    ) -> None:
        super().__init__()
        sizes = input_size_1, input_size_2, output_size
        if not all(map(is_size, sizes)):
            raise ValueError(complaint("Bilinear", f"sizes {sizes}", "whole numbers, sizes of at least 1"))
        self.sizes, self.has_bias = tuple(map(int, sizes)), bool(bias)
        self.add_parameter("weight", np.zeros((output_size, input_size_1, input_size_2), "float32"))
        if self.has_bias:
            self.add_parameter("bias", np.zeros(output_size, "float32"))
        self.reset(rng)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw, bound = generator(rng), self.sizes[0] ** -0.5
        for parameter in self._parameters.values():
            parameter[...] = draw.uniform(-bound, bound, parameter.shape)
        self.parameters_changed()

    def check_input(self, input: Any) -> None:
        """Expect a table of two arrays `(..., features)`."""
        super().check_input(input)
        if any(map(is_table, input)):
            raise TypeError(complaint(self, describe(input), "a table of two arrays"))
        _check_two(self, input)
        if input[0].dtype != self.dtype:
            raise TypeError(complaint(self, describe(input), f"arrays of {self.dtype.name}"))
        sizes = tuple(element.shape[-1] if element.ndim else 0 for element in input)
        if sizes != self.sizes[:2] or input[0].shape[:-1] != input[1].shape[:-1]:
            expects = f"shapes (..., {self.sizes[0]}) and (..., {self.sizes[1]})"
            raise ValueError(complaint(self, describe(input), expects))

    def _pairs(self, input: Any) -> np.ndarray:
        """Return the products of all pairs of features, row by row."""
        a, b = (element.reshape(-1, size) for element, size in zip(input, self.sizes[:2], strict=True))
        return (a[:, :, None] * b[:, None]).reshape(len(a), -1)

    def update_output(self, input: Any) -> np.ndarray:
        """Return a W b + bias."""
        pairs = self._pairs(input)
        output = empty((len(pairs), self.sizes[2]), self.dtype)
        bias = self.bias if self.has_bias else np.zeros(self.sizes[2], self.dtype)
        affine(pairs, self.weight.reshape(self.sizes[2], -1), bias, output, is_transposed=True)
        return output.reshape(*input[0].shape[:-1], -1)

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Return the gradient times W times the other array."""
        rows = compact(grad_output).reshape(-1, self.sizes[2])
        pairs = empty((len(rows), self.sizes[0] * self.sizes[1]), self.dtype)
        affine(rows, self.weight.reshape(self.sizes[2], -1), np.zeros(pairs.shape[1], self.dtype), pairs)
        pairs = pairs.reshape(*input[0].shape[:-1], *self.sizes[:2])
        return [(pairs * input[1][..., None, :]).sum(-1), (pairs * input[0][..., None]).sum(-2)]

    def acc_grad_parameters(self, input: Any, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add the outer products of gradient and pairs: the last row first, as in stepping back."""
        rows = compact(grad_output).reshape(-1, self.sizes[2])
        sums = self.grad_bias if self.has_bias else np.empty(0, rows.dtype)
        weights = self.grad_weight.reshape(self.sizes[2], -1)
        add_outer_products(rows, self._pairs(input), rows.dtype.type(scale), weights, sums)

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return ", ".join(map(str, self.sizes))


class MixtureTable(TableLayer):
    """Mix arrays: of `[weights, experts]`, the sum of `weights[..., k] * experts[k]`.

    `weights` is an array `(..., K)`; the K experts are a table of arrays whose first axes are those of the weights, or
    one array.

    Parameters
    ----------
    axis : int, optional
        Which axis of one array of experts has K positions: by default the one that it is in the weights.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> weights = np.array([[0.25, 0.75]])
    >>> nr.MixtureTable()([weights, [np.array([[4.0, 8.0]]), np.array([[0.0, 4.0]])]]).tolist()
    [[1.0, 5.0]]
    """

    def __init__(self, axis: int | None = None) -> None:
        super().__init__()
        self.axis = None if axis is None else int(axis)

    @property
    def row_wise(self) -> bool:  # type: ignore[override]
        """Whether the axis stays where it is under further leading axes."""
        return self.axis is None or self.axis < 0

    def check_input(self, input: Any) -> None:
        """Expect a table of weights and of experts."""
        super().check_input(input)
        if len(input) != 2 or is_table(input[0]) or (is_table(input[1]) and not input[1]):
            raise ValueError(complaint(self, describe(input), "a table of an array of weights and a table of experts"))
        weights = input[0]
        if not is_table(input[1]):
            check_axis(self, input[1], self._axis(input))
        experts = self._experts(input)
        for element in (weights, *experts):
            check_float_array(self, element)
        if weights.ndim == 0 or weights.shape[-1] != len(experts):
            raise ValueError(complaint(self, describe(input), f"weights (..., {len(experts)}), one for each expert"))
        first = experts[0]
        alike = all(expert.shape == first.shape and expert.dtype == weights.dtype for expert in experts)
        if not alike or first.shape[: weights.ndim - 1] != weights.shape[:-1]:
            raise ValueError(complaint(self, describe(input), f"experts of one shape {weights.shape[:-1]} + (...)"))

    def _axis(self, input: Any) -> int:
        return input[0].ndim - 1 if self.axis is None else self.axis

    def _experts(self, input: Any) -> list[np.ndarray]:
        return input[1] if is_table(input[1]) else list(np.moveaxis(input[1], self._axis(input), 0))

    def _weights(self, input: Any, axes: int) -> list[np.ndarray]:
        """Return each expert's weight, in the shape of an expert of so many axes."""
        weights = np.moveaxis(input[0], -1, 0)
        return [weight.reshape(weight.shape + (1,) * (axes - weight.ndim)) for weight in weights]

    def update_output(self, input: Any) -> np.ndarray:
        """Add up in order."""
        experts = self._experts(input)
        first, *rest = zip(self._weights(input, experts[0].ndim), experts, strict=True)
        total = first[0] * first[1]
        for weight, expert in rest:
            total = total + weight * expert
        return np.asarray(total)

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[Any]:
        """Give each weight its expert's share of the gradient, each expert the weighted gradient."""
        lead = input[0].shape[:-1]
        shares = [(grad_output * expert).reshape(*lead, -1).sum(-1) for expert in self._experts(input)]
        gradients = [np.asarray(weight * grad_output) for weight in self._weights(input, grad_output.ndim)]
        whole = gradients if is_table(input[1]) else np.stack(gradients, self._axis(input))
        return [np.stack(shares, -1), whole]

    def describe_arguments(self) -> str:
        """Return the axis."""
        return "" if self.axis is None else f"axis={self.axis}"
