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
from numrnn.kernels.cpu.apart import apart
from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from numrnn.kernels.cpu.masking import copy_row
from numrnn.kernels.cpu.memory import LINE, aligned
from numrnn.kernels.cpu.tile import tile
from numrnn.kernels.cpu.vector import lanes_in, load, store, transpose, transpose_part

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


def empty_panels(
    depth: int, size: int, parts: int, dtype: np.dtype, vectors: int | None = None, several: tuple[int, ...] = ()
) -> np.ndarray:
    """Return panels for a factor of shape (depth, parts * size): `(*several, ceil(size / C), depth, parts * C)`.

    C is the number of channels of each part in a panel: those of `vectors` registers, or as many as the products want.
    """
    channels = (vectors or vectors_of_part(parts)) * lanes_of(dtype)
    shape = *several, -(-size // channels), depth, parts * channels
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
    lanes = lanes_in(panels)
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
    lanes = lanes_in(panels)
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

    def product(
        a, a_start, a_row, a_step, rows, panels, low, high, init, init_start, init_row, out, out_start, size, used
    ):
        """out = init + a @ b for `rows` rows and the panels from `low` to `high` of b.

        All arrays but the panels are flat. Rows of `a` and `init` are `a_row` and `init_row` apart, those of `out`
        are parts * size, and parts are `size` apart, of whose channels b has the first `used`.
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
                            tile(h0, parts, vectors, left_at, right_at, old, new, size, used - j)
                            i += h0
                        elif rest >= h1:
                            tile(h1, parts, vectors, left_at, right_at, old, new, size, used - j)
                            i += h1
                        elif rest >= h2:
                            tile(h2, parts, vectors, left_at, right_at, old, new, size, used - j)
                            i += h2
                        else:
                            tile(h3, parts, vectors, left_at, right_at, old, new, size, used - j)
                            i += h3
                        coming += line

    # Symbols of machine code are made of this name and of a number that counts anew in each process. With one name for
    # all of them, code that was compiled in different processes and comes from the cache would be linked to a namesake.
    product.__qualname__ = f"product_of_{parts}_parts_of_{vectors}"
    return apart(njit(**OPTIONS)(product))


product1, product2, product3, product4, product5, product6, product7, product8 = (
    _make_product(parts, vectors_of_part(parts)) for parts in range(1, MOST_PARTS + 1)
)
narrow_product = _make_product(1, 1)
"""The product for panels of one register."""


PACKED_DEPTH = 256
"""Terms of a product whose right factor is packed as it goes: a part of a panel that stays in the first caches."""


def _make_packing_product(vectors):
    highest = min(8, (VECTOR_REGISTERS - vectors - 1) // vectors)
    h0, h1, h2, h3 = highest, min(4, highest), min(2, highest), 1

    def product(a, start, rows, depth, b, is_transposed, low, high, row, out, out_start, columns):
        """out = row + a @ b for `rows` rows, and the panels from `low` to `high` of b, packed one after the other.

        All arrays are flat; `b` is (depth, columns), or (columns, depth) if it is to be transposed.
        """
        lanes = lanes_in(a)
        width = vectors * lanes
        room = np.empty(min(depth, PACKED_DEPTH) * width + LINE, a.dtype)
        panel = room[-room.ctypes.data % LINE // a.itemsize :]
        for p in range(low, high):
            j = p * width
            used = min(width, columns - j)
            for first in range(0, max(1, depth), PACKED_DEPTH):
                some = min(PACKED_DEPTH, depth - first)
                if is_transposed:
                    _pack_part_transposed(b, j * depth + first, depth, used, some, panel, width)
                else:
                    _pack_part(b, first * columns + j, columns, used, some, panel, width)
                init, init_start, init_row = (row, j, 0) if first == 0 else (out, out_start + j, columns)
                factor = panel, 0, 0, some
                i = 0
                while i < rows:
                    left = a, start + i * depth + first, depth, 1
                    old, new = (init, init_start + i * init_row, init_row), (out, out_start + i * columns + j, columns)
                    rest = rows - i
                    if rest >= h0:
                        tile(h0, 1, vectors, left, factor, old, new, 0, used)
                        i += h0
                    elif rest >= h1:
                        tile(h1, 1, vectors, left, factor, old, new, 0, used)
                        i += h1
                    elif rest >= h2:
                        tile(h2, 1, vectors, left, factor, old, new, 0, used)
                        i += h2
                    else:
                        tile(h3, 1, vectors, left, factor, old, new, 0, used)
                        i += h3

    product.__qualname__ = f"packing_product_of_{vectors}"
    return njit(**OPTIONS)(product)


@njit(**OPTIONS)
def _pack_part(b, start, row, used, depth, panel, width):
    """Copy `used` columns of `depth` rows to a panel."""
    lanes = lanes_in(b)
    for k in range(depth):
        for c in range(0, used, lanes):
            store(load(b, start + k * row + c, used - c), panel, k * width + c, lanes)


@njit(**OPTIONS)
def _pack_part_transposed(b, start, row, used, depth, panel, width):
    """Copy `used` rows of `depth` columns to a panel, as its columns."""
    lanes = lanes_in(b)
    for c in range(0, used, lanes):
        for k in range(0, depth, lanes):
            source, target = start + c * row + k, k * width + c
            if used - c >= lanes and depth - k >= lanes:
                transpose(b, source, row, panel, target, width)
            else:
                transpose_part(b, source, row, used - c, depth - k, panel, target, width)


packing_product, narrow_packing_product = _make_packing_product(TILE_VECTORS), _make_packing_product(1)


CHANNELS = tuple(vectors_of_part(max(1, parts)) for parts in range(MOST_PARTS + 1))
"""Vectors of each part in a panel, by the number of parts."""

BACK_ROWS = 480
BACK_DEPTH = 256
"""Rows and terms of a product of a transposed factor that are packed at once."""


@apart
@njit(**OPTIONS)
def add_products_of_transposed(a, a_start, a_step, low, high, depth, bs, starts, rows, columns, scale, outs, sums):
    """out[i, :] += the sum over k of a[a_start + k * a_step + i] * scale * b[start - k * row :], low <= i < high.

    `bs`, `starts`, `rows`, `columns` and `outs` are tuples: this is done for each b, of which as many columns are used
    as its `out` has, and whose rows, `row` apart, are taken from `start` backwards. The sums of `a` alone, times
    `scale`, are added to `sums`, unless it is empty. All arrays are flat.
    """
    lanes = lanes_in(a)
    width = TILE_VECTORS * lanes
    deepest = min(BACK_DEPTH, depth)
    size = deepest * width
    panels = 0
    for n in range(len(bs)):
        panels += -(-columns[n] // width)
    room = np.empty(panels * size + LINE, a.dtype)
    room = room[-room.ctypes.data % LINE // a.itemsize :]
    blocks = -(-(high - low) // BACK_ROWS)
    block = -(-(high - low) // (6 * max(1, blocks))) * 6
    tiles = np.empty(deepest * block, a.dtype)
    for first in range(0, depth, BACK_DEPTH):
        some = min(BACK_DEPTH, depth - first)
        panel = 0
        for n in range(len(bs)):
            of_panel = lanes if columns[n] <= lanes else width
            start = starts[n] - first * rows[n]
            _pack_scaled(bs[n], start, rows[n], columns[n], some, scale, room, panel, of_panel, size)
            panel += -(-columns[n] // width) * size
        for top in range(low, high, max(1, block)):
            count = min(block, high - top)
            begin = a_start + first * a_step + top
            if sums.size:  # which brings the block to the second cache
                add_rows(a, begin - top, a_step, top, top + count, some, scale, sums)
            packed = False
            panel = 0
            for n in range(len(bs)):
                place = outs[n], top * columns[n], columns[n]
                if columns[n] <= lanes:  # fewer columns than a register holds: the other factor fills it
                    _add_narrow(a, begin, a_step, count, some, room, panel, place, columns[n])
                    panel += size
                    continue
                if columns[n] <= width:  # one panel: every number of `a` is used once
                    _add_panel(a, begin, a_step, count, some, room, panel, place, columns[n])
                    panel += size
                    continue
                if not packed:
                    _pack_tiles(a, begin, a_step, count, some, tiles)
                    packed = True
                for j in range(0, columns[n], width):
                    place = outs[n], top * columns[n] + j, columns[n]
                    _add_wide(tiles, count, some, room, panel, panel + size, place, columns[n] - j)
                    panel += size


@njit(**OPTIONS)
def _pack_scaled(b, start, row, columns, depth, scale, panels, first, width, size):
    """Copy `depth` rows, which are `row` apart and taken backwards, to panels that are `size` apart."""
    lanes = lanes_in(b)
    padded = -(-columns // width) * width
    for k in range(depth):
        source = start - k * row
        for c in range(0, padded, lanes):
            target = first + c // width * size + k * width + c % width
            store(load(b, source + c, columns - c) * scale, panels, target, lanes)


def _make_add_narrow():
    highest = min(6, (VECTOR_REGISTERS - TILE_VECTORS - 1) // TILE_VECTORS)
    h0, h1, h2 = highest, min(2, highest), 1

    @njit(**OPTIONS)
    def add_narrow(a, start, step, count, depth, panels, panel, place, used):
        """Add a product to an output that is at most one register wide, made as its transpose."""
        out, first, row = place
        lanes = lanes_in(a)
        width = TILE_VECTORS * lanes
        room = np.empty((depth + lanes) * width + LINE, a.dtype)
        factor = room[-room.ctypes.data % LINE // a.itemsize :]
        sums = factor[depth * width :]
        for i in range(0, count, width):
            some = min(width, count - i)
            for k in range(depth):
                for c in range(0, some, lanes):
                    store(load(a, start + k * step + i + c, some - c), factor, k * width + c, lanes)
            for c in range(0, some, lanes):
                transpose_part(out, first + (i + c) * row, row, some - c, used, sums, c, width)
            j = 0
            while j < used:
                left, at, rest = (panels, panel + j, 1, lanes), (sums, j * width, width), used - j
                if rest >= h0:
                    tile(h0, 1, TILE_VECTORS, left, (factor, 0, 0, depth), at, at, 0, width)
                    j += h0
                elif rest >= h1:
                    tile(h1, 1, TILE_VECTORS, left, (factor, 0, 0, depth), at, at, 0, width)
                    j += h1
                else:
                    tile(h2, 1, TILE_VECTORS, left, (factor, 0, 0, depth), at, at, 0, width)
                    j += h2
            for c in range(0, some, lanes):
                transpose_part(sums, c, width, used, some - c, out, first + (i + c) * row, row)

    return add_narrow


_add_narrow = _make_add_narrow()


@njit(**OPTIONS)
def _add_panel(a, start, step, count, depth, panels, panel, place, used):
    """Add a product to an output that is at most one panel wide."""
    out, first, row = place
    factor = panels, panel, panel, depth
    whole = count - count % 6
    for i in range(0, whole, 6):
        at = out, first + i * row, row
        tile(6, 1, TILE_VECTORS, (a, start + i, 1, step), factor, at, at, 0, used)
    for i in range(whole, count):
        at = out, first + i * row, row
        tile(1, 1, TILE_VECTORS, (a, start + i, 1, step), factor, at, at, 0, used)


@njit(**OPTIONS)
def _add_wide(tiles, count, depth, panels, panel, coming, place, used):
    """Add a product of packed tiles and one panel, while the `coming` one is asked for."""
    out, first, row = place
    whole = count - count % 6
    for i in range(0, whole, 6):
        if i >= 6 * TILE_VECTORS:
            coming = panel
        at = out, first + i * row, row
        tile(6, 1, TILE_VECTORS, (tiles, i * depth, 1, 6), (panels, panel, coming, depth), at, at, 0, used)
        coming += depth * (LINE // tiles.itemsize)
    for i in range(whole, count):
        at = out, first + i * row, row
        tile(1, 1, TILE_VECTORS, (tiles, i * depth, 1, 1), (panels, panel, panel, depth), at, at, 0, used)


@njit(**OPTIONS)
def _pack_tiles(a, start, step, count, depth, tiles):
    """Copy `count` columns of `depth` rows so that what a tile reads lies together: 6 columns, the others singly."""
    whole = count - count % 6
    lanes = lanes_in(a)
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
    lanes = lanes_in(a)
    for first in range(0, rows, 8):
        last = min(rows, first + 8)
        for j in range(low, high, lanes):
            total = load(out, j, high - j)
            for k in range(first, last):
                total = total + load(a, start + k * step + j, high - j) * scale
            store(total, out, j, high - j)


@njit(**OPTIONS)
def repeat(row, out, start, count):
    """Write `row` `count` times, beginning at `start` of the flat array `out`."""
    for k in range(count):
        copy_row(row, 0, out, start + k * row.size, 0, row.size)
