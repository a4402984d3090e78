"""Powers of two made from the bits of a floating-point number."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


def _make_power_of_two(floating, integer, ir_float, mantissa_bits, exponent_bias):
    @intrinsic
    def power_of_two(typing_context, exponent):
        """Return 2.0 ** exponent, for an exponent in the range of normal numbers."""

        def emit(context, builder, signature, args):
            width = ir.IntType(floating.bitwidth)
            biased = builder.add(args[0], ir.Constant(width, exponent_bias))
            return builder.bitcast(builder.shl(biased, ir.Constant(width, mantissa_bits)), ir_float)

        return floating(integer), emit

    return power_of_two


power_of_two_32 = _make_power_of_two(types.float32, types.int32, ir.FloatType(), 23, 127)
power_of_two_64 = _make_power_of_two(types.float64, types.int64, ir.DoubleType(), 52, 1023)
