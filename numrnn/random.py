"""Random numbers: one seed, and an independent stream for everything that draws.

Each module that draws random numbers owns a `numpy.random.Generator`. Streams are spawned one after the other from the
seed, so a module's draws do not depend on what other modules draw.
"""

from __future__ import annotations

import numpy as np

_sequence = np.random.SeedSequence()


def seed(value: int | None = None) -> None:
    """Start all later random streams from `value`.

    Modules made before keep the streams they have.

    Parameters
    ----------
    value : int, optional
        A whole number >= 0; without it, fresh entropy from the operating system.

    Examples
    --------
    >>> import numrnn as nr
    >>> nr.seed(0)
    >>> first = nr.Linear(3, 2)
    >>> nr.seed(0)
    >>> bool((nr.Linear(3, 2).weight == first.weight).all())
    True
    """
    global _sequence
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0):
        raise ValueError(f"seed: got {value!r}; expects a whole number >= 0, or None")
    _sequence = np.random.SeedSequence(value)


def generator(rng: np.random.Generator | int | None = None) -> np.random.Generator:
    """Return a Generator: `rng` itself, one seeded with `rng`, or the next stream of the library's seed.

    Raises
    ------
    TypeError
        If `rng` is none of these.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.Generator(np.random.PCG64(_sequence.spawn(1)[0]))
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.random.default_rng(rng)
    raise TypeError(f"rng: got {rng!r}; expects a numpy.random.Generator, a seed, or None")
