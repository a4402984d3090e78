"""Rows that are padding at some steps, and what the loops of cells do with them.

A flag for each row and step says what: after padding the state is zero (`ZERO`), or what it was before (`HOLD`). Such
rows are computed like the others, whatever is there, and then their results are overwritten. Padding at the end of the
batch is not computed at all. With `RESET` a row begins anew before the step is made; kernels know
nothing of that, since a sequence is cut there.
"""

from __future__ import annotations

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import OPTIONS

ZERO, HOLD, RESET = 1, 2, 4
PADDING = ZERO | HOLD


@njit(**OPTIONS)
def active_end(flags, start, low, high):
    """Return the end of the rows from `low` to `high` without the padding at their end."""
    while high > low and flags[start + high - 1] & PADDING:
        high -= 1
    return high


@njit(**OPTIONS)
def fill_row(target, start, first, last):
    """Set channels `first` to `last` of the row at `start` to zero."""
    for j in range(start + first, start + last):
        target[j] = 0


@njit(**OPTIONS)
def copy_row(source, source_start, target, start, first, last):
    """Copy channels `first` to `last` of a row. An assignment of slices would take Numba seconds to compile."""
    for j in range(first, last):
        target[start + j] = source[source_start + j]


@njit(**OPTIONS)
def add_row(source, source_start, target, start, first, last):
    """Add channels `first` to `last` of a row to those of another."""
    for j in range(first, last):
        target[start + j] += source[source_start + j]
