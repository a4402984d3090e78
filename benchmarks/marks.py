"""Marks: what numrnn should reach in a row of the board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class AtLeast:
    """At least `factor` times as fast as the fastest of `peers`."""

    factor: float
    peers: tuple[str, ...]

    def __str__(self) -> str:
        names = self.peers[0] if len(self.peers) == 1 else f"the faster of {' and '.join(self.peers)}"
        return f">= {self.factor:.3g} x {names}"

    def is_met(self, median: float, ratios: Mapping[str, float]) -> bool | None:
        """Judge by the peers' times over numrnn's. None: a peer is missing, and the others do not decide it."""
        known = [ratios[name] for name in self.peers if name in ratios]
        if known and min(known) < self.factor:
            return False
        return True if len(known) == len(self.peers) else None


@dataclass(frozen=True)
class AtMost:
    """At most `limit` seconds."""

    limit: float

    def __str__(self) -> str:
        return f"<= {self.limit:g} s" if self.limit > 0.01 else f"<= {self.limit * 1e6:g} us"

    def is_met(self, median: float, ratios: Mapping[str, float]) -> bool:
        """Judge by numrnn's time."""
        return median <= self.limit


Mark = AtLeast | AtMost
