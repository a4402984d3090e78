"""Vectors of numbers as values: what a block of a cell computes with.

A `Vector` fills one vector register: 16 float32 with AVX-512, 8 with AVX2, 4 otherwise. It is loaded from an array and
stored to one; only the first `width` numbers are touched there, so the end of a row needs no code of its own. In
between it is used like a number, in the same functions: arithmetic, and the functions here, work on numbers and on
vectors, and give the same bits for both. Nothing is left to the compiler's vectoriser.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from llvmlite.binding import llvm_version_info
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import INLINE_OPTIONS, MASKED_ACCESS, OPTIONS, VECTOR_BITS

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
LANES32 = VECTOR_BITS // 32
LANES64 = VECTOR_BITS // 64
"""Numbers in a vector."""

CHAINS = 16
"""Sums that the sum of a row is made of."""


class Vector(types.Type):
    """Numba's type of as many numbers of type `dtype` as a vector register holds."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        self.lanes = VECTOR_BITS // dtype.bitwidth
        super().__init__(f"Vector({dtype} x {self.lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, _vector_type(vector))


def _vector_type(vector: Vector) -> ir.VectorType:
    return ir.VectorType(ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType(), vector.lanes)


def spread(builder, value, vector_type):
    """Return a vector all of whose numbers are `value`."""
    single = builder.insert_element(ir.Constant(vector_type, ir.Undefined), value, ir.Constant(_I32, 0))
    pattern = ir.Constant(ir.VectorType(_I32, vector_type.count), [0] * vector_type.count)
    return builder.shuffle_vector(single, ir.Constant(vector_type, ir.Undefined), pattern)


def call(builder, name, result, *arguments):
    """Call an LLVM intrinsic."""
    function = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), arguments)


def suffix(value_type) -> str:
    """Return how LLVM names a type in an intrinsic's name: f32, v16f32, ..."""
    if isinstance(value_type, ir.VectorType):
        return f"v{value_type.count}{suffix(value_type.element)}"
    return {"float": "f32", "double": "f64"}[str(value_type)]


# ---- arithmetic: numbers and vectors mix --------------------------------------------------------------------------


def _common(arguments):
    """Return the type of an operation's result, or None if it is not for us: the vector among the arguments."""
    vectors = {a for a in arguments if isinstance(a, Vector)}
    if len(vectors) != 1:
        return None
    (vector,) = vectors
    return vector if all(a == vector or isinstance(a, types.Number) for a in arguments) else None


def _as_vectors(context, builder, vector, kinds, values):
    """Turn numbers among the values into vectors."""
    result = []
    for kind, value in zip(kinds, values, strict=True):
        if kind == vector:
            result.append(value)
        else:
            number = context.cast(builder, value, kind, vector.dtype)
            result.append(spread(builder, number, _vector_type(vector)))
    return result


def _register(function, count, emit):
    @infer_global(function)
    class _Typing(AbstractTemplate):
        def generic(self, args, kws):
            vector = _common(args) if len(args) == count and not kws else None
            return vector and signature(vector, *(a if a == vector else vector.dtype for a in args))

    def lower(context, builder, sig, args):
        return emit(builder, *_as_vectors(context, builder, sig.return_type, sig.args, args))

    for pattern in ([Vector],) if count == 1 else ([Vector, Vector], [Vector, types.Float], [types.Float, Vector]):
        lower_builtin(function, *pattern)(lower)


_register(operator.add, 2, lambda builder, a, b: builder.fadd(a, b))
_register(operator.sub, 2, lambda builder, a, b: builder.fsub(a, b))
_register(operator.mul, 2, lambda builder, a, b: builder.fmul(a, b))
_register(operator.truediv, 2, lambda builder, a, b: builder.fdiv(a, b))
_register(operator.neg, 1, lambda builder, a: builder.fneg(a))
_register(abs, 1, lambda builder, a: call(builder, f"llvm.fabs.{suffix(a.type)}", a.type, a))


