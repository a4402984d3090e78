"""Threads that share the work of one kernel.

A kernel takes `part`, `parts` and `barrier` as its last arguments, and does its part of the work; called with 0 and 1,
it does all of it. Kernels release Python's lock while they run. The threads belong to this module alone, so no
other library's threads are in the way, and nothing is left that could harm a forked child: it starts its own.

One kernel at a time is shared out. While it runs, kernels that other Python threads call do all of their work
themselves.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Any

import numpy as np
from numba import config

from numrnn.errors import complaint

PART_WORK = 1 << 26
"""Operations of arithmetic that are worth a thread, half a millisecond: it takes a tenth of one to get it to work."""

_busy = threading.Lock()
_workers: list[_Worker] = []
_number = config.NUMBA_NUM_THREADS


class _Worker:
    """A thread that waits for calls."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue = queue.SimpleQueue()
        self.done: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="numrnn", daemon=True).start()

    def _serve(self) -> None:
        while True:
            kernel, arguments = self.calls.get()
            try:
                kernel(*arguments)
            except BaseException as error:
                self.done.put(error)
            else:
                self.done.put(None)
            del kernel, arguments  # what a call was given is not kept until the next


def set_num_threads(number: int) -> None:
    """Set how many threads may share the work of a kernel.

    Parameters
    ----------
    number : int
        At least 1, which switches sharing off. At the start it is as many as Numba's `NUMBA_NUM_THREADS` says: by
        default the number of cores.

    Raises
    ------
    ValueError
        If it is not a whole number of at least 1.

    Examples
    --------
    >>> import numrnn as nr
    >>> before = nr.get_num_threads()
    >>> nr.set_num_threads(1)
    >>> nr.get_num_threads()
    1
    >>> nr.set_num_threads(before)
    """
    global _number
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ValueError(complaint("set_num_threads", repr(number), "a whole number of at least 1"))
    _number = int(number)


def get_num_threads() -> int:
    """Return how many threads may share the work of a kernel."""
    return _number


def threads_for(operations: int) -> int:
    """Return how many threads should share this much work."""
    return min(_number, 1 + operations // PART_WORK)


def run(kernel: Any, arguments: tuple[Any, ...], parts: int) -> None:
    """Call a kernel, shared out to at most `parts` threads, of which this one is the first."""
    if parts > 1 and _busy.acquire(blocking=False):
        try:
            _run_shared(kernel, arguments, parts)
        finally:
            _busy.release()
    else:
        kernel(*arguments, 0, 1, _NOBODY)


def _run_shared(kernel: Any, arguments: tuple[Any, ...], parts: int) -> None:
    while len(_workers) < parts - 1:
        _workers.append(_Worker())
    helpers, barrier = _workers[: parts - 1], _barrier()
    for part, worker in enumerate(helpers, start=1):
        worker.calls.put((kernel, (*arguments, part, parts, barrier)))
    try:
        kernel(*arguments, 0, parts, barrier)
    finally:
        errors = [worker.done.get() for worker in helpers]
    for error in errors:
        if error is not None:
            raise error


def _barrier() -> np.ndarray:
    return np.zeros(32, np.int64)


_NOBODY = _barrier()
"""The barrier of a kernel that waits for nobody, and so does not touch it."""


def _start_anew() -> None:
    """Forget the threads, of which a forked child has none."""
    global _busy
    _busy = threading.Lock()
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
