"""Arithmetic with constants and with learned weights, feature by feature."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_row_sums
from numrnn.layers.arrays import check_float_array, compact, is_size
from numrnn.module import Module
from numrnn.random import generator


class _Weighted(Module):
    """A module with one parameter, whose shape is that of the last axes of the input."""

    row_wise = True
    parameter = "weight"

    def __init__(self, shape: tuple[Any, ...], rng: Any) -> None:
        super().__init__()
        if not all(map(is_size, shape)):
            got = f"size {shape[0]!r}" if len(shape) == 1 else f"sizes {shape}"
            raise ValueError(complaint(type(self).__name__, got, "a whole number, a size of at least 1"))
        self.shape = tuple(map(int, shape))
        self.add_parameter(self.parameter, np.zeros(self.shape, "float32"))
        self.reset(rng)

    def reset(self, rng: Any = None) -> None:
        """Draw new initial values."""
        bound = max(1, int(np.prod(self.shape))) ** -0.5
        self._parameters[self.parameter][...] = generator(rng).uniform(-bound, bound, self.shape)
        self.parameters_changed()

    def check_input(self, input: Any) -> None:
        """Expect one array `(..., *shape)` of the parameter's element type."""
        check_float_array(self, input)
        if input.dtype != self.dtype:
            raise TypeError(complaint(self, describe(input), f"an array of {self.dtype.name}"))
        if input.shape[input.ndim - len(self.shape) :] != self.shape or input.ndim < len(self.shape):
            shown = "".join(f", {size}" for size in self.shape)
            raise ValueError(complaint(self, describe(input), f"shape (...{shown})"))

    def _add_to_gradient(self, rows: np.ndarray, scale: float) -> None:
        """Add the sum over the rows: the last row first, as in stepping back."""
        gradient = self._gradients[self.parameter]
        rows = compact(rows).reshape(-1, gradient.size)
        add_row_sums(rows, rows.dtype.type(scale), gradient.reshape(-1))

    def describe_arguments(self) -> str:
        """Return the sizes."""
        return ", ".join(map(str, self.shape))


