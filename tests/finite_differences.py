"""Numeric gradients that the layers' and criterions' own are compared with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def numeric_gradient(loss: Callable[[], float], array: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Return the central differences of `loss()` with respect to `array`, which is changed and put back."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        old = array[index]
        array[index] = old + step
        above = loss()
        array[index] = old - step
        below = loss()
        array[index] = old
        gradient[index] = (above - below) / (2 * step)
    return gradient
