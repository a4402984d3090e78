"""The micro-kernel of the matrix product: a tile of the output, accumulated in registers.

    out[r, g, :] = init[r, g, :] + sum over k of a[r, k] * panel[k, g, :]        r < rows, g < parts

The columns of a product come in `parts` of as many channels each (the gates of a cell, say). A panel holds some
channels of all parts, `vectors` vector registers of each, row by row. Each number of the tile is one chain of fused
multiply-adds over k in ascending order. The chain is the same whatever the number of rows, the width of the registers
or the processor, so results are reproducible bit for bit.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from numrnn.kernels.cpu.machine import VECTOR_BITS
from numrnn.kernels.cpu.memory import LINE
from numrnn.kernels.cpu.vector import address, call, emit_load, emit_store, require_one_dtype, spread, suffix

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)

AHEAD = 16
"""Rows of the panel between the one that is used and the one that is asked for from the farther caches."""

FEW_ROWS = 3
"""Tiles of so few rows ask for nothing beforehand: loads are their bottleneck, and the processor sees what comes."""


def _number(value):
    return ir.Constant(_I64, value)


def _prefetch(builder, pointer):
    byte = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    read, keep, data = (ir.Constant(_I32, value) for value in (0, 3, 1))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), byte, read, keep, data)


@intrinsic(prefer_literal=True)
def tile(typing_context, rows, parts, vectors, left, right, init, out, size, width):
    """Compute one tile.

    Its arrays come in tuples with what says where to begin: `left` is (a, start, from row to row, from k to k),
    `right` is (panels, start, start of what is needed next, number of k's), `init` and `out` are (array, start, from
    row to row). All are flat, and positions count numbers. `size` is the distance from part to part of `init` and
    `out`. Of each part only `width` channels exist; `rows`, `parts` and `vectors` are literals. What is needed next is
    asked for from the farther caches on the way, a cache line for every k.
    """
    require_one_dtype(*(place[0] for place in (left, right, init, out)))
    counts = [kind.literal_value for kind in (rows, parts, vectors)]
    index = types.intp
    places = [types.Tuple((place[0], *[index] * (len(place) - 1))) for place in (left, right, init, out)]
    return types.void(rows, parts, vectors, *places, index, index), _emitter(*counts)


def _emitter(row_count, parts, vectors):
    rows, columns = range(row_count), [(g, v) for g in range(parts) for v in range(vectors)]

    def emit(context, builder, signature, args):
        places = [cgutils.unpack_tuple(builder, place) for place in args[3:7]]
        (a, a_start, a_row, a_step), (panel, panel_start, next_start, depth) = places[:2]
        (init, init_start, init_row), (out, out_start, out_row) = places[2:]
        size, width = args[7:]
        a_type, panel_type, init_type, out_type = (signature.args[k][0] for k in range(3, 7))
        element = context.get_value_type(a_type.dtype)
        lanes = VECTOR_BITS // a_type.dtype.bitwidth
        vector = ir.VectorType(element, lanes)
        fma = f"llvm.fma.{suffix(vector)}"
        a = address(context, builder, a_type, a, a_start)
        upcoming = address(context, builder, panel_type, panel, next_start)
        panel = address(context, builder, panel_type, panel, panel_start)
        init = address(context, builder, init_type, init, init_start)
        out = address(context, builder, out_type, out, out_start)
        part_starts = [builder.mul(_number(g), size) for g in range(parts)]
        widths = [builder.sub(width, _number(v * lanes)) for v in range(vectors)]

        def place(pointer, row, stride, column):
            part, v = column
            offset = builder.add(builder.mul(_number(row), stride), builder.add(part_starts[part], _number(v * lanes)))
            return builder.gep(pointer, [offset])

        old = [[emit_load(builder, place(init, r, init_row, c), vector, widths[c[1]]) for c in columns] for r in rows]
        asks = row_count > FEW_ROWS
        for r in rows if asks else ():  # the next tile below begins with these
            for column in columns:
                _prefetch(builder, place(init, r + row_count, init_row, column))
        a_rows = [builder.gep(a, [builder.mul(_number(r), a_row)]) for r in rows]

        before, loop, after = builder.block, builder.append_basic_block("k"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", depth, _number(0)), loop, after)
        builder.position_at_end(loop)
        k = builder.phi(_I64)
        k.add_incoming(_number(0), before)
        sums = [[builder.phi(vector) for _ in columns] for _ in rows]
        panel_row = builder.gep(panel, [builder.mul(k, _number(len(columns) * lanes))])
        for c in range(len(columns) if asks else 0):
            _prefetch(builder, builder.gep(panel_row, [_number((AHEAD * len(columns) + c) * lanes)]))
        if asks:
            _prefetch(builder, builder.gep(upcoming, [builder.mul(k, _number(LINE * 8 // a_type.dtype.bitwidth))]))
        factors = [
            emit_load(builder, builder.gep(panel_row, [_number(c * lanes)]), vector) for c in range(len(columns))
        ]
        position = builder.mul(k, a_step)
        new = []
        for r in rows:
            scalar = spread(builder, builder.load(builder.gep(a_rows[r], [position])), vector)
            new.append([call(builder, fma, vector, scalar, factors[c], sums[r][c]) for c in range(len(columns))])
        following = builder.add(k, _number(1))
        k.add_incoming(following, loop)
        for r in rows:
            for c in range(len(columns)):
                sums[r][c].add_incoming(old[r][c], before)
                sums[r][c].add_incoming(new[r][c], loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)

        builder.position_at_end(after)
        results = []
        for r in rows:
            for c in range(len(columns)):
                final = builder.phi(vector)
                final.add_incoming(old[r][c], before)
                final.add_incoming(new[r][c], loop)
                results.append(final)
        for r in rows:
            for c, column in enumerate(columns):
                result = results[r * len(columns) + c]
                emit_store(builder, result, place(out, r, out_row, column), widths[column[1]])
        return context.get_dummy_value()

    return emit
