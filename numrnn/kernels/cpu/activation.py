"""Activations over flat arrays, and their gradients from the input. All arrays are of one element type."""

from __future__ import annotations

import numpy as np
from numba import njit

from numrnn.kernels.cpu import by_type
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
