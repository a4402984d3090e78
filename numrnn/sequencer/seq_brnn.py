"""Two cells over whole sequences, one in each direction: the original's SeqBRNN, SeqBLSTM and SeqBGRU."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.layers import CAddTable
from numrnn.module import Module
from numrnn.random import generator
from numrnn.sequencer.bisequencer import BiSequencer
from numrnn.sequencer.cell_sequencer import SeqGRU, SeqLSTM, SeqLSTMP
from numrnn.table import is_table


class SeqBRNN(BiSequencer):
    """Two `SeqLSTM`, one in each direction; their outputs are added, if no other merge module is given.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    merge : Module, optional
        See `BiSequencer`; by default `CAddTable()`.
    mask_zero : bool
        Whether rows of the input that are all zero are padding; see `AbstractRecurrent.mask_zero`.
    rng : numpy.random.Generator or int, optional
        See `RecLSTM`.

    References
    ----------
    Schuster and Paliwal (1997), Bidirectional recurrent neural networks.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = np.zeros((5, 3, 4), "float32")
    >>> nr.SeqBRNN(4, 6)(x).shape, nr.SeqBRNN(4, 6, merge=nr.JoinTable())(x).shape
    ((5, 3, 6), (5, 3, 12))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        batch_first: bool = False,
        merge: Module | None = None,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        draw = generator(rng)
        parts = [self._part(input_size, hidden_size, mask_zero, draw) for _ in range(2)]
        super().__init__(*parts, CAddTable() if merge is None else merge)
        self.batch_first = bool(batch_first)

    def _part(self, input_size: int, hidden_size: int, mask_zero: bool, rng: np.random.Generator) -> Module:
        """Return the part of one direction."""
        return SeqLSTM(input_size, hidden_size, mask_zero=mask_zero, rng=rng)

    def _turned(self, array: Any) -> Any:
        """Return an array with time and batch in the order that the parts, or the caller, expects."""
        turns = self.batch_first and not is_table(array) and getattr(array, "ndim", 0) > 1
        return np.ascontiguousarray(np.swapaxes(array, 0, 1)) if turns else array

    def check_input(self, input: Any) -> None:
        """Expect a sequence."""
        super().check_input(self._turned(input))

    def update_output(self, input: Any) -> Any:
        """Run the sequence in both directions."""
        return self._turned(super().update_output(self._turned(input)))

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through the sequence in both directions."""
        return self._turned(super().update_grad_input(self._turned(input), self._turned(grad_output)))

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let both parts add their parameters' gradients."""
        super().acc_grad_parameters(self._turned(input), self._turned(grad_output), scale)


class SeqBLSTM(SeqBRNN):
    """Two `SeqLSTM`, or `SeqLSTMP`, one in each direction; their outputs are added by default.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    output_size : int, optional
        Number of features of a projection of the output.
    merge, batch_first, mask_zero, rng
        See `SeqBRNN`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqBLSTM(4, 6, 3)(np.zeros((5, 2, 4), "float32")).shape
    (5, 2, 3)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        merge: Module | None = None,
        batch_first: bool = False,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        self.__dict__["output_size"] = output_size
        super().__init__(input_size, hidden_size, batch_first, merge, mask_zero, rng)

    def _part(self, input_size: int, hidden_size: int, mask_zero: bool, rng: np.random.Generator) -> Module:
        if self.output_size is None:
            return super()._part(input_size, hidden_size, mask_zero, rng)
        return SeqLSTMP(input_size, hidden_size, self.output_size, mask_zero=mask_zero, rng=rng)


class SeqBGRU(SeqBRNN):
    """Two `SeqGRU`, one in each direction; their outputs are added by default.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    merge, batch_first, mask_zero, rng
        See `SeqBRNN`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqBGRU(4, 6)(np.zeros((5, 2, 4), "float32")).shape
    (5, 2, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        merge: Module | None = None,
        batch_first: bool = False,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, batch_first, merge, mask_zero, rng)

    def _part(self, input_size: int, hidden_size: int, mask_zero: bool, rng: np.random.Generator) -> Module:
        return SeqGRU(input_size, hidden_size, mask_zero=mask_zero, rng=rng)
