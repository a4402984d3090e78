"""log(softmax) of rows, alone and with the loss that goes with it, and their gradients. Rows are shared out to threads.

Sums and maxima run over a fixed number of lanes, which are combined at the end. Unlike one running sum this is vector
code, and unlike a sum that the compiler may reorder it has the same result on every machine.

A forward leaves the maximum of each row, and the logarithm of the sum of the exponentials of what is above it: with
them a row's probabilities are one pass over it, `exp((x - maximum) - log_total)`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numrnn.kernels.cpu.by_type import exp_of_minus, maximum
from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.kernel import kernel
from numrnn.kernels.cpu.machine import INLINE_OPTIONS, OPTIONS
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for
from numrnn.kernels.cpu.vector import add_to, lanes_in, load, store

LANES = 64
WORK = 64
"""Operations of arithmetic that one number takes as long as."""


def log_softmax(x: np.ndarray, output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write the logarithms of the softmax of each row; return the maxima and the logarithms of the sums.

    Both arrays are (rows, classes), what is returned is (rows,).
    """
    maxima, log_totals = np.empty((2, len(x)), x.dtype)
    _share_rows(_log_softmax, x, output, maxima, log_totals)
    return maxima, log_totals


def log_softmax_gradient(
    x: np.ndarray, maxima: np.ndarray, log_totals: np.ndarray, grad_output: np.ndarray, grad_input: np.ndarray
) -> None:
    """Write grad_output - softmax(x) * sum(grad_output), row by row."""
    _share_rows(_log_softmax_gradient, x, maxima, log_totals, grad_output, grad_input)


def cross_entropies(x: np.ndarray, targets: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write minus the logarithm of the softmax of each row at its target, an index; return what `log_softmax` does."""
    maxima, log_totals = np.empty((2, len(x)), x.dtype)
    _share_rows(_cross_entropies, x, targets, losses, maxima, log_totals)
    return maxima, log_totals


def cross_entropies_gradient(
    x: np.ndarray,
    maxima: np.ndarray,
    log_totals: np.ndarray,
    targets: np.ndarray,
    factors: np.ndarray,
    grad_input: np.ndarray,
) -> None:
    """Write the gradient of the sum of factors * losses; rows whose factor is 0 get zeros, whatever is in them."""
    _share_rows(_cross_entropies_gradient, x, maxima, log_totals, targets, factors, grad_input)


def _share_rows(kernel: Any, x: np.ndarray, *others: np.ndarray) -> None:
    run(kernel, (x, *others), threads_for(WORK * x.size))


@njit(**INLINE_OPTIONS)
def _combined(lanes):
    """Return the sum of all lanes."""
    half = LANES // 2
    while half:
        for k in range(half):
            lanes[k] += lanes[half + k]
        half //= 2
    return lanes[0]


@njit(**OPTIONS)
def _sum(row, lanes):
    """Return the sum of a row."""
    lanes[:] = 0
    width, whole = lanes_in(row), row.size - row.size % LANES
    for start in range(0, whole, LANES):
        for c in range(0, LANES, width):
            add_to(load(row, start + c, width), lanes, c, width)
    for c in range(0, row.size - whole, width):
        add_to(load(row, whole + c, row.size - whole - c), lanes, c, width)
    return _combined(lanes)


@njit(**OPTIONS)
def _normalise(row, lanes):
    """Return the maximum of a row, and the logarithm of the sum of exp(row - maximum)."""
    lanes[:] = row[0]
    width, whole = lanes_in(row), row.size - row.size % LANES
    for start in range(0, whole, LANES):
        for c in range(0, LANES, width):
            store(maximum(load(lanes, c, width), load(row, start + c, width)), lanes, c, width)
    for c in range(0, row.size - whole, width):
        used = row.size - whole - c
        store(maximum(load(lanes, c, width), load(row, whole + c, used)), lanes, c, used)
    largest = lanes.max()
    lanes[:] = 0
    for start in range(0, whole, LANES):
        for c in range(0, LANES, width):
            add_to(exp_of_minus(largest - load(row, start + c, width)), lanes, c, width)
    for c in range(0, row.size - whole, width):
        used = row.size - whole - c
        add_to(exp_of_minus(largest - load(row, whole + c, used)), lanes, c, used)
    return largest, row.dtype.type(math.log(_combined(lanes)))


@kernel(**OPTIONS)
def _log_softmax(x, output, maxima, log_totals, part, parts, barrier):
    lanes = np.empty(LANES, x.dtype)
    first, last = share(len(x), part, parts)
    for i in range(first, last):
        row, result = x[i], output[i]
        largest, log_total = _normalise(row, lanes)
        maxima[i], log_totals[i] = largest, log_total
        for k in range(row.size):
            # In this order: the maximum plus the logarithm would lose the latter's digits.
            result[k] = (row[k] - largest) - log_total


@kernel(**OPTIONS)
def _log_softmax_gradient(x, maxima, log_totals, grad_output, grad_input, part, parts, barrier):
    lanes = np.empty(LANES, x.dtype)
    first, last = share(len(x), part, parts)
    width = lanes_in(x)
    for i in range(first, last):
        row, grad, result = x[i], grad_output[i], grad_input[i]
        total, largest, log_total = _sum(grad, lanes), maxima[i], log_totals[i]
        whole = row.size - row.size % width
        for k in range(0, whole, width):
            probability = exp_of_minus(log_total - (load(row, k, width) - largest))
            store(load(grad, k, width) - probability * total, result, k, width)
        if whole < row.size:
            used = row.size - whole
            probability = exp_of_minus(log_total - (load(row, whole, used) - largest))
            store(load(grad, whole, used) - probability * total, result, whole, used)


@kernel(**OPTIONS)
def _cross_entropies(x, targets, losses, maxima, log_totals, part, parts, barrier):
    lanes = np.empty(LANES, x.dtype)
    first, last = share(len(x), part, parts)
    for i in range(first, last):
        maxima[i], log_totals[i] = _normalise(x[i], lanes)
        losses[i] = log_totals[i] - (x[i, targets[i]] - maxima[i])


@kernel(**OPTIONS)
def _cross_entropies_gradient(x, maxima, log_totals, targets, factors, grad_input, part, parts, barrier):
    first, last = share(len(x), part, parts)
    width = lanes_in(x)
    for i in range(first, last):
        row, result, factor = x[i], grad_input[i], factors[i]
        if factor == 0:
            result[:] = 0
            continue
        whole = row.size - row.size % width
        for k in range(0, whole, width):
            probability = exp_of_minus(log_totals[i] - (load(row, k, width) - maxima[i]))
            store(probability * factor, result, k, width)
        if whole < row.size:
            used = row.size - whole
            probability = exp_of_minus(log_totals[i] - (load(row, whole, used) - maxima[i]))
            store(probability * factor, result, whole, used)
        result[targets[i]] -= factor
