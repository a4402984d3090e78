"""Layers of cells over whole sequences, in one or both directions, with the arguments of PyTorch's modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numrnn.cells import RNN, GRUResetAfter, PlainLSTM
from numrnn.containers import Sequential
from numrnn.errors import complaint, describe
from numrnn.layers import Dropout
from numrnn.module import Module
from numrnn.random import generator
from numrnn.recurrent import Cell
from numrnn.sequencer.bisequencer import BiSequencer
from numrnn.sequencer.cell_sequencer import CellSequencer
from numrnn.table import Array, is_table


class Stacked(Sequential):
    """Layers of cells over whole sequences.

    Parameters
    ----------
    make : callable
        `make(input_size, rng)` returns a cell.
    input_size, num_layers, batch_first, dropout, bidirectional, rng
        See `StackedLSTM`.

    Raises
    ------
    ValueError
        If the number of layers is not a whole number above 0, or `dropout` not a probability below 1.
    """

    def __init__(
        self,
        make: Callable[[int, np.random.Generator], Cell],
        input_size: int,
        num_layers: int,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        rng: Any,
    ) -> None:
        if isinstance(num_layers, bool) or not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(complaint(type(self).__name__, f"num_layers = {num_layers!r}", "a whole number >= 1"))
        super().__init__()
        draw, width = generator(rng), input_size
        for number in range(num_layers):
            if number and dropout:
                self.add(Dropout(dropout, rng=draw))
            parts = [CellSequencer(make(width, draw)) for _ in range(1 + bool(bidirectional))]
            self.add(BiSequencer(*parts) if bidirectional else parts[0])
            width = sum(part.module.state_widths()[0] for part in parts)
        self.batch_first, self.dropout = bool(batch_first), float(dropout)
        self.num_layers, self.bidirectional = num_layers, bool(bidirectional)

    @property
    def cells(self) -> list[Cell]:
        """The cells, layer by layer, and in each the one that goes forwards first."""
        return [part.module for part in self._parts()]

    def _parts(self) -> list[CellSequencer]:
        layers = [layer for layer in self.children() if not isinstance(layer, Dropout)]
        return [part for layer in layers for part in ([*layer.children()[:2]] if self.bidirectional else [layer])]

    # ---- start and last states -------------------------------------------------------------------------------------

    def _split(self, input: Any) -> tuple[Array, list[Array] | None]:
        """Return the sequence, time first, and the start states if there are any."""
        x, *states = input if is_table(input) else (input,)
        return self._turned(x), states if is_table(input) else None

    def _turned(self, array: Array) -> Array:
        return np.ascontiguousarray(np.swapaxes(array, 0, 1)) if self.batch_first else array

    def check_input(self, input: Any) -> None:
        """Expect an array of three axes, or a table of it and start states."""
        cells = self.cells
        states = cells[0].states
        for array in input if is_table(input) else (input,):
            if not isinstance(array, np.ndarray):
                raise TypeError(complaint(self, describe(input), "an array, or a table of it and start states"))
        x = input[0] if is_table(input) and input else input
        axes = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
        if is_table(x) or x.ndim != 3 or 0 in x.shape:
            raise ValueError(complaint(self, describe(x), f"an array {axes}"))
        if is_table(input):
            batch = x.shape[0 if self.batch_first else 1]
            shapes = [(len(cells), batch, width) for width in cells[0].state_widths()]
            if [array.shape for array in input[1:]] != shapes or any(a.dtype != self.dtype for a in input[1:]):
                expects = ", ".join(f"{name} {shape}" for name, shape in zip(states, shapes, strict=True))
                raise ValueError(complaint(self, describe(input), f"a table of x and {expects}, {self.dtype.name}"))
        self.children()[0].check_input(self._turned(x))

    def update_output(self, input: Any) -> Any:
        """Run the sequence through all layers."""
        x, states = self._split(input)
        for k, part in enumerate(self._parts() if states else ()):
            part.set_hidden_state(0, [array[k] for array in states])
        output = self._turned(super().update_output(x))
        if states is None:
            return output
        last = [part.module._listed(part.get_hidden_state()) for part in self._parts()]
        return [output, *map(np.stack, zip(*last, strict=True))]

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through all layers."""
        x, states = self._split(input)
        grad_output, gradients = self._split(grad_output)
        for k, part in enumerate(self._parts() if gradients else ()):
            part.set_grad_hidden_state(None, [array[k] for array in gradients])
        grad_x = self._turned(super().update_grad_input(x, grad_output))
        if states is None:
            return grad_x
        first = [part.module._listed(part.get_grad_hidden_state(0)) for part in self._parts()]
        return [grad_x, *map(np.stack, zip(*first, strict=True))]

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let all layers add their parameters' gradients."""
        super().acc_grad_parameters(self._split(input)[0], self._split(grad_output)[0], scale)

    # Several sequences, as steps of a sequence, go through all layers one after the other.
    forward_sequence = Module.forward_sequence
    sequence_grad_input = Module.sequence_grad_input
    sequence_acc_grad_parameters = Module.sequence_acc_grad_parameters

    def describe_arguments(self) -> str:
        """Return the first cell's sizes, the number of layers and the switches."""
        shown = f"{self.cells[0].describe_arguments()}, {self.num_layers} layer{'s' * (self.num_layers > 1)}"
        shown += ", batch_first=True" * self.batch_first + f", dropout={self.dropout}" * bool(self.dropout)
        return shown + ", bidirectional=True" * self.bidirectional


