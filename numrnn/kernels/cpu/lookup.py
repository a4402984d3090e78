"""The backward of a look-up: add rows to the rows they came from; and gradient descent of some rows."""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS


@njit(**OPTIONS)
def add_rows_at(gradient: np.ndarray, indices: np.ndarray, rows: np.ndarray, scale: float) -> None:
    """Add `scale * rows[t, n]` to row `indices[t, n]` of `gradient`, the last t first, and n in order.

    That is the order of stepping back through time: a sequence and its steps give the same sums, to the bit.

    Parameters
    ----------
    gradient : (words, features), changed in place
    indices : (time, batch), integers in 0 .. words-1
    rows : (time, batch, features)
    scale : of the arrays' element type
    """
    steps, batch, features = rows.shape
    for t in range(steps - 1, -1, -1):
        for n in range(batch):
            target = gradient[indices[t, n]]
            for k in range(features):
                target[k] += scale * rows[t, n, k]


@njit(**OPTIONS)
def descend_rows(weights: np.ndarray, gradients: np.ndarray, rows: np.ndarray, learning_rate: float) -> None:
    """Take a step of plain gradient descent in some rows, each given once. Elsewhere the gradients are zero."""
    for row in rows:
        target, gradient = weights[row], gradients[row]
        for k in range(target.size):
            target[k] -= learning_rate * gradient[k]
