"""Activations: functions applied to every element of an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from numrnn.equations import exp, log, maximum, minimum, relu, sigmoid, softplus, tanh
from numrnn.errors import complaint
from numrnn.kernels.cpu import activation as kernels
from numrnn.layers.arrays import check_float_array, compact
from numrnn.module import Module, NoEquations


class ElementWise(Module):
    """A function of every element. A subclass names the kernels of the function and of its gradient.

    The gradient is computed from the input, so that nothing is kept between a forward and its backward.
    """

    row_wise = True

    function: ClassVar[Callable[..., None]]
    """(x, output): write the function's values at x. The arrays are flat."""

    gradient: ClassVar[Callable[..., None]]
    """(x, grad_output, grad_input): write grad_output times the derivative at x."""

    constants: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that both kernels get besides, as numbers."""

    def check_input(self, input: Any) -> None:
        """Expect one float array of any shape."""
        check_float_array(self, input)

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Apply the function."""
        output = np.empty(input.size, input.dtype)
        self.function(compact(input).reshape(-1), output, *self._numbers(input))
        return output.reshape(input.shape)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Multiply with the derivative."""
        grad_input = np.empty(input.size, input.dtype)
        arrays = compact(input).reshape(-1), compact(grad_output).reshape(-1), grad_input
        self.gradient(*arrays, *self._numbers(input))
        return grad_input.reshape(input.shape)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol. Subclasses may write this, if its derivative is the gradient."""
        raise NoEquations(f"{self!r} has no equation")

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Apply the function to each symbol."""
        return recorder.each(self.equation)(recorder.symbol(input))

    def _numbers(self, input: np.ndarray) -> list[Any]:
        return [input.dtype.type(getattr(self, name)) for name in self.constants]

    def describe_arguments(self) -> str:
        """Return the constants."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.constants)


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

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return sigmoid(x)


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

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return tanh(x)


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

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return relu(x)