def _on_both(count: int, emit):
    """Make a function of `count` numbers or vectors from what emits it for one type."""

    def typed(arguments):
        vector = _common(arguments)
        if vector is None and len(set(arguments)) == 1 and isinstance(arguments[0], types.Float):
            return arguments[0]
        return vector

    def code(result):
        def generate(context, builder, sig, args):
            if isinstance(result, Vector):
                args = _as_vectors(context, builder, result, sig.args, args)
            return emit(builder, *args)

        return generate

    if count == 1:

        @intrinsic
        def function(typing_context, a):
            return (result := typed((a,))) and result(a), code(result)
    elif count == 2:

        @intrinsic
        def function(typing_context, a, b):
            return (result := typed((a, b))) and result(a, b), code(result)
    elif count == 3:

        @intrinsic
        def function(typing_context, a, b, c):
            return (result := typed((a, b, c))) and result(a, b, c), code(result)
    else:

        @intrinsic
        def function(typing_context, a, b, c, d):
            return (result := typed((a, b, c, d))) and result(a, b, c, d), code(result)

    return function


def _integers(value_type):
    """Return the integer type of the same bits, and the number of bits of the fraction."""
    element = getattr(value_type, "element", value_type)
    bits, fraction = (32, 23) if str(element) == "float" else (64, 52)
    integer = ir.IntType(bits)
    return (ir.VectorType(integer, value_type.count) if element is not value_type else integer), fraction


def _splat(integer_type, number):
    return ir.Constant(integer_type, [number] * integer_type.count if hasattr(integer_type, "count") else number)


def _emit_scale(builder, y, shifted):
    integer, fraction = _integers(y.type)
    exponent = builder.shl(builder.bitcast(shifted, integer), _splat(integer, fraction))
    return builder.bitcast(builder.add(builder.bitcast(y, integer), exponent), y.type)


def _emit_exponent(builder, x, base):
    integer, fraction_bits = _integers(x.type)
    above = builder.sub(builder.bitcast(x, integer), builder.bitcast(base, integer))
    return builder.sitofp(builder.ashr(above, _splat(integer, fraction_bits)), x.type)


def _emit_fraction(builder, x, base):
    integer, fraction_bits = _integers(x.type)
    above = builder.sub(builder.bitcast(x, integer), builder.bitcast(base, integer))
    kept = builder.and_(above, _splat(integer, (1 << fraction_bits) - 1))
    return builder.bitcast(builder.add(kept, builder.bitcast(base, integer)), x.type)


fma = _on_both(3, lambda builder, a, b, c: call(builder, f"llvm.fma.{suffix(a.type)}", a.type, a, b, c))
"""a * b + c, rounded once."""

where_less = _on_both(4, lambda builder, x, y, a, b: builder.select(builder.fcmp_ordered("<", x, y), a, b))
"""a where x < y, b elsewhere, and where x or y is NaN."""

square_root = _on_both(1, lambda builder, a: call(builder, f"llvm.sqrt.{suffix(a.type)}", a.type, a))

copysign = _on_both(2, lambda builder, a, b: call(builder, f"llvm.copysign.{suffix(a.type)}", a.type, a, b))
"""|a| with the sign of b."""

exponent = _on_both(2, _emit_exponent)
fraction = _on_both(2, _emit_fraction)
"""n and m of x = m * 2 ** n, with m from `base`, the second argument, up to twice that; x is a normal number."""

scale = _on_both(2, _emit_scale)
"""y * 2 ** n, where the lowest bits of the second argument are n (as after the addition of a large number that rounds
to whole ones), and the result is a normal number."""


# ---- arrays -------------------------------------------------------------------------------------------------------


def require_one_dtype(*kinds):
    """Refuse to compile for arrays and vectors of different element types: memory would be taken for what it is not."""
    if len({kind.dtype for kind in kinds}) > 1:
        raise TypingError(f"got {', '.join(map(str, kinds))}; expects one element type")


def address(context, builder, array_type, array, start):
    """Return a pointer to element `start` of a flat array."""
    data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    return builder.gep(data, [start])


def _mask(builder, vector_type, width):
    numbers = ir.VectorType(_I32, vector_type.count)
    lanes = ir.Constant(numbers, list(range(vector_type.count)))
    return builder.icmp_signed("<", lanes, spread(builder, builder.trunc(width, _I32), numbers))


