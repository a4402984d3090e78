"""Contestants take turns, so that whatever else the machine does meets all of them alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PAUSE = 0.005
"""Seconds of rest before each turn: another library's threads go on looking for work for a while after the last."""
SHORTEST = 0.03
"""Seconds that a sample takes at least; short work is repeated within it."""
LONG = 0.15
"""Seconds from which on work needs no warming up: threads to wake, caches and the allocator's pages to fill."""
FEWEST = 3

Numbers = Mapping[str, np.ndarray]


@dataclass
class Contestant:
    """One way to do a piece of work.

    Attributes
    ----------
    run : callable
        Does the work once; its time is measured.
    numbers : callable, optional
        Does the work once, from the beginning, and returns the results under names that all contestants share.
    sample : callable, optional
        Measures something else than the time of `run`.
    """

    run: Callable[[], Any] | None = None
    numbers: Callable[[], Numbers] | None = None
    sample: Callable[[], float] | None = None


def take_turns(contestants: Mapping[str, Contestant], repetitions: int, seconds: float) -> dict[str, list[float]]:
    """Return samples of each contestant: `repetitions`, or fewer if that takes more than about `seconds` in all."""
    gc.collect()
    gc.disable()
    try:
        plans = {name: _plan(contestant) for name, contestant in contestants.items()}
        samples: dict[str, list[float]] = {name: [] for name in contestants}
        order = list(contestants)
        start = time.perf_counter()
        for turn in range(repetitions):
            for name in order[turn % len(order) :] + order[: turn % len(order)]:
                samples[name].append(_sample(contestants[name], *plans[name]))
            if turn + 1 >= FEWEST and time.perf_counter() - start > seconds:
                break
    finally:
        gc.enable()
    return samples


def _plan(contestant: Contestant) -> tuple[int, int]:
    """Return how many calls warm up, and how many make a sample."""
    if contestant.run is None:
        return 0, 0
    calls = 1
    while (seconds := _time(contestant.run, calls)) < SHORTEST:
        calls *= 2
    return (0 if seconds > LONG else -(-calls // 2)), calls


def _sample(contestant: Contestant, warming: int, calls: int) -> float:
    if contestant.sample is not None:
        return contestant.sample()
    time.sleep(PAUSE)
    _time(contestant.run, warming)
    return _time(contestant.run, calls) / calls


def _time(run: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start
