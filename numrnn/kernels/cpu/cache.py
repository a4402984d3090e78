"""Numba's cache of compiled functions on disk, read and written by one process at a time.

A function's compiled signatures lie in numbered files, and an index says which is which. Two processes that compile
different signatures at the same time could both take the next number: then the index of one leads to the code of the
other. So both happen under a lock.

Numba itself looks at the date of a function's own file only. Kernels are made of functions from several files, so here
the sources of all of them are a part of the key.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

LOCK = "numrnn.lock"


def njit(cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator like `numba.njit`, whose cache is safe to use from several processes at once."""

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if cache and not numba.config.DISABLE_JIT:
            dispatcher._cache = LockedCache(function)
        return dispatcher

    return decorate


@functools.cache
def digest_of_sources() -> str:
    """Return a digest of all files in this folder."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


class LockedCache(FunctionCache):
    """Numba's cache of one function, under a lock for its folder."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return *super()._index_key(sig, codegen), digest_of_sources()

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        if not os.path.isdir(self.cache_path):
            return None
        with locked(self.cache_path):
            return super()._load_overload(sig, target_context)

    def _save_overload(self, sig: Any, data: Any) -> None:
        os.makedirs(self.cache_path, exist_ok=True)
        with locked(self.cache_path):
            super()._save_overload(sig, data)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Hold the lock of a folder. A folder that cannot be written to needs none: nobody changes it."""
    handle = None
    with suppress(OSError):
        handle = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT)
    if handle is None:
        yield
        return
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX)
        else:
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
        yield
    finally:
        if not fcntl:
            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
        os.close(handle)
