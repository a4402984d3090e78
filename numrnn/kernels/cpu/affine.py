"""The affine map of whole arrays, shared out to threads: what layers call."""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.kernel import kernel
from numrnn.kernels.cpu.machine import OPTIONS
from numrnn.kernels.cpu.matmul import (
    DEPTH,
    ROWS,
    TILE_VECTORS,
    add_products_of_transposed,
    add_rows,
    narrow_packing_product,
    narrow_product,
    pack,
    packing_product,
    product1,
)
from numrnn.kernels.cpu.sharing import share
from numrnn.kernels.cpu.threads import run, threads_for
from numrnn.kernels.cpu.vector import lanes_in

COLUMNS = 1920
"""Columns of a gradient that are summed up at once."""

TRAFFIC = 16
"""Operations of arithmetic that take as long as reading or writing a number beyond the second cache."""


def _threads(flops: int, *arrays: np.ndarray) -> int:
    """Return how many threads a product is worth, which is all memory if it is narrow."""
    return threads_for(flops + TRAFFIC * sum(array.size for array in arrays))


def affine(a: np.ndarray, b: np.ndarray, row: np.ndarray, out: np.ndarray, is_transposed: bool = False) -> None:
    """Write row + a @ b, for `a` (M, K), `b` (K, J), `row` (J,) and `out` (M, J); or row + a @ b.T, for `b` (J, K).

    As long as `a` stays in the cache, each panel of `b` is packed just before it is used, which saves a way to the
    farther caches and back.
    """
    if len(a) * min(DEPTH, a.shape[1]) > ROWS * DEPTH:
        multiply(a, pack(b, is_transposed), row, out)
    else:
        run(_affine, (a, b, row, out, is_transposed), _threads(2 * a.size * out.shape[1], a, b, out))


@kernel(**OPTIONS)
def _affine(a, b, row, out, is_transposed, part, parts, barrier):
    (rows, depth), columns = a.shape, out.shape[1]
    lanes = lanes_in(a)
    count = -(-columns // (lanes if columns <= lanes else TILE_VECTORS * lanes))
    low, high, first, last = 0, rows, 0, count
    if rows >= count:
        low, high = share(rows, part, parts)
    else:
        first, last = share(count, part, parts)
    a, b, out, start, out_start = a.ravel(), b.ravel(), out.ravel(), low * depth, low * columns
    if columns <= lanes:
        narrow_packing_product(a, start, high - low, depth, b, is_transposed, first, last, row, out, out_start, columns)
    else:
        packing_product(a, start, high - low, depth, b, is_transposed, first, last, row, out, out_start, columns)


def multiply(a: np.ndarray, panels: np.ndarray, row: np.ndarray, out: np.ndarray) -> None:
    """Write row + a @ b, for `a` (M, K), `b` (K, J) as panels, `row` (J,) and `out` (M, J)."""
    run(_multiply, (a, panels, row, out), _threads(2 * a.size * out.shape[1], a, panels, out))


@kernel(**OPTIONS)
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
    if panels.shape[2] == lanes_in(panels):
        narrow_product(a, start, depth, 1, rows, panels, first, last, row, 0, 0, out, out_start, columns, columns)
    else:
        product1(a, start, depth, 1, rows, panels, first, last, row, 0, 0, out, out_start, columns, columns)


def add_outer_products(
    a: np.ndarray, b: np.ndarray, scale: float, out: np.ndarray, sums: np.ndarray, is_fresh: bool = False
) -> None:
    """Add scale * a.T @ b to `out` (I, J), for `a` (M, I) and `b` (M, J), and the column sums of scale * a to `sums`.

    Both are sums over rows, the last row first. An empty `sums` is left alone. If `is_fresh`, `out` counts as zero,
    whatever is in it.
    """
    arguments = a, b, scale, out, sums, is_fresh
    run(_add_outer_products, arguments, _threads(2 * a.size * out.shape[1], a, b, out))


@kernel(**OPTIONS)
def _add_outer_products(a, b, scale, out, sums, is_fresh, part, parts, barrier):
    (rows, width), columns = a.shape, b.shape[1]
    low, high = share(width, part, parts)
    a, last = a.ravel(), (rows - 1) * width
    bs, starts, sizes, outs = (b.ravel(),), ((rows - 1) * columns,), (columns,), (out.ravel(),)
    for first in range(low, high, COLUMNS):  # their part of `out` stays in the second cache
        end = min(high, first + COLUMNS)
        if is_fresh:
            out[first:end] = 0
        add_products_of_transposed(a, last, -width, first, end, rows, bs, starts, sizes, sizes, scale, outs, sums)


@njit(**OPTIONS)
def add_row_sums(a, scale, out):
    """out += scale * the sum of the rows of `a` (M, J), the last row first."""
    rows, columns = a.shape
    add_rows(a.ravel(), (rows - 1) * columns, -columns, 0, columns, rows, scale, out)
