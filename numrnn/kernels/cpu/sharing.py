"""How rows and channels are shared out to the parts of a kernel."""

from __future__ import annotations

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import INLINE_OPTIONS


@njit(**INLINE_OPTIONS)
def share(count, part, parts):
    """Return the first and last (exclusive) of `count` things that are this part's."""
    return part * count // parts, (part + 1) * count // parts


@njit(**INLINE_OPTIONS)
def share_of_channels(size, part, parts, unit):
    """Return this part's channels, in whole units: the vectors of a block, or the panels of every product."""
    first, last = share(-(-size // unit), part, parts)
    return first * unit, min(size, last * unit)