class StackedLSTM(Stacked):
    """Layers of `PlainLSTM` over whole sequences, with the arguments of `torch.nn.LSTM`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    num_layers : int
        How many layers; each gets the output of the one before.
    bias : bool
        Whether the cells have biases.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    dropout : float
        Probability with which elements of the output of all layers but the last are dropped in training mode.
    bidirectional : bool
        Whether each layer has a second cell, which goes backwards; their outputs are joined.
    proj_size : int
        Number of features R of a projection of the output; 0 for none, and then R is H.
    rng : numpy.random.Generator or int, optional
        See `Cell`.

    Attributes
    ----------
    cells : list of Cell
        Layer by layer, in each the one that goes forwards first.

    Notes
    -----
    The input is x, `(time, batch, D)`, and the output y, `(time, batch, R)` or with two directions 2 R. Or the input is
    a table `[x, h0, c0]` with start states, `(cells, batch, R)` and `(cells, batch, H)`, and the output a table
    `[y, h, c]` with the last ones. Without them, states start at zero at every call. `numrnn.interop.torch` exchanges
    weights with a `torch.nn.LSTM`.

    Raises
    ------
    ValueError
        If a size or number is not a whole number above 0, or `dropout` not a probability below 1. In forward, if the
        shapes do not fit.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> lstm = nr.StackedLSTM(4, 6, num_layers=2, bidirectional=True)
    >>> x, h0, c0 = np.zeros((5, 3, 4), "float32"), np.zeros((4, 3, 6), "float32"), np.zeros((4, 3, 6), "float32")
    >>> lstm(x).shape
    (5, 3, 12)
    >>> [array.shape for array in lstm([x, h0, c0])]
    [(5, 3, 12), (4, 3, 6), (4, 3, 6)]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        rng: Any = None,
    ) -> None:
        def make(width: int, draw: np.random.Generator) -> Cell:
            return PlainLSTM(width, hidden_size, proj_size or None, bias, rng=draw)

        super().__init__(make, input_size, num_layers, batch_first, dropout, bidirectional, rng)


class StackedGRU(Stacked):
    """Layers of `GRUResetAfter` over whole sequences, with the arguments of `torch.nn.GRU`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng
        See `StackedLSTM`.

    Notes
    -----
    The input is x, or a table `[x, h0]`; then the output is one, too: `[y, h]`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.StackedGRU(4, 6, num_layers=2, dropout=0.2)(np.zeros((5, 3, 4), "float32")).shape
    (5, 3, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: Any = None,
    ) -> None:
        def make(width: int, draw: np.random.Generator) -> Cell:
            return GRUResetAfter(width, hidden_size, rng=draw, bias=bias)

        super().__init__(make, input_size, num_layers, batch_first, dropout, bidirectional, rng)


class StackedRNN(Stacked):
    """Layers of `RNN` over whole sequences, with the arguments of `torch.nn.RNN`.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng
        See `StackedLSTM`.
    nonlinearity : {"tanh", "relu"}
        The cells' function.

    Notes
    -----
    The input is x, or a table `[x, h0]`; then the output is one, too: `[y, h]`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.StackedRNN(4, 6, nonlinearity="relu", batch_first=True)(np.zeros((3, 5, 4), "float32")).shape
    (3, 5, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: Any = None,
    ) -> None:
        def make(width: int, draw: np.random.Generator) -> Cell:
            return RNN(width, hidden_size, nonlinearity, rng=draw, bias=bias)

        super().__init__(make, input_size, num_layers, batch_first, dropout, bidirectional, rng)
