"""The affine map of whole arrays, shared out to threads: what layers call."""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS, VECTOR_BITS
from numrnn.kernels.cpu.matmul import add_products_of_transposed, add_rows, narrow_product, product1
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for

COLUMNS = 1920
"""Columns of a gradient that are summed up at once."""


def multiply(a: np.ndarray, panels: np.ndarray, row: np.ndarray, out: np.ndarray) -> None:
    """Write row + a @ b, for `a` (M, K), `b` (K, J) as panels, `row` (J,) and `out` (M, J)."""
    run(_multiply, (a, panels, row, out), threads_for(2 * a.size * out.shape[1]))


@njit(**OPTIONS)
def _multiply(a, panels, row, out, part, parts, barrier):
    rows, depth = a.shape
    columns = out.shape[1]
    if rows >= len(panels):
        low, high = share(rows, part, parts)
        first, last = 0, len(panels)
    else:
        low, high = 0, rows
        first, last = share(len(panels), part, parts)
    rows, a, start = high - low, a.ravel(), low * depth
    out, out_start = out.ravel(), low * columns
    if panels.shape[2] == VECTOR_BITS // (8 * panels.itemsize):
        narrow_product(a, start, depth, 1, rows, panels, first, last, row, 0, 0, out, out_start, columns, columns)
    else:
        product1(a, start, depth, 1, rows, panels, first, last, row, 0, 0, out, out_start, columns, columns)


def add_outer_products(a: np.ndarray, b: np.ndarray, scale: float, out: np.ndarray, sums: np.ndarray) -> None:
    """Add scale * a.T @ b to `out` (I, J), for `a` (M, I) and `b` (M, J), and the column sums of scale * a to `sums`.

    Both are sums over rows, the last row first. An empty `sums` is left alone.
    """
    run(_add_outer_products, (a, b, scale, out, sums), threads_for(2 * a.size * out.shape[1]))


@njit(**OPTIONS)
def _add_outer_products(a, b, scale, out, sums, part, parts, barrier):
    (rows, width), columns = a.shape, b.shape[1]
    low, high = share(width, part, parts)
    a, last = a.ravel(), (rows - 1) * width
    bs, starts, sizes, outs = (b.ravel(),), ((rows - 1) * columns,), (columns,), (out.ravel(),)
    for first in range(low, high, COLUMNS):  # both while these columns are in the second cache
        end = min(high, first + COLUMNS)
        if sums.size:
            add_rows(a, last, -width, first, end, rows, scale, sums)
        add_products_of_transposed(a, last, -width, first, end, rows, bs, starts, sizes, sizes, scale, outs)


@njit(**OPTIONS)
def add_row_sums(a, scale, out):
    """out += scale * the sum of the rows of `a` (M, J), the last row first."""
    rows, columns = a.shape
    add_rows(a.ravel(), (rows - 1) * columns, -columns, 0, columns, rows, scale, out)
