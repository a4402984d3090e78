"""Memory for large arrays that is used again.

Memory fresh from the operating system is slow: every page of it costs a fault, about as much time as the arithmetic on
its numbers. Arrays from `empty` give their memory back when the last view of them is gone, and later arrays of about
the same size get it. Whoever holds an array owns it, as with any other.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque

import numpy as np

LINE = 64
"""Bytes of a cache line: a vector that crosses into the next takes twice as long to load."""

SMALLEST = 1 << 17
"""Smaller arrays come from NumPy, which has its own ways."""

LARGEST_STORE = 1 << 28
"""Bytes that are kept at most."""

_lock = threading.Lock()
_free: OrderedDict[int, deque[_Memory]] = OrderedDict()  # by size; the one used last is at the end
_stored = 0


class _Memory:
    """Bytes that begin at a cache line, and how NumPy finds them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.bytes = aligned(np.empty(size + LINE, np.uint8), (size,), np.dtype(np.uint8))
        self.interface = self.bytes.__array_interface__


class _Block:
    """Owns memory as long as arrays look at it."""

    def __init__(self, memory: _Memory) -> None:
        self.memory = memory
        self.__array_interface__ = memory.interface

    def __del__(self) -> None:
        _give_back(self.memory)


def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array whose contents are arbitrary. If it is large, it begins at a cache line."""
    needed = math.prod(shape) * dtype.itemsize
    if needed < SMALLEST:
        return np.empty(shape, dtype)
    memory = np.asarray(_Block(_take(_rounded(needed))))
    return memory[:needed].view(dtype).reshape(shape)


def aligned(memory: np.ndarray, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array in `memory` that begins at a cache line."""
    first = -memory.ctypes.data % LINE
    return memory[first : first + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


def _rounded(size: int) -> int:
    """Round up by at most an eighth, so that arrays of nearly the same size share memory."""
    step = 1 << max(size.bit_length() - 4, 12)
    return -(-size // step) * step


def _take(size: int) -> _Memory:
    global _stored
    with _lock:
        if stack := _free.get(size):
            _stored -= size
            return stack.pop()
    return _Memory(size)


def _give_back(memory: _Memory) -> None:
    global _stored
    if not _lock.acquire(blocking=False):  # in the middle of something, perhaps in this very thread
        return
    try:
        _free.setdefault(memory.size, deque()).append(memory)
        _free.move_to_end(memory.size)
        _stored += memory.size
        while _stored > LARGEST_STORE:
            oldest = next(iter(_free))
            if not _free[oldest]:
                del _free[oldest]
                continue
            _stored -= _free[oldest].popleft().size
    finally:
        _lock.release()
