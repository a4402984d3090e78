"""Single steps of the recurrent units as plain modules."""

from __future__ import annotations

from typing import Any

from numrnn.cells.gru import RecGRU
from numrnn.cells.lstm import RecLSTM
from numrnn.recurrent.step_module import StepModule


class StepLSTM(StepModule):
    """One step of a long short-term memory: from `[x, h, c]` to `[h, c]`, with the equations of `RecLSTM`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    output_size : int, optional
        Number of features of the projection; without it, there is none.
    rng : numpy.random.Generator or int, optional
        See `RecLSTM`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x, h, c = (np.zeros((3, size), "float32") for size in (4, 6, 6))
    >>> [array.shape for array in nr.StepLSTM(4, 6)([x, h, c])]
    [(3, 6), (3, 6)]
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int | None = None, rng: Any = None) -> None:
        super().__init__(RecLSTM(input_size, hidden_size, output_size, rng=rng))


class StepGRU(StepModule):
    """One step of a gated recurrent unit: from `[x, h]` to h, with the equations of `RecGRU`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    rng : numpy.random.Generator or int, optional
        See `RecGRU`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.StepGRU(4, 6)([np.zeros((3, 4), "float32"), np.zeros((3, 6), "float32")]).shape
    (3, 6)
    """

    def __init__(self, input_size: int, hidden_size: int, rng: Any = None) -> None:
        super().__init__(RecGRU(input_size, hidden_size, rng=rng))
