"""log(softmax) of rows, and its gradient.

Sums and maxima run over a fixed number of lanes, which are combined at the end. Unlike one running sum this
is vector code, and unlike a sum that the compiler may reorder it has the same result on every machine.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from numrnn.kernels.cpu.by_type import exp
from numrnn.kernels.cpu.machine import OPTIONS

LANES = 64


@njit(**OPTIONS)
def _sum(row: np.ndarray, lanes: np.ndarray) -> float:
    """Return the sum of `row`."""
    lanes[:] = 0
    whole = row.size - row.size % LANES
    for start in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] += row[start + k]
    for k in range(row.size - whole):
        lanes[k] += row[whole + k]
    half = LANES // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[half + k]
        half //= 2
    return lanes[0]


@njit(**OPTIONS)
def _max(row: np.ndarray, lanes: np.ndarray) -> float:
    """Return the maximum of `row`, which is not empty."""
    lanes[:] = row[0]
    whole = row.size - row.size % LANES
    for start in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] = row[start + k] if row[start + k] > lanes[k] else lanes[k]
    for k in range(row.size - whole):
        lanes[k] = row[whole + k] if row[whole + k] > lanes[k] else lanes[k]
    return lanes.max()


@njit(**OPTIONS)
def _exponentials(row: np.ndarray, result: np.ndarray, lanes: np.ndarray) -> tuple[float, float]:
    """Write exp(row - maximum); return the maximum, and the sum of what was written."""
    largest = _max(row, lanes)
    for k in range(row.size):
        result[k] = exp(row[k] - largest)
    return largest, _sum(result, lanes)


@njit(**OPTIONS)
def log_softmax(x: np.ndarray, output: np.ndarray) -> None:
    """Write the logarithms of the softmax of each row of x. Both arrays are (rows, classes)."""
    lanes = np.empty(LANES, x.dtype)
    for i in range(x.shape[0]):
        row, result = x[i], output[i]
        largest, total = _exponentials(row, result, lanes)
        log_total = x.dtype.type(math.log(total))
        for k in range(row.size):
            # In this order: the maximum plus the logarithm would lose the latter's digits.
            result[k] = (row[k] - largest) - log_total


@njit(**OPTIONS)
def log_softmax_gradient(x: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray) -> None:
    """Write grad_output - softmax(x) * sum(grad_output), row by row. All arrays are (rows, classes)."""
    lanes = np.empty(LANES, x.dtype)
    for i in range(x.shape[0]):
        row, grad, result = x[i], grad_output[i], grad_input[i]
        _, total = _exponentials(row, result, lanes)
        share = _sum(grad, lanes) / total
        for k in range(row.size):
            result[k] = grad[k] - result[k] * share