def emit_load(builder, pointer, vector_type, width=None):
    """Return a vector from memory; numbers from `width` on are zero. Without a width, all are loaded."""
    size = _integers(vector_type)[0].element.width // 8
    wide = builder.bitcast(pointer, vector_type.as_pointer())
    if width is None:
        loaded = builder.load(wide)
        loaded.align = size
        return loaded
    if MASKED_ACCESS:
        return _emit_masked_load(builder, wide, vector_type, width)
    with builder.if_else(builder.icmp_signed(">=", width, ir.Constant(_I64, vector_type.count))) as (all_, some):
        with all_:
            whole = emit_load(builder, pointer, vector_type)
            whole_block = builder.block
        with some:
            part = _emit_masked_load(builder, wide, vector_type, width)
            part_block = builder.block
    result = builder.phi(vector_type)
    result.add_incoming(whole, whole_block)
    result.add_incoming(part, part_block)
    return result


def emit_store(builder, value, pointer, width=None):
    """Write a vector to memory, or its first `width` numbers."""
    size = _integers(value.type)[0].element.width // 8
    wide = builder.bitcast(pointer, value.type.as_pointer())
    if width is None:
        builder.store(value, wide).align = size
    elif MASKED_ACCESS:
        _emit_masked_store(builder, value, wide, width)
    else:
        with builder.if_else(builder.icmp_signed(">=", width, ir.Constant(_I64, value.type.count))) as (all_, some):
            with all_:
                emit_store(builder, value, pointer)
            with some:
                _emit_masked_store(builder, value, wide, width)


# Until its version 22, LLVM wanted the alignment as an argument here.
_ALIGNMENT = () if llvm_version_info[0] >= 22 else (ir.Constant(_I32, 1),)


def _emit_masked_load(builder, wide, vector_type, width):
    zeros = ir.Constant(vector_type, [0.0] * vector_type.count)
    name = f"llvm.masked.load.{suffix(vector_type)}.p0"
    return call(builder, name, vector_type, wide, *_ALIGNMENT, _mask(builder, vector_type, width), zeros)


def _emit_masked_store(builder, value, wide, width):
    name = f"llvm.masked.store.{suffix(value.type)}.p0"
    call(builder, name, ir.VoidType(), value, wide, *_ALIGNMENT, _mask(builder, value.type, width))


@intrinsic
def lanes_in(typing_context, array):
    """Return how many numbers of an array a vector holds: a constant, so that the compiler knows masks made from it."""
    lanes = VECTOR_BITS // array.dtype.bitwidth
    return types.intp(array), lambda context, builder, signature, args: ir.Constant(_I64, lanes)


@intrinsic
def load(typing_context, array, start, width):
    """Return array[start : start + width] as a vector, at most a full one; what is beyond is zero."""
    vector = Vector(array.dtype)

    def emit(context, builder, sig, args):
        return emit_load(builder, address(context, builder, array, *args[:2]), _vector_type(vector), args[2])

    return vector(array, types.intp, types.intp), emit


@intrinsic
def load_same(typing_context, array, position):
    """Return a vector all of whose numbers are array[position]."""
    vector = Vector(array.dtype)

    def emit(context, builder, sig, args):
        return spread(builder, builder.load(address(context, builder, array, *args)), _vector_type(vector))

    return vector(array, types.intp), emit


@intrinsic
def _folded(typing_context, vector):
    """Return the sum of a vector's numbers: of its halves, then of the halves of those, and so on."""

    def emit(context, builder, sig, args):
        value, count = args[0], vector.lanes
        while count > 1:
            count //= 2
            kind, undefined = ir.VectorType(_I32, count), ir.Constant(value.type, ir.Undefined)
            patterns = [ir.Constant(kind, list(range(first, first + count))) for first in (0, count)]
            value = builder.fadd(*(builder.shuffle_vector(value, undefined, pattern) for pattern in patterns))
        return builder.extract_element(value, ir.Constant(_I32, 0))

    return vector.dtype(vector), emit


