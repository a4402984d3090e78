"""A barrier inside kernels: all parts of a shared kernel wait for each other."""

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

ARRIVED, ROUND = 0, 16  # positions of two counters, in cache lines of their own
PATIENCE = 10_000
"""Looks at the barrier before the thread lets others have its core."""


@intrinsic
def _add(typing_context, counters, position, amount):
    """Add to a counter; return its value from before."""

    def emit(context, builder, signature, args):
        return builder.atomic_rmw("add", address(context, builder, counters, *args[:2]), args[2], "seq_cst")

    return types.int64(counters, types.intp, types.int64), emit


@intrinsic
def _read(typing_context, counters, position):
    def emit(context, builder, signature, args):
        return builder.load_atomic(address(context, builder, counters, *args), "seq_cst", 8)

    return types.int64(counters, types.intp), emit


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
def wait(barrier, parts):
    """Return when all `parts` have come here."""
    if parts == 1:
        return
    now = _read(barrier, ROUND)
    if _add(barrier, ARRIVED, 1) == parts - 1:
        _add(barrier, ARRIVED, -parts)
        _add(barrier, ROUND, 1)
    else:
        looks = 0
        while _read(barrier, ROUND) == now:
            looks += 1
            if looks < PATIENCE:
                _pause()
            else:
                _give_way()
