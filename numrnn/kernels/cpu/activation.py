"""Activations over flat arrays, and their gradients from the input.

Arrays and further numbers (slopes, thresholds) are of one element type.
"""

from __future__ import annotations

import math

import numpy as np

from numrnn.kernels.cpu import by_type
from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS


@njit(**OPTIONS)
def sigmoid(x: np.ndarray, output: np.ndarray) -> None:
    """Write the logistic function of x."""
    for k in range(x.size):
        output[k] = by_type.sigmoid(x[k])


@njit(**OPTIONS)
def sigmoid_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output * y * (1 - y), in terms of e = exp(-|x|), in which nothing cancels."""
    one = x.dtype.type(1)
    for k in range(x.size):
        e = by_type.exp(-abs(x[k]))
        grad_input[k] = grad_output[k] * (e / ((one + e) * (one + e)))


@njit(**OPTIONS)
def tanh(x: np.ndarray, output: np.ndarray) -> None:
    """Write the hyperbolic tangent of x."""
    for k in range(x.size):
        output[k] = by_type.tanh(x[k])


@njit(**OPTIONS)
def tanh_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output * (1 - tanh(x) ** 2)."""
    one = x.dtype.type(1)
    for k in range(x.size):
        y = by_type.tanh(x[k])
        grad_input[k] = grad_output[k] * (one - y * y)


@njit(**OPTIONS)
def relu(x: np.ndarray, output: np.ndarray) -> None:
    """Write max(x, 0); NaN stays NaN."""
    zero = x.dtype.type(0)
    for k in range(x.size):
        output[k] = zero if x[k] < zero else x[k]


@njit(**OPTIONS)
def relu_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output where x > 0, else 0."""
    zero = x.dtype.type(0)
    for k in range(x.size):
        grad_input[k] = grad_output[k] if x[k] > zero else zero


@njit(**OPTIONS)
def absolute(x: np.ndarray, output: np.ndarray) -> None:
    """Write |x|."""
    for k in range(x.size):
        output[k] = abs(x[k])


@njit(**OPTIONS)
def absolute_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output with the sign of x; at 0 it is kept."""
    for k in range(x.size):
        grad_input[k] = -grad_output[k] if x[k] < 0 else grad_output[k]


@njit(**OPTIONS)
def square(x: np.ndarray, output: np.ndarray) -> None:
    """Write x * x."""
    for k in range(x.size):
        output[k] = x[k] * x[k]


@njit(**OPTIONS)
def square_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write 2 * x * grad_output."""
    for k in range(x.size):
        grad_input[k] = (x[k] + x[k]) * grad_output[k]


@njit(**OPTIONS)
def square_root(x: np.ndarray, output: np.ndarray) -> None:
    """Write the square root of x."""
    for k in range(x.size):
        output[k] = math.sqrt(x[k])


@njit(**OPTIONS)
def square_root_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output / (2 * sqrt(x)); 0 where x is 0."""
    for k in range(x.size):
        y = math.sqrt(x[k])
        grad_input[k] = grad_output[k] / (y + y) if y > 0 else y


@njit(**OPTIONS)
def exponential(x: np.ndarray, output: np.ndarray) -> None:
    """Write e ** x."""
    for k in range(x.size):
        output[k] = by_type.exp(x[k])


@njit(**OPTIONS)
def exponential_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output * e ** x."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] * by_type.exp(x[k])


@njit(**OPTIONS)
def logarithm(x: np.ndarray, output: np.ndarray) -> None:
    """Write the natural logarithm of x."""
    for k in range(x.size):
        output[k] = math.log(x[k])


@njit(**OPTIONS)
def logarithm_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output / x."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] / x[k]


@njit(**OPTIONS)
def power(x: np.ndarray, output: np.ndarray, exponent: float) -> None:
    """Write x ** exponent."""
    for k in range(x.size):
        output[k] = x[k] ** exponent


@njit(**OPTIONS)
def power_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, exponent: float) -> None:
    """Write grad_output * exponent * x ** (exponent - 1)."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] * exponent * x[k] ** (exponent - x.dtype.type(1))


@njit(**OPTIONS)
def elu(x: np.ndarray, output: np.ndarray, alpha: float) -> None:
    """Write x above 0, alpha * (e ** x - 1) elsewhere."""
    for k in range(x.size):
        output[k] = alpha * math.expm1(x[k]) if x[k] <= 0 else x[k]


@njit(**OPTIONS)
def elu_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, alpha: float) -> None:
    """Write grad_output times 1 above 0, alpha * e ** x elsewhere."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] * alpha * by_type.exp(x[k]) if x[k] <= 0 else grad_output[k]


