"""The affine map of whole arrays, shared out to threads: what layers call."""

from __future__ import annotations

import numpy as np
from numba import njit

from numrnn.kernels.cpu.machine import OPTIONS
from numrnn.kernels.cpu.matmul import add_products_of_transposed, add_rows, product1
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for


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
    out = out.ravel()
    product1(a.ravel(), low * depth, depth, 1, high - low, panels, first, last, row, 0, 0, out, low * columns, columns)


def add_outer_products(a: np.ndarray, b: np.ndarray, scale: float, out: np.ndarray) -> None:
    """Add scale * a.T @ b to `out` (I, J), for `a` (M, I) and `b` (M, J): a sum over rows, the last row first."""
    run(_add_outer_products, (a, b, scale, out), threads_for(2 * a.size * out.shape[1]))


@njit(**OPTIONS)
def _add_outer_products(a, b, scale, out, part, parts, barrier):
    (rows, width), columns = a.shape, b.shape[1]
    low, high = share(width, part, parts)
    last = rows - 1
    add_products_of_transposed(
        a.ravel(),
        last * width,
        -width,
        low,
        high,
        rows,
        (b.ravel(),),
        (last * columns,),
        (columns,),
        scale,
        (out.ravel(),),
    )


@njit(**OPTIONS)
def add_row_sums(a, scale, out):
    """out += scale * the sum of the rows of `a` (M, J), the last row first."""
    rows, columns = a.shape
    add_rows(a.ravel(), (rows - 1) * columns, -columns, 0, columns, rows, scale, out)