class Abs(ElementWise):
    """The absolute value. Its derivative at 0 is taken to be 1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Abs()(np.array([-2.0, 3.0])).tolist()
    [2.0, 3.0]
    """

    function = staticmethod(kernels.absolute)
    gradient = staticmethod(kernels.absolute_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return maximum(x, -x)  # so that the derivative at 0 is 1


class Square(ElementWise):
    """The square.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Square()(np.array([-2.0, 3.0])).tolist()
    [4.0, 9.0]
    """

    function = staticmethod(kernels.square)
    gradient = staticmethod(kernels.square_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return x * x


class Sqrt(ElementWise):
    """The square root. Its derivative at 0 is taken to be 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Sqrt()(np.array([4.0, 9.0])).tolist()
    [2.0, 3.0]
    """

    function = staticmethod(kernels.square_root)
    gradient = staticmethod(kernels.square_root_gradient)


class Exp(ElementWise):
    """The exponential function.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Exp()(np.array([0.0, 1.0])).round(4).tolist()
    [1.0, 2.7183]
    """

    function = staticmethod(kernels.exponential)
    gradient = staticmethod(kernels.exponential_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return exp(x)


class Log(ElementWise):
    """The natural logarithm.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Log()(np.array([1.0, np.e])).tolist()
    [0.0, 1.0]
    """

    function = staticmethod(kernels.logarithm)
    gradient = staticmethod(kernels.logarithm_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return log(x)


class Power(ElementWise):
    """A power of each element.

    Parameters
    ----------
    exponent : float
        The exponent, the same for all elements.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Power(3)(np.array([-2.0, 3.0])).tolist()
    [-8.0, 27.0]
    """

    function = staticmethod(kernels.power)
    gradient = staticmethod(kernels.power_gradient)

    constants = ("exponent",)

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = float(exponent)


class ELU(ElementWise):
    """Exponential linear unit: `x` above 0, `alpha * (exp(x) - 1)` elsewhere (Clevert et al. 2015, equation 15).

    Parameters
    ----------
    alpha : float
        Minus the limit at minus infinity.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ELU()(np.array([-1000.0, 3.0])).tolist()
    [-1.0, 3.0]
    """

    function = staticmethod(kernels.elu)
    gradient = staticmethod(kernels.elu_gradient)

    constants = ("alpha",)

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = float(alpha)


class LeakyReLU(ElementWise):
    """The leaky rectifier: `x` above 0, `slope * x` elsewhere.

    Parameters
    ----------
    slope : float
        Slope below 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LeakyReLU(0.1)(np.array([-2.0, 3.0])).tolist()
    [-0.2, 3.0]
    """

    function = staticmethod(kernels.leaky_relu)
    gradient = staticmethod(kernels.leaky_relu_gradient)

    constants = ("slope",)

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = float(slope)


class SoftPlus(ElementWise):
    """A smooth rectifier, `log(1 + exp(beta * x)) / beta`, without overflow at any x.

    Parameters
    ----------
    beta : float
        How sharply it bends at 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SoftPlus()(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
    [0.0, 0.6931, 1000.0]
    """

    function = staticmethod(kernels.soft_plus)
    gradient = staticmethod(kernels.soft_plus_gradient)

    constants = ("beta",)

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = float(beta)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return softplus(x * self.beta) / self.beta


class LogSigmoid(ElementWise):
    """The logarithm of the logistic function, without overflow at any x.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.LogSigmoid()(np.array([-1000.0, 0.0])).round(4).tolist()
    [-1000.0, -0.6931]
    """

    function = staticmethod(kernels.log_sigmoid)
    gradient = staticmethod(kernels.log_sigmoid_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return -softplus(-x)


class SoftSign(ElementWise):
    """A sigmoid with heavy tails, `x / (1 + |x|)`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SoftSign()(np.array([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    function = staticmethod(kernels.soft_sign)
    gradient = staticmethod(kernels.soft_sign_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return x / (1 + abs(x))


class HardTanh(ElementWise):
    """A piecewise linear tanh: x between two bounds, and these outside.

    Parameters
    ----------
    min_value, max_value : float
        The bounds. Outside, and on them, the derivative is 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.HardTanh()(np.array([-2.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    function = staticmethod(kernels.hard_tanh)
    gradient = staticmethod(kernels.hard_tanh_gradient)

    constants = ("min_value", "max_value")

    def __init__(self, min_value: float = -1.0, max_value: float = 1.0) -> None:
        super().__init__()
        if not min_value <= max_value:
            got = f"min_value={min_value!r}, max_value={max_value!r}"
            raise ValueError(complaint(type(self).__name__, got, "a smallest value that is not above the largest"))
        self.min_value, self.max_value = float(min_value), float(max_value)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return minimum(self.max_value, maximum(self.min_value, x))  # so that the derivative on the bounds is 0


class Clamp(HardTanh):
    """Clip to two bounds; outside of them the gradient is 0, as it is (see `Clip` for another choice).

    Parameters
    ----------
    min_value, max_value : float
        The bounds.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Clamp(0, 2)(np.array([-2.0, 0.5, 3.0])).tolist()
    [0.0, 0.5, 2.0]
    """

    def __init__(self, min_value: float, max_value: float) -> None:
        super().__init__(min_value, max_value)


class Clip(Clamp):
    """Clip to two bounds, and pass the gradient on unchanged, also where a value was clipped.

    That is not the gradient of what it computes, by definition: values outside the bounds are still drawn back.

    Parameters
    ----------
    min_value, max_value : float
        The bounds.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> clip, x = nr.Clip(0, 2), np.array([-2.0, 0.5, 3.0])
    >>> clip(x).tolist(), clip.backward(x, np.ones(3)).tolist()
    ([0.0, 0.5, 2.0], [1.0, 1.0, 1.0])
    """

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Copy the gradient."""
        return np.array(grad_output)


class ReLU6(ElementWise):
    """The rectifier with a ceiling, `min(max(x, 0), 6)`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.ReLU6()(np.array([-2.0, 3.0, 7.0])).tolist()
    [0.0, 3.0, 6.0]
    """

    function = staticmethod(kernels.hard_tanh)
    gradient = staticmethod(kernels.hard_tanh_gradient)

    def _numbers(self, input: np.ndarray) -> list[Any]:
        return [input.dtype.type(0), input.dtype.type(6)]

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return minimum(6.0, maximum(0.0, x))


class HardShrink(ElementWise):
    """Set small values to 0: x where `|x| > size`.

    Parameters
    ----------
    size : float
        How large a value must be to stay.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.HardShrink()(np.array([-0.25, 3.0])).tolist()
    [0.0, 3.0]
    """

    function = staticmethod(kernels.hard_shrink)
    gradient = staticmethod(kernels.hard_shrink_gradient)

    constants = ("size",)

    def __init__(self, size: float = 0.5) -> None:
        super().__init__()
        self.size = float(size)


class SoftShrink(ElementWise):
    """Move values towards 0, small ones to 0: `x - size` above size, `x + size` below -size.

    Parameters
    ----------
    size : float
        How far.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SoftShrink()(np.array([0.25, 3.0])).tolist()
    [0.0, 2.5]
    """

    function = staticmethod(kernels.soft_shrink)
    gradient = staticmethod(kernels.soft_shrink_gradient)

    constants = ("size",)

    def __init__(self, size: float = 0.5) -> None:
        super().__init__()
        self.size = float(size)


class TanhShrink(ElementWise):
    """What tanh takes away, `x - tanh(x)`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.TanhShrink()(np.array([0.0, 1000.0])).tolist()
    [0.0, 999.0]
    """

    function = staticmethod(kernels.tanh_shrink)
    gradient = staticmethod(kernels.tanh_shrink_gradient)

    def equation(self, x: Any) -> Any:
        """Return the function of a symbol."""
        return x - tanh(x)


class Threshold(ElementWise):
    """x above a threshold, another value elsewhere.

    Parameters
    ----------
    threshold : float
        What x must be above.
    value : float
        What stands for the others; there the derivative is 0.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Threshold(1, -7)(np.array([0.5, 3.0])).tolist()
    [-7.0, 3.0]
    """

    function = staticmethod(kernels.threshold)
    gradient = staticmethod(kernels.threshold_gradient)

    constants = ("threshold", "value")

    def __init__(self, threshold: float = 1e-6, value: float = 0.0) -> None:
        super().__init__()
        self.threshold, self.value = float(threshold), float(value)
