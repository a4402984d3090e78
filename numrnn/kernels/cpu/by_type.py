"""The element functions of `functions32` and `functions64`, chosen by the type of the argument, number or vector."""

from __future__ import annotations

import math
from typing import Any

from numba import types
from numba.extending import overload

from numrnn.kernels.cpu import functions32, functions64


def exp(x: float) -> float:
    """Return e ** x."""
    return math.exp(x)


def exp_of_minus(size: float) -> float:
    """Return e ** -size, for a size of at least 0."""
    return math.exp(-size)


def maximum(a: float, b: float) -> float:
    """Return the larger of a and b; a if one of them is NaN."""
    return b if a < b else a


def sigmoid(x: float) -> float:
    """Return 1 / (1 + e ** -x)."""
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


def tanh(x: float) -> float:
    """Return the hyperbolic tangent."""
    return math.tanh(x)


def _choose(x: Any, for32: Any, for64: Any) -> Any:
    return for32 if getattr(x, "dtype", x) == types.float32 else for64


@overload(exp, jit_options={"forceinline": True})
def _exp(x):
    return _choose(x, lambda x: functions32.exp(x), lambda x: functions64.exp(x))


@overload(exp_of_minus, jit_options={"forceinline": True})
def _exp_of_minus(size):
    return _choose(size, lambda size: functions32.exp_of_minus(size), lambda size: functions64.exp_of_minus(size))


@overload(maximum, jit_options={"forceinline": True})
def _maximum(a, b):
    return _choose(a, lambda a, b: functions32.maximum(a, b), lambda a, b: functions64.maximum(a, b))


@overload(sigmoid, jit_options={"forceinline": True})
def _sigmoid(x):
    return _choose(x, lambda x: functions32.sigmoid(x), lambda x: functions64.sigmoid(x))


@overload(tanh, jit_options={"forceinline": True})
def _tanh(x):
    return _choose(x, lambda x: functions32.tanh(x), lambda x: functions64.tanh(x))
