"""What threads wait for: words of memory that are read and written as a whole, in one order for all."""

from __future__ import annotations

import platform
import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS
from numrnn.kernels.cpu.vector import address

PATIENCE = 10_000
"""Looks at a word before the thread lets others have its core."""


@intrinsic
def add(typing_context, words, position, amount):
    """Add to a word; return its value from before."""

    def emit(context, builder, signature, args):
        return builder.atomic_rmw("add", address(context, builder, words, *args[:2]), args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), emit


@intrinsic
def replace(typing_context, words, position, expected, value):
    """Set a word to a value if it is the expected one; return what it was."""

    def emit(context, builder, signature, args):
        word = address(context, builder, words, *args[:2])
        return builder.extract_value(builder.cmpxchg(word, args[2], args[3], "seq_cst", "seq_cst"), 0)

    return types.int64(words, types.intp, types.int64, types.int64), emit


@intrinsic
def read(typing_context, words, position):
    """Return a word."""

    def emit(context, builder, signature, args):
        return builder.load_atomic(address(context, builder, words, *args), "seq_cst", 8)

    return types.int64(words, types.intp), emit


@intrinsic
def write(typing_context, words, position, value):
    """Set a word."""

    def emit(context, builder, signature, args):
        builder.store_atomic(args[2], address(context, builder, words, *args[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), emit


@intrinsic
def _pause(typing_context):
    """Tell the core that this is a loop that waits."""

    def emit(context, builder, signature, args):
        if platform.machine().lower() in ("x86_64", "amd64"):
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), []), name), [])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def _give_way(typing_context):
    """Let other threads have this core for a while."""

    def emit(context, builder, signature, args):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        function = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, function, name), [])
        return context.get_dummy_value()

    return types.void(), emit


@njit(**OPTIONS)
def rest(looks):
    """Wait a moment, after as many looks at what is waited for; return the looks with this one."""
    if looks < PATIENCE:
        _pause()
    else:
        _give_way()
    return looks + 1
