"""The micro-kernel of the matrix product: a tile of the output, accumulated in registers.

    c[r, :] += sum over k of a[r, k] * b[k, :]        r < rows, W columns

`b` is a panel of W columns (`TILE_VECTORS` vector registers), packed row by row. Each element of the tile is one
chain of fused multiply-adds over k in ascending order, which starts from the element's old value. The chain is the
same whatever the number of rows, the width of the registers or the processor, so results are reproducible bit for
bit.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from numrnn.kernels.cpu.machine import TILE_VECTORS, VECTOR_BITS

_INDEX = ir.IntType(64)


def _make_tile(rows: int):
    """Return the micro-kernel for a tile of `rows` rows."""

    @intrinsic
    def tile(typing_context, a, a_start, a_row, a_step, b, b_start, depth, c, c_start, c_row):
        """Accumulate one tile; positions and strides count elements of flat arrays (row to row, and k to k)."""
        index = types.intp
        return types.void(a, index, index, index, b, index, index, c, index, index), emit

    def emit(context, builder, signature, args):
        a_type, b_type, c_type = (signature.args[k] for k in (0, 4, 7))
        element = context.get_value_type(a_type.dtype)
        lanes = VECTOR_BITS // a_type.dtype.bitwidth
        vector = ir.VectorType(element, lanes)
        _, a_start, a_row, a_step, _, b_start, depth, _, c_start, c_row = args

        def at(array_type, value, start):
            data = cgutils.create_struct_proxy(array_type)(context, builder, value=value).data
            return builder.gep(data, [start])

        def number(value):
            return ir.Constant(_INDEX, value)

        def vector_at(pointer, offset):
            return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

        def load_vector(pointer, offset):
            loaded = builder.load(vector_at(pointer, offset))
            loaded.align = a_type.dtype.bitwidth // 8
            return loaded

        a, b, c = at(a_type, args[0], a_start), at(b_type, args[4], b_start), at(c_type, args[7], c_start)
        name = f"llvm.fma.v{lanes}f{a_type.dtype.bitwidth}"
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        row_offset = [builder.mul(number(r), c_row) for r in range(rows)]
        columns = range(TILE_VECTORS)
        old = [[load_vector(c, builder.add(row_offset[r], number(v * lanes))) for v in columns] for r in range(rows)]
        a_rows = [builder.gep(a, [builder.mul(number(r), a_row)]) for r in range(rows)]

        before, loop, after = builder.block, builder.append_basic_block("k"), builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed(">", depth, number(0)), loop, after)
        builder.position_at_end(loop)
        k = builder.phi(_INDEX)
        k.add_incoming(number(0), before)
        sums = [[builder.phi(vector) for _ in columns] for _ in range(rows)]
        row_of_b = builder.mul(k, number(TILE_VECTORS * lanes))
        b_vectors = [load_vector(b, builder.add(row_of_b, number(v * lanes))) for v in columns]
        position = builder.mul(k, a_step)
        undefined, first = (
            ir.Constant(vector, ir.Undefined),
            ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes),
        )
        new = []
        for r in range(rows):
            scalar = builder.load(builder.gep(a_rows[r], [position]))
            spread = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
            spread = builder.shuffle_vector(spread, undefined, first)
            new.append([builder.call(fma, [spread, b_vectors[v], sums[r][v]]) for v in columns])
        following = builder.add(k, number(1))
        k.add_incoming(following, loop)
        for r in range(rows):
            for v in columns:
                sums[r][v].add_incoming(old[r][v], before)
                sums[r][v].add_incoming(new[r][v], loop)
        builder.cbranch(builder.icmp_signed("<", following, depth), loop, after)

        builder.position_at_end(after)
        for r in range(rows):
            for v in columns:
                final = builder.phi(vector)
                final.add_incoming(old[r][v], before)
                final.add_incoming(new[r][v], loop)
                old[r][v] = final
        for r in range(rows):
            for v in columns:
                stored = builder.store(old[r][v], vector_at(c, builder.add(row_offset[r], number(v * lanes))))
                stored.align = a_type.dtype.bitwidth // 8
        return context.get_dummy_value()

    return tile


tile6, tile4, tile2, tile1 = (_make_tile(rows) for rows in (6, 4, 2, 1))
