"""Threads that share the work of one kernel.

A kernel (see `kernel.py`) takes `parts, team` as its last arguments; with one part it does all of its work
itself. Kernels release Python's lock while they run. The threads belong to this module alone, so no other library's
threads are in the way, and nothing is left that could harm a forked child: it starts its own.

A thread waits for the next call with its eyes open for a while, since to wake it takes far longer than a small kernel
takes; then it sleeps. One kernel at a time is shared out. While it runs, kernels that other Python threads call do all
of their work themselves.
"""

from __future__ import annotations

import atexit
import math
import os
import threading
import time
from typing import Any

import numpy as np
from numba import config

from numrnn.errors import complaint
from numrnn.kernels.cpu.kernel import ASLEEP, CALLED, ENDING, IDLE, LINE, reserve, serve, slot

PART_WORK = 1 << 22
"""Operations of arithmetic that are worth a thread, some 30 microseconds: it takes a tenth of that to get it to
work."""

LOOKS = 14_000
"""How often a thread looks for the next call before it sleeps: for some two milliseconds."""

WAKE_WORK = 1 << 27
"""Operations that are worth waking a thread for, a millisecond: it takes a third of one where the core has gone to
sleep."""

SOON = 0.002
"""Seconds within which work has to come again for threads to be woken, if each piece alone is not worth it."""

LATE, PACE = 3e-4, 6e-11
"""Seconds, and seconds for each operation, in which threads do small work, unless one of them has no core to run on."""

AVOIDED = 0.5
"""Seconds for which small work is done alone after that."""

MOST = 1024
"""Threads at most."""

_busy = threading.Lock()
_workers: list[_Worker] = []
_number = config.NUMBA_NUM_THREADS
_asked = 0.0  # when threads that slept were last asked for
_avoided_until = 0.0  # when small work may be shared out again
_limit = math.inf  # seconds for what threads were last asked for; that of another Python thread does no harm
_team = np.zeros((MOST + 2) * LINE, np.int64)

ALONE = 1, _team
"""The last arguments of a kernel that does all of its work itself: it does not touch the array."""


class _Worker:
    """A thread that waits for calls, in its slot."""

    def __init__(self, part: int, team: np.ndarray) -> None:
        self._part, self._team, self._slot = part, team, slot(part)
        self._asleep = threading.Lock()
        self._asleep.acquire()
        self._thread = threading.Thread(target=self._serve, name="numrnn", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while serve(self._team, self._part, LOOKS):
            self._asleep.acquire()

    def wake(self, call: int) -> None:
        """Let a thread that sleeps find `call` in its slot."""
        self._team[self._slot] = call
        self._asleep.release()

    @property
    def is_asleep(self) -> bool:
        return self._team[self._slot] == ASLEEP

    def end(self) -> None:
        """Let a thread that is asleep or waits for a call end, and wait until it has."""
        if self.is_asleep:
            self.wake(ENDING)
        else:
            self._team[self._slot] = ENDING
        self._thread.join()


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


def is_worth_sharing(operations: int) -> bool:
    """Whether threads should share this much work, if there are any."""
    return operations >= PART_WORK


def threads_for(operations: int) -> int:
    """Return how many threads should share this much work, which begins now."""
    global _limit
    parts = min(_number, 1 + operations // PART_WORK, MOST)
    if parts == 1 or operations >= WAKE_WORK:
        _limit = math.inf
        return parts
    _limit = LATE + PACE * operations
    return parts if time.perf_counter() >= _avoided_until and _are_awake(parts) else 1


def _are_awake(parts: int) -> bool:
    """Whether the threads of a kernel's parts wait for it; if not, and work came lately, wake them for the next one."""
    global _asked
    if not any(worker.is_asleep for worker in _workers[: parts - 1]) and len(_workers) >= parts - 1:
        return True
    before, _asked = _asked, time.perf_counter()
    if _asked - before < SOON and _busy.acquire(blocking=False):
        try:
            _make_workers(parts)
            _wake_workers(parts, IDLE)
        finally:
            _busy.release()
    return False


def run(kernel: Any, arguments: tuple[Any, ...], parts: int) -> None:
    """Call a kernel, shared out to at most `parts` threads, of which this one is the first.

    Its first call is not shared out: while Numba compiles it, the others would wait.
    """
    if parts > 1 and kernel.overloads and _busy.acquire(blocking=False):
        try:
            _run_shared(kernel, arguments, parts)
        finally:
            _busy.release()
    else:
        kernel(*arguments, *ALONE)


def _run_shared(kernel: Any, arguments: tuple[Any, ...], parts: int) -> None:
    global _avoided_until
    _make_workers(parts)
    start = time.perf_counter()
    try:
        if reserve(_team, parts):
            _wake_workers(parts, CALLED)
        kernel(*arguments, parts, _team)
    except BaseException:  # before the call reached the threads
        calls = _team[slot(1) : slot(parts) : LINE]
        calls[calls == CALLED] = IDLE
        raise
    end = time.perf_counter()
    if end - start > _limit:
        _avoided_until = end + AVOIDED


def _make_workers(parts: int) -> None:
    while len(_workers) < parts - 1:
        _workers.append(_Worker(len(_workers) + 1, _team))


def _wake_workers(parts: int, call: int) -> None:
    for worker in _workers[: parts - 1]:
        if worker.is_asleep:
            worker.wake(call)


@atexit.register
def _end() -> None:
    """End the threads: one that came back from compiled code after the end of Python would not find it."""
    global _number
    _number = 1
    with _busy:
        reserve(_team, len(_workers) + 1)
        while _workers:
            _workers.pop().end()


def _start_anew() -> None:
    """Forget the threads, of which a forked child has none."""
    global _busy, _team
    _busy = threading.Lock()
    _workers.clear()
    _team = np.zeros_like(_team)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
