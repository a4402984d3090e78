"""Kernels, of whose work threads do a part each.

A kernel is written as a function that does one part of the work: `part, parts, barrier` are its last parameters. What
is called from Python takes `parts, team` instead. It leaves the arguments in its own memory, and the address of that in
the threads' slots in `team`, where they wait in compiled code; does the first part itself; and returns when it is in no
slot any more. The barrier is in `team`, too. So a call reaches the threads in less than a microsecond, and they never
need Python's lock.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.caching import IndexDataCacheFile
from numba.extending import intrinsic

from numrnn.kernels.cpu.apart import apart, link
from numrnn.kernels.cpu.atomic import read, replace, rest, write
from numrnn.kernels.cpu.cache import LockedCache, njit
from numrnn.kernels.cpu.machine import OPTIONS

LINE = 8
"""Words of a cache line."""

IDLE, ASLEEP, CALLED, ENDING = range(4)
"""What is in a slot, other than the address of a call: its thread waits for one; sleeps; waits for one that is sure to
come; is to end."""

_WORD, _POINTER = ir.IntType(64), cgutils.voidptr_t
_DO = ir.FunctionType(ir.VoidType(), [_POINTER, _WORD])


def kernel(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """Return a decorator that makes a kernel, with Numba's options, of a function that does a part of the work.

    The function itself, for kernels that call it, is the attribute `part`.
    """

    def decorate(function: Callable[..., None]) -> Any:
        part = apart(njit(**options, no_cpython_wrapper=True)(function))
        *arguments, _, _, _ = inspect.signature(function).parameters
        name, listed = f"{function.__name__}_shared", "".join(f"{argument}, " for argument in arguments)
        text = f"def {name}({listed}parts, team):\n"
        text += f"    hand_out(call(({listed}), parts, team), parts, team)\n"
        names = {"hand_out": _hand_out, "call": _caller(part.name), "__name__": function.__module__}
        exec(text, names)
        whole = numba.njit(**{**options, "cache": False})(names[name])
        if options.get("cache") and not numba.config.DISABLE_JIT:
            whole._cache = _CacheOfWhole(function)
        whole.part = part
        return whole

    return decorate


class _CacheOfWhole(LockedCache):
    """The cache of what Python calls, which lies beside that of the part, and is up to date when that is."""

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function)
        name, stamp = f"{self._impl.filename_base}.shared", self._impl.locator.get_source_stamp()
        self._cache_file = IndexDataCacheFile(self._cache_path, name, stamp)


def _caller(name: str) -> Any:
    """Return a function that writes a call down, and returns the address of what it wrote."""

    @intrinsic
    def call(typing_context, arguments, parts, team):
        kinds = (*map(types.unliteral, arguments.types), types.int64, types.int64, team)
        link(name, kinds)

        def emit(context, builder, signature, args):
            of_part = ir.Function(builder.module, _DO, builder.module.get_unique_name("part"))
            of_part.linkage = "internal"
            memory = ir.LiteralStructType([_DO.as_pointer(), *(value.type for value in args)])
            written = cgutils.alloca_once(builder, memory)
            for index, value in enumerate([of_part, *args]):
                builder.store(value, cgutils.gep_inbounds(builder, written, 0, index))
            _emit_part(context, of_part, memory, name, kinds)
            return builder.ptrtoint(written, _WORD)

        return types.int64(arguments, types.int64, team), emit

    return call


def _emit_part(context: Any, of_part: ir.Function, memory: ir.Type, name: str, kinds: tuple[Any, ...]) -> None:
    """Write the function that does a part of a call: it reads the arguments and passes them on."""
    builder = ir.IRBuilder(of_part.append_basic_block())
    written = builder.bitcast(of_part.args[0], memory.as_pointer())
    arguments, parts, team = (
        builder.load(cgutils.gep_inbounds(builder, written, 0, index)) for index in range(1, len(memory.elements))
    )
    convention = context.call_conv
    function = convention.get_function_type(types.void, kinds)
    callee = cgutils.get_or_insert_function(builder.module, function, link(name, kinds))
    values = [*cgutils.unpack_tuple(builder, arguments), of_part.args[1], parts, team]
    convention.call_function(builder, callee, types.void, kinds, values)  # kernels raise no errors
    builder.ret_void()


@intrinsic
def _do(typing_context, call, part):
    """Do a part of the call that was written down at an address."""

    def emit(context, builder, signature, args):
        function = builder.load(builder.inttoptr(args[0], _DO.as_pointer().as_pointer()))
        builder.call(function, [builder.inttoptr(args[0], _POINTER), args[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@njit(**OPTIONS)
def slot(part):
    """Return where in a team the slot of a thread is: each has a cache line, after those of the barrier."""
    return (part + 2) * LINE


@njit(**OPTIONS)
def _hand_out(call, parts, team):
    """Have all parts of a call done; the threads of the others are called already."""
    for part in range(1, parts):
        write(team, slot(part), call)
    _do(call, 0)
    looks = 0
    for part in range(1, parts):
        while read(team, slot(part)) == call:
            looks = rest(looks)


@njit(**OPTIONS)
def reserve(team, parts):
    """Tell the threads of a kernel's parts to wait for it; return how many of them are asleep."""
    asleep = 0
    for part in range(1, parts):
        asleep += replace(team, slot(part), IDLE, CALLED) == ASLEEP
    return asleep


@njit(**OPTIONS)
def serve(team, part, looks):
    """Do this part of all calls, until none has come for so many looks: then fall asleep. Return False at the end."""
    looked = 0
    while True:
        call = read(team, slot(part))
        if call > ENDING:
            _do(call, part)
            write(team, slot(part), IDLE)
            looked = 0
        elif call == ENDING:
            return False
        elif call == IDLE and looked >= looks and replace(team, slot(part), IDLE, ASLEEP) == IDLE:
            return True
        else:
            looked = rest(looked)
