"""The matrix product that everything uses, in the three forms that layers and cells need.

Each element of a result is one chain of fused multiply-adds, over the inner dimension in ascending order, that starts
from the element's old value (see `tile`). So a row's result does not depend on the rows beside it, and a sum
continued in a later call is the same as a sum made at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from numrnn.kernels.cpu.machine import OPTIONS, TILE_VECTORS, VECTOR_BITS
from numrnn.kernels.cpu.tile import tile1, tile2, tile4, tile6

DEPTH = 256
"""Terms that are added before the next tile's turn, so that what they are made of stays in the cache."""


def panel_width(dtype: np.dtype) -> int:
    """Return the number of columns in a panel."""
    return TILE_VECTORS * VECTOR_BITS // (8 * np.dtype(dtype).itemsize)


def pack(matrix: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Return `matrix` (or its transpose), of shape (K, J), as panels `(ceil(J / W), K, W)`, padded with zeros."""
    columns = matrix.shape[0 if transposed else 1]
    depth = matrix.shape[1 if transposed else 0]
    width = panel_width(matrix.dtype)
    panels = np.empty((-(-columns // width), depth, width), matrix.dtype)
    (_pack_transposed if transposed else _pack)(np.ascontiguousarray(matrix), panels)
    return panels


@njit(**OPTIONS)
def _pack(matrix, panels):
    columns = matrix.shape[1]
    count, depth, width = panels.shape
    for p in range(count):
        used = min(width, columns - p * width)
        for k in range(depth):
            for j in range(used):
                panels[p, k, j] = matrix[k, p * width + j]
            for j in range(used, width):
                panels[p, k, j] = 0


@njit(**OPTIONS)
def _pack_transposed(matrix, panels):
    columns = matrix.shape[0]
    count, depth, width = panels.shape
    for p in range(count):
        used = min(width, columns - p * width)
        if used < width:
            panels[p] = 0
        for j in range(used):
            for k in range(depth):
                panels[p, k, j] = matrix[p * width + j, k]


@njit(**OPTIONS)
def _accumulate(a, a_row, a_step, rows, depth, panels, out, out_row):
    """out[i, :] += sum over k of a[i * a_row + k * a_step] * panel[k, :]; `a` and `out` are flat."""
    for first in range(0, depth, DEPTH):
        _accumulate_some(a, first, a_row, a_step, rows, min(DEPTH, depth - first), panels, out, out_row)


@njit(**OPTIONS)
def _accumulate_some(a, first, a_row, a_step, rows, depth, panels, out, out_row):
    """Add the terms with k in first .. first + depth - 1."""
    count, panel_depth, width = panels.shape
    flat = panels.ravel()
    edge = np.zeros(6 * width, out.dtype)
    for p in range(count):
        column = p * width
        used = min(width, out_row - column)
        panel = (p * panel_depth + first) * width
        i = 0
        while i < rows:
            left = rows - i
            height = 6 if left >= 6 else 4 if left >= 4 else 2 if left >= 2 else 1
            if used == width:
                target, start, stride = out, i * out_row + column, out_row
            else:
                target, start, stride = edge, 0, width
                for r in range(height):
                    for j in range(used):
                        edge[r * width + j] = out[(i + r) * out_row + column + j]
            if height == 6:
                tile6(a, i * a_row + first * a_step, a_row, a_step, flat, panel, depth, target, start, stride)
            elif height == 4:
                tile4(a, i * a_row + first * a_step, a_row, a_step, flat, panel, depth, target, start, stride)
            elif height == 2:
                tile2(a, i * a_row + first * a_step, a_row, a_step, flat, panel, depth, target, start, stride)
            else:
                tile1(a, i * a_row + first * a_step, a_row, a_step, flat, panel, depth, target, start, stride)
            if used < width:
                for r in range(height):
                    for j in range(used):
                        out[(i + r) * out_row + column + j] = edge[r * width + j]
            i += height


@njit(**OPTIONS)
def add_product(a, panels, out):
    """out += a @ b, for `a` (M, K), `b` packed (K, J), `out` (M, J), all C-contiguous."""
    _accumulate(a.ravel(), a.shape[1], 1, a.shape[0], a.shape[1], panels, out.ravel(), out.shape[1])


@njit(**OPTIONS)
def add_product_of_transposed(a, panels, out):
    """out += a.T @ b, for `a` (M, I), `b` packed (M, J), `out` (I, J): a sum over rows, in their order."""
    _accumulate(a.ravel(), 1, a.shape[1], a.shape[1], a.shape[0], panels, out.ravel(), out.shape[1])


@njit(**OPTIONS)
def add_rows(a, out):
    """out += the sum of the rows of `a` (M, J), in their order."""
    for m in range(a.shape[0]):
        for j in range(a.shape[1]):
            out[j] += a[m, j]