@njit(**OPTIONS)
def leaky_relu(x: np.ndarray, output: np.ndarray, slope: float) -> None:
    """Write x above 0, slope * x elsewhere."""
    for k in range(x.size):
        output[k] = slope * x[k] if x[k] <= 0 else x[k]


@njit(**OPTIONS)
def leaky_relu_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, slope: float) -> None:
    """Write grad_output times 1 above 0, slope elsewhere."""
    for k in range(x.size):
        grad_input[k] = slope * grad_output[k] if x[k] <= 0 else grad_output[k]


@njit(**OPTIONS)
def soft_plus(x: np.ndarray, output: np.ndarray, beta: float) -> None:
    """Write log(1 + e ** (beta * x)) / beta, which does not overflow."""
    for k in range(x.size):
        z = beta * x[k]
        output[k] = (by_type.maximum(z, x.dtype.type(0)) + math.log1p(by_type.exp(-abs(z)))) / beta


@njit(**OPTIONS)
def soft_plus_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, beta: float) -> None:
    """Write grad_output * sigmoid(beta * x)."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] * by_type.sigmoid(beta * x[k])


@njit(**OPTIONS)
def log_sigmoid(x: np.ndarray, output: np.ndarray) -> None:
    """Write -log(1 + e ** -x), which does not overflow."""
    for k in range(x.size):
        output[k] = -by_type.maximum(-x[k], x.dtype.type(0)) - math.log1p(by_type.exp(-abs(x[k])))


@njit(**OPTIONS)
def log_sigmoid_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output * sigmoid(-x)."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] * by_type.sigmoid(-x[k])


@njit(**OPTIONS)
def soft_sign(x: np.ndarray, output: np.ndarray) -> None:
    """Write x / (1 + |x|)."""
    for k in range(x.size):
        one = x.dtype.type(1)
        output[k] = x[k] / (one + abs(x[k]))


@njit(**OPTIONS)
def soft_sign_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output / (1 + |x|) ** 2."""
    for k in range(x.size):
        size = x.dtype.type(1) + abs(x[k])
        grad_input[k] = grad_output[k] / (size * size)


@njit(**OPTIONS)
def hard_tanh(x: np.ndarray, output: np.ndarray, low: float, high: float) -> None:
    """Write x between low and high, and these outside; NaN stays NaN."""
    for k in range(x.size):
        output[k] = low if x[k] < low else (high if x[k] > high else x[k])


@njit(**OPTIONS)
def hard_tanh_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, low: float, high: float) -> None:
    """Write grad_output between low and high, 0 outside."""
    for k in range(x.size):
        grad_input[k] = grad_output[k] if low < x[k] < high else x.dtype.type(0)


@njit(**OPTIONS)
def hard_shrink(x: np.ndarray, output: np.ndarray, size: float) -> None:
    """Write x where |x| > size, 0 elsewhere."""
    for k in range(x.size):
        output[k] = x.dtype.type(0) if -size <= x[k] <= size else x[k]


@njit(**OPTIONS)
def hard_shrink_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, size: float) -> None:
    """Write grad_output where |x| > size, 0 elsewhere."""
    for k in range(x.size):
        grad_input[k] = x.dtype.type(0) if -size <= x[k] <= size else grad_output[k]


@njit(**OPTIONS)
def soft_shrink(x: np.ndarray, output: np.ndarray, size: float) -> None:
    """Write x moved by size towards 0, and 0 where |x| <= size."""
    for k in range(x.size):
        output[k] = x[k] - size if x[k] > size else (x[k] + size if x[k] < -size else x[k] * x.dtype.type(0))


@njit(**OPTIONS)
def soft_shrink_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, size: float) -> None:
    """Write grad_output where |x| > size, 0 elsewhere."""
    for k in range(x.size):
        grad_input[k] = x.dtype.type(0) if -size <= x[k] <= size else grad_output[k]


@njit(**OPTIONS)
def tanh_shrink(x: np.ndarray, output: np.ndarray) -> None:
    """Write x - tanh(x)."""
    for k in range(x.size):
        output[k] = x[k] - by_type.tanh(x[k])


@njit(**OPTIONS)
def tanh_shrink_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output * tanh(x) ** 2."""
    for k in range(x.size):
        y = by_type.tanh(x[k])
        grad_input[k] = grad_output[k] * (y * y)


@njit(**OPTIONS)
def threshold(x: np.ndarray, output: np.ndarray, least: float, value: float) -> None:
    """Write x above `least`, `value` elsewhere."""
    for k in range(x.size):
        output[k] = value if x[k] <= least else x[k]


@njit(**OPTIONS)
def threshold_gradient(
    x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray, least: float, value: float
) -> None:
    """Write grad_output above `least`, 0 elsewhere."""
    for k in range(x.size):
        grad_input[k] = x.dtype.type(0) if x[k] <= least else grad_output[k]