@njit(**INLINE_OPTIONS)
def _chain(array, start, size, first):
    """Return the sums of every `CHAINS`th of some numbers, for as many chains as a vector holds, from `first` on."""
    result = load(array, start + first, size - first)
    for k in range(first + CHAINS, size, CHAINS):
        result = result + load(array, start + k, size - k)
    return result


@njit(**OPTIONS)
def sum_of(array, start, size):
    """Return the sum of array[start : start + size], in an order that does not depend on the width of vectors.

    Every sixteenth number is a term of the same chain. The sums of the chains are added up, first those eight apart.
    """
    lanes = lanes_in(array)
    if lanes == 16:
        result = _chain(array, start, size, 0)
    elif lanes == 8:
        result = _chain(array, start, size, 0) + _chain(array, start, size, 8)
    elif lanes == 4:
        even = _chain(array, start, size, 0) + _chain(array, start, size, 8)
        result = even + (_chain(array, start, size, 4) + _chain(array, start, size, 12))
    else:
        first = _chain(array, start, size, 0) + _chain(array, start, size, 8)
        first = first + (_chain(array, start, size, 4) + _chain(array, start, size, 12))
        second = _chain(array, start, size, 2) + _chain(array, start, size, 10)
        result = first + (second + (_chain(array, start, size, 6) + _chain(array, start, size, 14)))
    return _folded(result)


@intrinsic
def store(typing_context, value, array, start, width):
    """array[start : start + width] = value; at most a full vector is written."""
    require_one_dtype(value, array)

    def emit(context, builder, sig, args):
        emit_store(builder, args[0], address(context, builder, array, *args[1:3]), args[3])
        return context.get_dummy_value()

    return types.void(value, array, types.intp, types.intp), emit


@intrinsic
def transpose(typing_context, source, start, row, target, target_start, target_row):
    """target[r, c] = source[c, r], for a square as wide as a vector; rows are `row` and `target_row` apart."""
    index = types.intp
    return types.void(source, index, index, target, index, index), _transposer(source, target)


@intrinsic
def transpose_part(typing_context, source, start, row, count, width, target, target_start, target_row):
    """The same for the first `count` rows of `width` numbers, at most a vector of each; nothing else is touched."""
    index = types.intp
    return types.void(source, *[index] * 4, target, index, index), _transposer(source, target)


def _transposer(source, target):
    require_one_dtype(source, target)
    vector = _vector_type(Vector(source.dtype))
    lanes, half = vector.count, vector.count // 2
    low, high = ([k // 2 + lanes * (k % 2) + first for k in range(lanes)] for first in (0, half))

    def emit(context, builder, signature, args):
        (*origin, target_array, target_start, target_row) = args
        source_array, start, row, *part = origin

        def row_of(kind, array, first, step, k):
            return address(context, builder, kind, array, builder.add(first, builder.mul(step, ir.Constant(_I64, k))))

        def used(k, rows, width):
            """Return how much of row k is used: `width`, or nothing if there are fewer rows."""
            return builder.select(builder.icmp_signed("<", ir.Constant(_I64, k), rows), width, ir.Constant(_I64, 0))

        count, width = part or (None, None)
        places = [row_of(source, source_array, start, row, k) for k in range(lanes)]
        rows = [emit_load(builder, at, vector, used(k, count, width) if part else None) for k, at in enumerate(places)]
        patterns = [ir.Constant(ir.VectorType(_I32, lanes), pattern) for pattern in (low, high)]
        for _ in range(lanes.bit_length() - 1):  # each time, two rows become one that takes from both in turn
            pairs = [(rows[k], rows[k + half]) for k in range(half)]
            rows = [builder.shuffle_vector(*pair, pattern) for pair in pairs for pattern in patterns]
        for k, values in enumerate(rows):
            at = row_of(target, target_array, target_start, target_row, k)
            emit_store(builder, values, at, used(k, width, count) if part else None)
        return context.get_dummy_value()

    return emit


@njit(**INLINE_OPTIONS)
def add_to(value, array, start, width):
    """array[start : start + width] += value."""
    store(load(array, start, width) + value, array, start, width)


@njit(**INLINE_OPTIONS)
def fill(array, start, width):
    """array[start : start + width] = 0."""
    store(load(array, start, 0), array, start, width)
