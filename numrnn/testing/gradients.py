"""Gradients compared with central differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.module import Module
from numrnn.table import Array
from numrnn.testing.trial import Results, Trial

STEPS = (1e-5, 1e-6, 1e-7)
"""Sizes of the differences. Where the first does not agree, there may be a kink nearby, which a smaller one avoids."""


def check_gradients(module: Module, input: Any = None, *, length: int = 4, entries: int = 2, seed: int = 0) -> None:
    """Compare a module's gradients with central differences, in float64, over a sequence.

    Checked are the gradients of the input, the parameters and the start states: along a direction that moves all
    elements, and of single elements. The sequence is gone through step by step, and by a `Sequencer`.

    Parameters
    ----------
    module : Module
        The module.
    input : array or table, optional
        One step, from which more are drawn: normally distributed floats, and the indices in another order. For a
        sequencer, a whole sequence. For a cell, a batch of 3 is drawn if there is none.
    length : int
        Number of steps.
    entries : int
        Number of single elements of each array.
    seed : int
        Seed of what is drawn.

    Raises
    ------
    AssertionError
        If a gradient is wrong; the text names the array, the element, the analytic value and the numeric one.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.testing.check_gradients(nr.Linear(4, 6), np.zeros((3, 4)))
    """
    trial = Trial(module, input, length, seed)
    found = [(way, trial.run(way)) for way in trial.ways]
    for name, array in trial.arrays():
        places = trial.rng.permutation(array.size)
        _check_elements(trial, found, name, array, places[:entries])
        everywhere = trial.rng.choice([-1.0, 1.0], array.shape) / max(array.size, 1) ** 0.5
        try:
            _check_slope(trial, found, name, array, everywhere, "along a direction")
        except AssertionError:
            _check_elements(trial, found, name, array, places[entries:1000])  # says where it is wrong
            raise


def _check_elements(trial: Trial, found: list[tuple[str, Results]], name: str, array: Array, places: Array) -> None:
    for place in places:
        index = tuple(int(k) for k in np.unravel_index(place, array.shape))
        direction = np.zeros(array.shape)
        direction[index] = 1
        _check_slope(trial, found, name, array, direction, f"at {index}")


def _check_slope(
    trial: Trial, found: list[tuple[str, Results]], name: str, array: Array, direction: Array, where: str
) -> None:
    for step in STEPS:
        numeric, wrong = trial.slope(array, direction, step), ""
        for way, results in found:
            gradient = results[f"gradient of the {name}"]
            shares = direction * (0 if gradient is None else gradient)
            if not abs(shares.sum() - numeric) <= 1e-8 + 1e-6 * np.abs(shares).sum():
                wrong = f"analytic {shares.sum():.9g} ({way}), numeric {numeric:.9g}"
        if not wrong:
            return
    raise AssertionError(f"{trial.module!r}: the gradient of the {name} {where}: {wrong}")
