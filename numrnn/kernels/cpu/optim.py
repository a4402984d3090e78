"""Update rules, each in one pass over the flat parameters. Arrays and scalars are of one element type."""

from __future__ import annotations

import math

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.kernel import kernel
from numrnn.kernels.cpu.machine import OPTIONS
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for

WORK = 32
"""Operations of arithmetic that one number takes as long as: most of the time is waiting for memory."""


def descend(weights: np.ndarray, gradients: np.ndarray, learning_rate: float, weight_decay: float = 0.0) -> None:
    """Take a step of plain gradient descent; the numbers are turned into the arrays' type."""
    numbers = [weights.dtype.type(number) for number in (learning_rate, weight_decay)]
    run(_descend, (weights, gradients, *numbers), threads_for(WORK * weights.size))


@kernel(**OPTIONS)
def _descend(weights, gradients, learning_rate, weight_decay, part, parts, barrier):
    first, last = share(weights.size, part, parts)
    weights, gradients = weights[first:last], gradients[first:last]
    for k in range(weights.size):
        weights[k] -= learning_rate * (gradients[k] + weight_decay * weights[k])


@njit(**OPTIONS)
def descend_with_momentum(
    weights: np.ndarray,
    gradients: np.ndarray,
    velocity: np.ndarray,
    learning_rate: float,
    weight_decay: float,
    momentum: float,
    keep: float,
    fresh: float,
    nesterov: bool,
) -> None:
    """Make the velocity keep * velocity + fresh * gradient, and follow it (or look ahead by `momentum`)."""
    for k in range(weights.size):
        gradient = gradients[k] + weight_decay * weights[k]
        velocity[k] = keep * velocity[k] + fresh * gradient
        step = gradient + momentum * velocity[k] if nesterov else velocity[k]
        weights[k] -= learning_rate * step


@njit(**OPTIONS)
def adam(
    weights: np.ndarray,
    gradients: np.ndarray,
    mean: np.ndarray,
    square: np.ndarray,
    step_size: float,
    beta1: float,
    beta2: float,
    root_correction: float,
    eps: float,
    weight_decay: float,
) -> None:
    """Take step t of Adam.

    `step_size` is learning_rate / (1 - beta1**t), `root_correction` is 1 / sqrt(1 - beta2**t).
    """
    one = weights.dtype.type(1)
    for k in range(weights.size):
        gradient = gradients[k] + weight_decay * weights[k]
        mean[k] = beta1 * mean[k] + (one - beta1) * gradient
        square[k] = beta2 * square[k] + (one - beta2) * (gradient * gradient)
        weights[k] -= step_size * mean[k] / (math.sqrt(square[k]) * root_correction + eps)


@njit(**{**OPTIONS, "fastmath": {"reassoc", "contract"}})
def sum_of_squares(gradient: np.ndarray) -> float:
    """Return the sum of the squares in float64, in whatever order is fastest."""
    total = 0.0
    for k in range(gradient.size):
        total += np.float64(gradient[k]) * np.float64(gradient[k])
    return total
