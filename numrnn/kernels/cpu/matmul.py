"""The matrix product that everything uses, in the forms that layers and cells need.

Each number of a result is one chain of fused multiply-adds, over the inner dimension in a fixed order, that starts from
a given value (see `tile`). So a row's result does not depend on the rows beside it, and a sum continued in a later
call is the same as a sum made at once.

Work is cut into blocks for the caches: `ROWS` rows and `DEPTH` terms of the left factor stay in the second one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from numrnn.equations.symbols import MOST_PARTS
from numrnn.kernels.cpu.machine import OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from numrnn.kernels.cpu.tile import LINE, tile
from numrnn.kernels.cpu.vector import load, store

DEPTH = 1024
ROWS = 120
TILE_VECTORS = 2 if VECTOR_REGISTERS == 16 else 4
"""Vectors in a row of a tile, where the number of parts allows."""


def vectors_of_part(parts: int) -> int:
    """Return how many vectors of each part a panel holds."""
    return max(1, TILE_VECTORS // parts)


def panel_channels(parts: int, dtype: np.dtype) -> int:
    """Return how many channels of each part a panel holds."""
    return vectors_of_part(parts) * VECTOR_BITS // (8 * np.dtype(dtype).itemsize)


def pack(matrix: np.ndarray, transposed: bool = False, parts: int = 1) -> np.ndarray:
    """Return `matrix` (or its transpose), of shape (K, parts * size), as panels, padded with zeros.

    Panels are `(ceil(size / C), K, parts * C)` for C channels of each part in a panel.
    """
    columns = matrix.shape[0 if transposed else 1]
    depth = matrix.shape[1 if transposed else 0]
    channels, size = panel_channels(parts, matrix.dtype), columns // parts
    panels = np.empty((-(-size // channels), depth, parts * channels), matrix.dtype)
    (_pack_transposed if transposed else _pack)(np.ascontiguousarray(matrix), panels, parts)
    return panels


@njit(**OPTIONS)
def _pack(matrix, panels, parts):
    count, depth, width = panels.shape
    channels, size = width // parts, matrix.shape[1] // parts
    for p in range(count):
        used = min(channels, size - p * channels)
        for k in range(depth):
            for g in range(parts):
                for c in range(used):
                    panels[p, k, g * channels + c] = matrix[k, g * size + p * channels + c]
                for c in range(used, channels):
                    panels[p, k, g * channels + c] = 0


@njit(**OPTIONS)
def _pack_transposed(matrix, panels, parts):
    count, depth, width = panels.shape
    channels, size = width // parts, matrix.shape[0] // parts
    for p in range(count):
        used = min(channels, size - p * channels)
        if used < channels:
            panels[p] = 0
        for first in range(0, depth, 64):
            last = min(depth, first + 64)
            for g in range(parts):
                for c in range(used):
                    for k in range(first, last):
                        panels[p, k, g * channels + c] = matrix[g * size + p * channels + c, k]


def _make_product(parts):
    vectors = vectors_of_part(parts)
    columns = parts * vectors
    highest = min(8, (VECTOR_REGISTERS - columns - 1) // columns)  # besides a row of the panel and a spread number
    h0, h1, h2, h3 = highest, min(4, highest), min(2, highest), 1

    @njit(**OPTIONS)
    def product(a, a_start, a_row, a_step, rows, panels, low, high, init, init_start, init_row, out, out_start, size):
        """out = init + a @ b for `rows` rows and the panels from `low` to `high` of b.

        All arrays but the panels are flat. Rows of `a` and `init` are `a_row` and `init_row` apart, those of `out`
        are parts * size.
        """
        depth, width = panels.shape[1:]
        channels = width // parts
        flat, out_row = panels.ravel(), parts * size
        for top in range(0, rows, ROWS):
            bottom = min(rows, top + ROWS)
            for first in range(0, depth, DEPTH):
                some = min(DEPTH, depth - first)
                source, start, stride = (init, init_start, init_row) if first == 0 else (out, out_start, out_row)
                for p in range(low, high):
                    j = p * channels
                    panel = (p * depth + first) * width
                    coming, line = panel + depth * width, some * (LINE // flat.itemsize)
                    i = top
                    while i < bottom:
                        if i - top >= columns * h0:
                            coming = panel
                        a_at = a_start + i * a_row + first * a_step
                        init_at = start + i * stride + j
                        out_at = out_start + i * out_row + j
                        left = bottom - i
                        if left >= h0:
                            tile(h0, parts, vectors, a, a_at, a_row, a_step, flat, panel, coming, some, source, init_at, stride, out, out_at, out_row, size, size - j)  # fmt: skip
                            i += h0
                        elif left >= h1:
                            tile(h1, parts, vectors, a, a_at, a_row, a_step, flat, panel, coming, some, source, init_at, stride, out, out_at, out_row, size, size - j)  # fmt: skip
                            i += h1
                        elif left >= h2:
                            tile(h2, parts, vectors, a, a_at, a_row, a_step, flat, panel, coming, some, source, init_at, stride, out, out_at, out_row, size, size - j)  # fmt: skip
                            i += h2
                        else:
                            tile(h3, parts, vectors, a, a_at, a_row, a_step, flat, panel, coming, some, source, init_at, stride, out, out_at, out_row, size, size - j)  # fmt: skip
                            i += h3
                        coming += line

    return product


product1, product2, product3, product4, product5, product6, product7, product8 = (
    _make_product(parts) for parts in range(1, MOST_PARTS + 1)
)


CHANNELS = tuple(vectors_of_part(max(1, parts)) for parts in range(MOST_PARTS + 1))
"""Vectors of each part in a panel, by the number of parts."""

BACK_ROWS = 480
BACK_DEPTH = 256
"""Rows and terms of a product of a transposed factor that are packed at once."""


@njit(**OPTIONS)
def add_product_of_transposed(a, a_start, a_step, low, high, b, b_start, b_step, columns, depth, scale, out):
    """out[i, :] += sum over k of a[a_start + k * a_step + i] * scale * b[b_start + k * b_step :], for low <= i < high.

    All arrays are flat; rows of `out` are `columns` long. Negative steps add up the last rows first.
    """
    width = TILE_VECTORS * VECTOR_BITS // (8 * b.itemsize)
    lanes = width // TILE_VECTORS
    panel = np.empty(BACK_DEPTH * width, b.dtype)
    tiles = np.empty(BACK_DEPTH * BACK_ROWS, a.dtype)
    for top in range(low, high, BACK_ROWS):
        count = min(BACK_ROWS, high - top)
        whole = count - count % 6
        for first in range(0, depth, BACK_DEPTH):
            some = min(BACK_DEPTH, depth - first)
            _pack_tiles(a, a_start + first * a_step + top, a_step, count, some, tiles)
            for j in range(0, columns, width):
                used = min(width, columns - j)
                start = b_start + first * b_step + j
                for k in range(some):
                    for c in range(0, width, lanes):
                        factors = load(b, start + k * b_step + c, used - c)
                        store(factors * scale, panel, k * width + c, lanes)
                for i in range(0, whole, 6):
                    at = (top + i) * columns + j
                    tile(6, 1, TILE_VECTORS, tiles, i * some, 1, 6, panel, 0, 0, some, out, at, columns, out, at, columns, 0, used)  # fmt: skip
                for i in range(whole, count):
                    at = (top + i) * columns + j
                    tile(1, 1, TILE_VECTORS, tiles, i * some, 1, 1, panel, 0, 0, some, out, at, columns, out, at, columns, 0, used)  # fmt: skip


@njit(**OPTIONS)
def _pack_tiles(a, start, step, count, depth, tiles):
    """Copy `count` columns of `depth` rows so that what a tile reads lies together: of 6 columns, row by row; the rest singly."""
    whole = count - count % 6
    for first in range(0, depth, 16):
        for i in range(0, whole, 6):
            for k in range(first, min(depth, first + 16)):
                source, target = start + k * step + i, i * depth + k * 6
                store(load(a, source, 6), tiles, target, 6)
    for i in range(whole, count):
        for k in range(depth):
            tiles[i * depth + k] = a[start + k * step + i]


@njit(**OPTIONS)
def add_rows(a, start, step, low, high, rows, scale, out):
    """out[j] += the sum over k < rows of scale * a[start + k * step + j], in that order, for low <= j < high."""
    for k in range(rows):
        row = start + k * step
        for j in range(low, high):
            out[j] += scale * a[row + j]


@njit(**OPTIONS)
def repeat(row, out, start, count):
    """Write `row` `count` times, beginning at `start` of the flat array `out`."""
    for k in range(count):
        out[start + k * row.size : start + (k + 1) * row.size] = row
