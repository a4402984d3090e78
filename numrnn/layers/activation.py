"""Activations: functions applied to every element of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from numrnn.kernels.cpu import activation as kernels
from numrnn.layers.arrays import check_float_array, compact
from numrnn.module import Module


class ElementWise(Module):
    """A function of every element. A subclass names the kernels of the function and of its gradient.

    The gradient is computed from the input, so that nothing is kept between a forward and its backward.
    """

    row_wise = True

    function: ClassVar[Callable[..., None]]
    """(x, output): write the function's values at x. The arrays are flat."""

    gradient: ClassVar[Callable[..., None]]
    """(x, grad_output, grad_input): write grad_output times the derivative at x."""

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape."""
        check_float_array(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Apply the function."""
        output = np.empty(input.size, input.dtype)
        self.function(compact(input).reshape(-1), output)
        return output.reshape(input.shape)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply with the derivative."""
        grad_input = np.empty(input.size, input.dtype)
        self.gradient(compact(input).reshape(-1), compact(grad_output).reshape(-1), grad_input)
        return grad_input.reshape(input.shape)


class Sigmoid(ElementWise):
    """The logistic function, `1 / (1 + exp(-x))`, without overflow at any x.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Sigmoid()(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    function = staticmethod(kernels.sigmoid)
    gradient = staticmethod(kernels.sigmoid_gradient)


class Tanh(ElementWise):
    """The hyperbolic tangent.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Tanh()(np.array([0.0, 1000.0])).tolist()
    [0.0, 1.0]
    """

    function = staticmethod(kernels.tanh)
    gradient = staticmethod(kernels.tanh_gradient)


class ReLU(ElementWise):
    """The rectifier, `max(x, 0)`. Its derivative at 0 is taken to be 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ReLU()(np.array([-2.0, 3.0])).tolist()
    [0.0, 3.0]
    """

    function = staticmethod(kernels.relu)
    gradient = staticmethod(kernels.relu_gradient)