class Add(_Weighted):
    """Add a learned bias to the last axis.

    Parameters
    ----------
    size : int
        Number of features.
    rng : numpy.random.Generator or int, optional
        Where the initial values, uniform between plus and minus `size ** -0.5`, are drawn from.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Add(4)(np.zeros((3, 4), "float32")).shape
    (3, 4)
    """

    parameter = "bias"

    def __init__(self, size: int, rng: Any = None) -> None:
        super().__init__((size,), rng)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Return x + b."""
        return input + self.bias

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient as it is."""
        return grad_output.copy()

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add up the gradient's rows."""
        self._add_to_gradient(grad_output, scale)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Add the parameter."""
        symbol = recorder.symbol(input)
        return symbol + recorder.vector(self, "bias", symbol)


class CMul(_Weighted):
    """Multiply the last axes with learned weights, one for each element.

    Parameters
    ----------
    *sizes : int
        Shape of the weights, and of the input's last axes. A size of 1 serves the whole axis.
    rng : numpy.random.Generator or int, optional
        Where the initial values, uniform between plus and minus one over the square root of their number, are drawn
        from.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CMul(4)(np.zeros((3, 4), "float32")).shape
    (3, 4)
    """

    def __init__(self, *sizes: int, rng: Any = None) -> None:
        super().__init__(sizes, rng)

    def check_input(self, input: Any) -> None:
        """Expect one array whose last axes have the sizes of the weights, where these are not 1."""
        axes = getattr(input, "shape", ())[-len(self.shape) :]
        if len(axes) < len(self.shape) or any(own not in (1, size) for own, size in zip(self.shape, axes, strict=True)):
            super().check_input(input)
        check_float_array(self, input)
        if input.dtype != self.dtype:
            raise TypeError(complaint(self, describe(input), f"an array of {self.dtype.name}"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Return x * w."""
        return np.asarray(input * self.weight)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient with w."""
        return np.asarray(grad_output * self.weight)

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add up the rows of gradient times input."""
        rows = grad_output * input
        first = rows.ndim - len(self.shape)
        shared = tuple(first + k for k, size in enumerate(self.shape) if size == 1 and rows.shape[first + k] > 1)
        self._add_to_gradient(rows.sum(shared, keepdims=True) if shared else rows, scale)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Multiply with the parameter."""
        symbol = recorder.symbol(input)
        return symbol * recorder.vector(self, "weight", symbol)


class Mul(_Weighted):
    """Multiply everything with one learned weight.

    Parameters
    ----------
    rng : numpy.random.Generator or int, optional
        Where the initial weight, uniform between -1 and 1, is drawn from.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Mul()(np.zeros((3, 4), "float32")).shape
    (3, 4)
    """

    def __init__(self, rng: Any = None) -> None:
        super().__init__((1,), rng)

    def check_input(self, input: Any) -> None:
        """Expect one array of any shape, of the weight's element type."""
        check_float_array(self, input)
        if input.dtype != self.dtype:
            raise TypeError(complaint(self, describe(input), f"an array of {self.dtype.name}"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Return x * w."""
        return np.asarray(input * self.weight[0])

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient with w."""
        return np.asarray(grad_output * self.weight[0])

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add up gradient times input."""
        self._add_to_gradient(grad_output * input, scale)

    def describe_arguments(self) -> str:
        """Return nothing: it has no arguments."""
        return ""


class PReLU(_Weighted):
    """The rectifier with learned slopes: x above 0, `w * x` elsewhere.

    Parameters
    ----------
    size : int
        Number of features, each with a slope of its own; 0 stands for one slope for all.

    References
    ----------
    He et al. (2015), Delving deep into rectifiers, equation 1. All slopes start at 0.25.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.PReLU()(np.array([-4.0, 3.0], "float32")).tolist()
    [-1.0, 3.0]
    """

    def __init__(self, size: int = 0) -> None:
        super().__init__((1 if size == 0 else size,), None)
        self.size = size

    def reset(self, rng: Any = None) -> None:
        """Put the initial slopes back; nothing is drawn."""
        self.weight = np.full(self.shape, 0.25)

    def check_input(self, input: Any) -> None:
        """Expect one array `(..., size)`, of any shape if there is one slope, of the slopes' element type."""
        if self.size:
            super().check_input(input)
        else:
            Mul.check_input(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Multiply what is below 0 with its slope."""
        return np.where(input > 0, input, input * self.weight)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient with the slope, where x is not above 0."""
        return np.where(input > 0, grad_output, grad_output * self.weight)

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add up gradient times input where x is not above 0."""
        self._add_to_gradient(np.where(input > 0, input.dtype.type(0), input) * grad_output, scale)

    def describe_arguments(self) -> str:
        """Return the size."""
        return str(self.size)


class _Constant(Module):
    """Arithmetic with a constant."""

    row_wise = True

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape."""
        check_float_array(self, input)


class AddConstant(_Constant):
    """Add a constant.

    Parameters
    ----------
    constant : float
        What is added to every element.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.AddConstant(1.5)(np.array([-2.0, 3.0])).tolist()
    [-0.5, 4.5]
    """

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = float(constant)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Add."""
        return np.asarray(input + input.dtype.type(self.constant))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Copy the gradient."""
        return np.array(grad_output)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Add."""
        return recorder.symbol(input) + self.constant

    def describe_arguments(self) -> str:
        """Return the constant."""
        return f"{self.constant}"


class MulConstant(_Constant):
    """Multiply with a constant.

    Parameters
    ----------
    constant : float
        What every element is multiplied with.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.MulConstant(2.5)(np.array([-2.0, 3.0])).tolist()
    [-5.0, 7.5]
    """

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = float(constant)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Multiply."""
        return np.asarray(input * input.dtype.type(self.constant))

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply the gradient, too."""
        return np.asarray(grad_output * input.dtype.type(self.constant))

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Multiply."""
        return recorder.symbol(input) * self.constant

    def describe_arguments(self) -> str:
        """Return the constant."""
        return f"{self.constant}"


class SAdd(_Constant):
    """Add a constant, and perhaps change the sign of the sum: `x + addend`, or `-(x + addend)`.

    Parameters
    ----------
    addend : float
        What is added.
    negate : bool
        Whether the sign is changed; `SAdd(-1, True)` gives `1 - x`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SAdd(-1, True)(np.array([0.25, 3.0])).tolist()
    [0.75, -2.0]
    """

    def __init__(self, addend: float, negate: bool = False) -> None:
        super().__init__()
        self.addend, self.negate = float(addend), bool(negate)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Add, and negate."""
        total = np.asarray(input + input.dtype.type(self.addend))
        return np.negative(total) if self.negate else total

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Copy the gradient, or negate it."""
        return np.asarray(np.negative(grad_output)) if self.negate else np.array(grad_output)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Add, and negate."""
        total = recorder.symbol(input) + self.addend
        return -total if self.negate else total

    def describe_arguments(self) -> str:
        """Return the arguments."""
        return f"{self.addend}, negate={self.negate}"
