"""What the processor at hand offers, and the compiler options that all kernels share."""

from __future__ import annotations

from llvmlite import binding
from numba import njit

_features = binding.get_host_cpu_features()

VECTOR_BITS = 512 if _features.get("avx512f") else 256 if _features.get("avx2") else 128
"""Width of a vector register."""

VECTOR_REGISTERS = 16 if VECTOR_BITS == 256 else 32

MASKED_ACCESS = VECTOR_BITS == 512
"""Whether loading and storing a part of a vector costs no more than all of it."""


def _can_cache() -> bool:
    """Whether Numba finds a folder to keep compiled kernels in; it refuses `cache=True` otherwise."""
    try:
        njit(cache=True)(_can_cache)
    except RuntimeError:
        return False
    return True


OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "cache": _can_cache()}
"""njit options of every kernel. No fastmath: each operation is rounded as written, so that a result does not depend on
whether a loop was vectorised. The NumPy error model leaves out the checks for division by zero that stop the
vectoriser. Nobody calls a kernel from C, and the way in would take time to compile."""

UNCACHED_OPTIONS = {**OPTIONS, "cache": False}
"""The same for a kernel whose source is not in a file."""

INLINE_OPTIONS = {**OPTIONS, "forceinline": True}
"""For small functions that become a part of the kernels that call them."""

UNCACHED_INLINE_OPTIONS = {**INLINE_OPTIONS, "cache": False}
