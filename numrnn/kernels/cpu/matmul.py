"""The matrix product that everything uses, in the forms that layers and cells need.

Each number of a result is one chain of fused multiply-adds, over the inner dimension in a fixed order, that starts from
a given value (see `tile`). So a row's result does not depend on the rows beside it, and a sum continued in a later
call is the same as a sum made at once.

Work is cut into blocks for the caches: `ROWS` rows and `DEPTH` terms of the left factor stay in the second one.
"""

from __future__ import annotations

import math

import numpy as np

from numrnn.equations.symbols import MOST_PARTS
from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from numrnn.kernels.cpu.memory import LINE, aligned
from numrnn.kernels.cpu.tile import tile
from numrnn.kernels.cpu.vector import load, store, transpose

DEPTH = 1024
ROWS = 120
TILE_VECTORS = 2 if VECTOR_REGISTERS == 16 else 4
"""Vectors in a row of a tile, where the number of parts allows."""


def vectors_of_part(parts: int) -> int:
    """Return how many vectors of each part a panel holds."""
    return max(1, TILE_VECTORS // parts)


def lanes_of(dtype: np.dtype) -> int:
    """Return how many numbers a vector register holds."""
    return VECTOR_BITS // (8 * np.dtype(dtype).itemsize)


def empty_panels(depth: int, size: int, parts: int, dtype: np.dtype, vectors: int | None = None) -> np.ndarray:
    """Return panels for a factor of shape (depth, parts * size): `(ceil(size / C), depth, parts * C)`.

    C is the number of channels of each part in a panel: those of `vectors` registers, or as many as the products want.
    """
    channels = (vectors or vectors_of_part(parts)) * lanes_of(dtype)
    shape = -(-size // channels), depth, parts * channels
    return aligned(np.empty(math.prod(shape) * np.dtype(dtype).itemsize + LINE, np.uint8), shape, np.dtype(dtype))


def pack(matrix: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Return a matrix, or its transpose, as panels for `product1`; for `narrow_product` if it fits in one register."""
    depth, size = matrix.shape[::-1] if transposed else matrix.shape
    panels = empty_panels(depth, size, 1, matrix.dtype, vectors=1 if size <= lanes_of(matrix.dtype) else None)
    if transposed:
        pack_transposed(matrix, size, panels, 0, 1)
    else:
        pack_rows(matrix, panels, 0)
    return panels


@njit(**OPTIONS)
def pack_rows(matrix, panels, first):
    """Write a matrix to panels of one part, as their rows from `first` on; ends are padded with zeros."""
    rows, size = matrix.shape
    count, depth, width = panels.shape
    lanes = VECTOR_BITS // (8 * panels.itemsize)
    source, target = matrix.ravel(), panels.ravel()
    for p in range(count):
        for k in range(rows):
            start = k * size + p * width
            for c in range(0, width, lanes):
                numbers = load(source, start + c, size - p * width - c)
                store(numbers, target, (p * depth + first + k) * width + c, lanes)


@njit(**OPTIONS)
def pack_transposed(matrix, size, panels, first, parts):
    """Write the transpose of a matrix of some parts to panels, as their parts from `first` on, padded with zeros."""
    count, depth, width = panels.shape
    channels = width // parts
    lanes = VECTOR_BITS // (8 * panels.itemsize)
    whole = depth - depth % lanes
    source, target = matrix.ravel(), panels.ravel()
    for p in range(count):
        for g in range(matrix.shape[0] // size):
            for c in range(0, channels, lanes):
                used = min(lanes, size - p * channels - c)
                start = (g * size + p * channels + c) * depth
                to = p * depth * width + (first + g) * channels + c
                if used == lanes:
                    for k in range(0, whole, lanes):
                        transpose(source, start + k, depth, target, to + k * width, width)
                for k in range(whole if used == lanes else 0, depth):
                    for lane in range(lanes):
                        target[to + k * width + lane] = source[start + lane * depth + k] if lane < used else 0


def _make_product(parts, vectors):
    columns = parts * vectors
    highest = min(8, (VECTOR_REGISTERS - columns - 1) // columns)  # besides a row of the panel and a spread number
    h0, h1, h2, h3 = highest, min(4, highest), min(2, highest), 1

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
                        left_at, right_at = (a, a_at, a_row, a_step), (flat, panel, coming, some)
                        old, new = (source, init_at, stride), (out, out_at, out_row)
                        rest = bottom - i
                        if rest >= h0:
                            tile(h0, parts, vectors, left_at, right_at, old, new, size, size - j)
                            i += h0
                        elif rest >= h1:
                            tile(h1, parts, vectors, left_at, right_at, old, new, size, size - j)
                            i += h1
                        elif rest >= h2:
                            tile(h2, parts, vectors, left_at, right_at, old, new, size, size - j)
                            i += h2
                        else:
                            tile(h3, parts, vectors, left_at, right_at, old, new, size, size - j)
                            i += h3
                        coming += line

    # Symbols of machine code are made of this name and of a number that counts anew in each process. With one name for
    # all of them, code that was compiled in different processes and comes from the cache would be linked to a namesake.
    product.__qualname__ = f"product_of_{parts}_parts_of_{vectors}"
    return njit(**OPTIONS)(product)


product1, product2, product3, product4, product5, product6, product7, product8 = (
    _make_product(parts, vectors_of_part(parts)) for parts in range(1, MOST_PARTS + 1)
)
narrow_product = _make_product(1, 1)
"""The product for panels of one register."""


CHANNELS = tuple(vectors_of_part(max(1, parts)) for parts in range(MOST_PARTS + 1))
"""Vectors of each part in a panel, by the number of parts."""

BACK_ROWS = 480
BACK_DEPTH = 256
"""Rows and terms of a product of a transposed factor that are packed at once."""


@njit(**OPTIONS)
def add_products_of_transposed(a, a_start, a_step, low, high, depth, bs, starts, columns, scale, outs):
    """out[i, :] += the sum over k of a[a_start + k * a_step + i] * scale * b[start - k * columns :], low <= i < high.

    `bs`, `starts`, `columns` and `outs` are tuples: this is done for each b, which has as many columns as its `out`,
    and whose rows are taken from `start` backwards. All arrays are flat.
    """
    lanes = VECTOR_BITS // (8 * a.itemsize)
    room = np.empty(BACK_DEPTH * TILE_VECTORS * lanes + LINE, a.dtype)
    panel = room[-room.ctypes.data % LINE // a.itemsize :]
    blocks = -(-(high - low) // BACK_ROWS)
    block = -(-(high - low) // (6 * max(1, blocks))) * 6
    tiles = np.empty(BACK_DEPTH * block, a.dtype)
    for top in range(low, high, max(1, block)):
        count = min(block, high - top)
        for first in range(0, depth, BACK_DEPTH):
            some = min(BACK_DEPTH, depth - first)
            begin = a_start + first * a_step + top
            packed = False
            for n in range(len(bs)):
                start, place = starts[n] - first * columns[n], (outs[n], top * columns[n], columns[n])
                if columns[n] <= lanes:  # one register wide: every number of `a` is used once
                    _pack_scaled(bs[n], start, columns[n], columns[n], some, scale, panel, lanes)
                    _add_narrow(a, begin, a_step, count, some, panel, place, columns[n])
                    continue
                if not packed:
                    _pack_tiles(a, begin, a_step, count, some, tiles)
                    packed = True
                for j in range(0, columns[n], TILE_VECTORS * lanes):
                    used = min(TILE_VECTORS * lanes, columns[n] - j)
                    _pack_scaled(bs[n], start + j, columns[n], used, some, scale, panel, TILE_VECTORS * lanes)
                    _add_wide(tiles, count, some, panel, (outs[n], top * columns[n] + j, columns[n]), used)


@njit(**OPTIONS)
def _pack_scaled(b, start, row, used, depth, scale, panel, width):
    """Copy `used` columns of `depth` rows, which are taken backwards, to a panel."""
    lanes = VECTOR_BITS // (8 * b.itemsize)
    for k in range(depth):
        for c in range(0, width, lanes):
            store(load(b, start - k * row + c, used - c) * scale, panel, k * width + c, lanes)


@njit(**OPTIONS)
def _add_narrow(a, start, step, count, depth, panel, place, used):
    """Add a product to an output that is at most one register wide."""
    out, first, row = place
    factor = panel, 0, 0, depth
    whole = count - count % 8
    for i in range(0, whole, 8):
        at = out, first + i * row, row
        tile(8, 1, 1, (a, start + i, 1, step), factor, at, at, 0, used)
    for i in range(whole, count):
        at = out, first + i * row, row
        tile(1, 1, 1, (a, start + i, 1, step), factor, at, at, 0, used)


@njit(**OPTIONS)
def _add_wide(tiles, count, depth, panel, place, used):
    """Add a product of packed tiles and one panel."""
    out, first, row = place
    factor = panel, 0, 0, depth
    whole = count - count % 6
    for i in range(0, whole, 6):
        at = out, first + i * row, row
        tile(6, 1, TILE_VECTORS, (tiles, i * depth, 1, 6), factor, at, at, 0, used)
    for i in range(whole, count):
        at = out, first + i * row, row
        tile(1, 1, TILE_VECTORS, (tiles, i * depth, 1, 1), factor, at, at, 0, used)


@njit(**OPTIONS)
def _pack_tiles(a, start, step, count, depth, tiles):
    """Copy `count` columns of `depth` rows so that what a tile reads lies together: 6 columns, the others singly."""
    whole = count - count % 6
    lanes = VECTOR_BITS // (8 * a.itemsize)
    for first in range(0, depth, 16):
        for i in range(0, whole, 6):
            for k in range(first, min(depth, first + 16)):
                source, target = start + k * step + i, i * depth + k * 6
                for c in range(0, 6, lanes):
                    store(load(a, source + c, 6 - c), tiles, target + c, 6 - c)
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
