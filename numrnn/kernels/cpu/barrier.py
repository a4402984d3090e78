"""A barrier inside kernels: all parts of a shared kernel wait for each other."""

from __future__ import annotations

from numrnn.kernels.cpu.atomic import add, read, rest
from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS

ARRIVED, ROUND = 0, 8  # positions of two counters, in cache lines of their own


@njit(**OPTIONS)
def wait(barrier, parts):
    """Return when all `parts` have come here."""
    if parts == 1:
        return
    now = read(barrier, ROUND)
    if add(barrier, ARRIVED, 1) == parts - 1:
        add(barrier, ARRIVED, -parts)
        add(barrier, ROUND, 1)
    else:
        looks = 0
        while read(barrier, ROUND) == now:
            looks = rest(looks)
