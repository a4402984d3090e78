"""How much of the processors other programs use: a library whose threads wait in a loop suffers out of measure."""

from __future__ import annotations

import os
import time
from pathlib import Path

TOLERATED = 0.05
"""Share of the processors that may go to others."""

_STAT = Path("/proc/stat")


class Watch:
    """Watches the processors on which this process may run, from now on; on Linux only."""

    def __init__(self) -> None:
        self.start = self._used_by_others(), time.perf_counter()

    def share(self) -> float:
        """Return the share of the processors that went to other programs, 0 to 1; 0 if it cannot be told."""
        if not _STAT.exists():
            return 0.0
        used, seconds = self._used_by_others() - self.start[0], time.perf_counter() - self.start[1]
        return max(0.0, used / (seconds * len(os.sched_getaffinity(0))))

    def _used_by_others(self) -> float:
        if not _STAT.exists():
            return 0.0
        names, busy = {f"cpu{number}" for number in os.sched_getaffinity(0)}, 0
        for line in _STAT.read_text().splitlines():
            name, *ticks = line.split()
            if name in names:
                user, nice, system, _idle, _waiting, *rest = map(int, ticks[:8])
                busy += user + nice + system + sum(rest)  # the rest: interrupts, and what other machines stole
        return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])
