"""Compile kernels before they are needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from numrnn.cells import GRU, LSTM, RNN, FastLSTM
from numrnn.errors import complaint, describe
from numrnn.recurrent import Cell


def warm_up(*cells: type[Cell] | Cell, dtypes: Iterable[Any] = ("float32",)) -> None:
    """Compile the kernels of cells, forward, backward and for single steps, so that the first use does not wait.

    What is compiled is kept on disk, for later processes too. Kernels serve any size, batch and length.

    Parameters
    ----------
    *cells : type or Cell
        Classes that can be made from an input and a hidden size, or cells; by default `LSTM`, `FastLSTM`, `GRU`
        and `RNN`.
    dtypes : iterable
        Element types.

    Raises
    ------
    TypeError
        If something is neither a cell nor a class of cells, or an element type is not float32 or float64.

    Examples
    --------
    >>> import numrnn as nr
    >>> nr.warm_up(nr.GRU)
    """
    chosen = cells or (LSTM, FastLSTM, GRU, RNN)
    for cell in chosen:
        if not isinstance(cell, Cell) and not (isinstance(cell, type) and issubclass(cell, Cell)):
            raise TypeError(complaint("warm_up", describe(cell), "cells, or classes of cells"))
    for cell in chosen:
        for dtype in dtypes:
            _use(cell(2, 3) if isinstance(cell, type) else cell.clone(), dtype)


def _use(cell: Cell, dtype: Any) -> None:
    cell.astype(dtype).training()
    x = np.zeros((2, 1, cell.input_size), cell.dtype)
    output = cell.forward_sequence(x)
    cell.backward_sequence(x, output)
    cell.forget()
    cell.evaluate()
    for step in x:
        cell.forward(step)
