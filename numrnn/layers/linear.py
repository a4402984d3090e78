"""Linear: the affine map."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_outer_products, affine
from numrnn.kernels.cpu.memory import empty
from numrnn.kernels.cpu.optim import descend
from numrnn.layers.arrays import check_float_array, compact, is_size
from numrnn.layers.own_gradients import OwnGradients
from numrnn.module import Module
from numrnn.random import generator


class Linear(Module):
    """Affine map `y = W x + b` of the last axis: `(..., input_size)` to `(..., output_size)`.

    Parameters
    ----------
    input_size, output_size : int
        Numbers of features.
    bias : bool
        Whether there is a `b`.
    rng : numpy.random.Generator or int, optional
        Where the initial values are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (output_size, input_size). Drawn uniformly between plus and minus `input_size ** -0.5`, as is the bias.
    bias, grad_bias : numpy.ndarray
        Shape (output_size,).

    Raises
    ------
    TypeError
        In forward, if the input is not an array of the parameters' element type.
    ValueError
        In forward, if its last axis does not have `input_size` elements.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Linear(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    row_wise = True

    def __init__(self, input_size: int, output_size: int, bias: bool = True, rng: Any = None) -> None:
        super().__init__()
        self._gradients: OwnGradients = OwnGradients()
        if not is_size(input_size) or not is_size(output_size):
            got = f"sizes {input_size!r} and {output_size!r}"
            raise ValueError(complaint("Linear", got, "whole numbers, sizes of at least 1"))
        self.input_size, self.output_size, self.has_bias = int(input_size), int(output_size), bool(bias)
        self.add_parameter("weight", np.zeros((self.output_size, self.input_size), "float32"))
        if self.has_bias:
            self.add_parameter("bias", np.zeros(self.output_size, "float32"))
        self.reset(rng)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial weights."""
        draw, bound = generator(rng), self.input_size**-0.5
        for parameter in self._parameters.values():
            parameter[...] = draw.uniform(-bound, bound, parameter.shape)
        self.parameters_changed()

    def check_input(self, input: Any) -> None:
        """Expect one array `(..., input_size)` of the parameters' element type."""
        check_float_array(self, input)
        if input.dtype != self.weight.dtype:
            hint = f"Use x.astype({self.weight.dtype.name!r}) or module.astype({input.dtype.name!r})"
            raise TypeError(complaint(self, describe(input), f"an array of {self.weight.dtype.name}", hint))
        if input.ndim == 0 or input.shape[-1] != self.input_size:
            raise ValueError(complaint(self, describe(input), f"shape (..., {self.input_size})"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Return W x + b."""
        rows = compact(input).reshape(-1, self.input_size)
        output = empty((len(rows), self.output_size), self.weight.dtype)
        bias = self.bias if self.has_bias else np.zeros(self.output_size, self.weight.dtype)
        affine(rows, self.weight, bias, output, is_transposed=True)
        return output.reshape(*input.shape[:-1], self.output_size)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient times W."""
        rows = compact(grad_output).reshape(-1, self.output_size)
        grad_input = empty((len(rows), self.input_size), self.weight.dtype)
        affine(rows, self.weight, np.zeros(self.input_size, self.weight.dtype), grad_input)
        return grad_input.reshape(input.shape)

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add the outer products of gradient and input, row by row: the last row first, as in stepping back."""
        rows = compact(grad_output).reshape(-1, self.output_size)
        scale = rows.dtype.type(scale)
        sums = self._gradients.own("bias") if self.has_bias else np.empty(0, rows.dtype)
        products, is_fresh = self._gradients.begin("weight")
        add_outer_products(rows, compact(input).reshape(-1, self.input_size), scale, products, sums, is_fresh)

    def _zero_own_gradients(self) -> None:
        for name in self._gradients:
            self._gradients.clear(name)

    def _update_own_parameters(self, learning_rate: float) -> None:
        for name, parameter in self._parameters.items():
            if self._gradients.rows(name) is None:
                descend(parameter.reshape(-1), self._gradients.own(name).reshape(-1), learning_rate)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Return a linear map."""
        return recorder.linear(self, input, "weight", "bias" if self.has_bias else None)

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return f"{self.input_size} -> {self.output_size}"


class LinearNoBias(Linear):
    """Linear map `y = W x` of the last axis.

    Parameters
    ----------
    input_size, output_size : int
        Numbers of features.
    rng : numpy.random.Generator or int, optional
        See `Linear`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LinearNoBias(4, 6)(np.zeros((3, 4), "float32")).shape
    (3, 6)
    """

    def __init__(self, input_size: int, output_size: int, rng: Any = None) -> None:
        super().__init__(input_size, output_size, bias=False, rng=rng)
