"""Cells over whole sequences, with one weight: the original's SeqLSTM, SeqLSTMP and SeqGRU."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.cells import GRU, FastLSTM, RecGRU, RecLSTM
from numrnn.errors import complaint, describe
from numrnn.recurrent import Cell
from numrnn.sequencer.sequencer import Sequencer
from numrnn.table import Array, is_table


class CellSequencer(Sequencer):
    """A cell over whole sequences, given as arrays.

    Parameters
    ----------
    cell : Cell
        The cell.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    mask_zero : bool
        Whether rows of the input that are all zero are padding; see `AbstractRecurrent.mask_zero`.

    Notes
    -----
    The input is an array, a table of steps, or a table of start states and an array: `[h0, x]`, or with two states
    `[c0, h0, x]`, too. Then the gradient is such a table. A start state that is set (`set_hidden_state(0, ...)`) and a
    gradient of the last state that is set (`set_grad_hidden_state`) serve one call.
    """

    def __init__(self, cell: Cell, batch_first: bool = False, mask_zero: bool = False) -> None:
        super().__init__(cell)
        self.batch_first = bool(batch_first)
        if mask_zero:
            cell.mask_zero()
        self._next_start: list[Any] | None = None  # what was set for the next call
        self._gradient_is_set = False

    def __getattr__(self, name: str) -> Any:
        children = self.__dict__.get("_children", {})
        cell = children.get("module")
        own = name.removeprefix("grad_")
        if cell is not None and own in cell._parameters:
            return getattr(cell, name)
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        children = self.__dict__.get("_children", {})
        if "module" in children and name.removeprefix("grad_") in children["module"]._parameters:
            setattr(children["module"], name, value)
        else:
            super().__setattr__(name, value)

    def check_input(self, input: Any) -> None:
        """Expect an array of three axes, perhaps in a table with start states; or a table of steps."""
        states, x = self._split(input)
        if len(states) > len(self.module.states):
            raise ValueError(complaint(self, describe(input), f"at most {len(self.module.states)} start states"))
        if is_table(x):
            super().check_input(x)
            return
        if not isinstance(x, np.ndarray):
            raise TypeError(complaint(self, describe(input), "an array, or a table of start states and an array"))
        axes = "(batch, time, features)" if self.batch_first else "(time, batch, features)"
        if x.ndim != 3 or 0 in x.shape[:2]:
            raise ValueError(complaint(self, describe(input), f"an array {axes}"))
        super().check_input(x)

    def _split(self, input: Any) -> tuple[list[Array], Any]:
        """Return the start states, the output's first, and the array, or table of steps."""
        has_states = is_table(input) and len(input) > 1 and getattr(input[-1], "ndim", 0) == 3
        return (list(input[-2::-1]), input[-1]) if has_states else ([], input)

    def _turned(self, array: Any) -> Any:
        """Return an array with time and batch in the order that the cell, or the caller, expects."""
        if is_table(array):
            return array
        return np.ascontiguousarray(np.swapaxes(array, 0, 1)) if self.batch_first else array

    def _is_plain(self, input: Any) -> bool:
        return super()._is_plain(input) and input.ndim == 3 and not self.batch_first and self._next_start is None

    def update_output(self, input: Any) -> Array:
        """Run the sequence."""
        states, x = self._split(input)
        start = states if states else self._next_start
        if start is None:
            return self._turned(super().update_output(self._turned(x)))
        cell = self.module
        lasting = cell._start_state
        cell.forget()
        try:
            cell.set_hidden_state(0, [*start, *[None] * (len(cell.states) - len(start))])
            output = super().update_output(self._turned(x))
        finally:
            cell._start_state = lasting
        self._next_start = None
        return self._turned(output)

    def update_grad_input(self, input: Any, grad_output: Array) -> Any:
        """Go back through the whole sequence."""
        states, x = self._split(input)
        gradient = self._turned(super().update_grad_input(self._turned(x), self._turned(grad_output)))
        if self._gradient_is_set:
            self.module._last_gradient, self._gradient_is_set = None, False
        if not states:
            return gradient
        first = self.module.get_grad_hidden_state(0)
        first = first if is_table(first) else [first]
        return [*first[: len(states)][::-1], gradient]

    def acc_grad_parameters(self, input: Any, grad_output: Array, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps."""
        _, x = self._split(input)
        super().acc_grad_parameters(self._turned(x), self._turned(grad_output), scale)

    def mask_zero(self, n_input_dims: int | None = None) -> CellSequencer:
        """Take rows of the input that are all zero for padding; see `AbstractRecurrent.mask_zero`."""
        self.module.mask_zero(n_input_dims)
        return self

    # ---- states ----------------------------------------------------------------------------------------------------

    def get_hidden_state(self, step: int | None = None) -> Any:
        """Return the cell's state after a step; see `AbstractRecurrent`."""
        return self.module.get_hidden_state(step)

    def set_hidden_state(self, step: int, state: Any) -> None:
        """Set the start state (step 0) of the next call, or the state that it goes on from if it remembers."""
        self.module.check_hidden_state(step, state)
        if step == 0:
            self._next_start = None if state is None else self.module._listed(state)
        else:
            self.module.set_hidden_state(step, state)

    def set_start_state(self, state: Any) -> None:
        """Set the state that every sequence starts with, other than the one that `set_hidden_state` sets for a call."""
        self.module.set_start_state(state)

    def get_grad_hidden_state(self, step: int | None = None) -> Any:
        """Return the gradient that the cell's state after a step has received; see `AbstractRecurrent`."""
        return self.module.get_grad_hidden_state(step)

    def set_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Set the gradient that the newest state receives from outside in the next `backward`."""
        self.module.set_grad_hidden_state(step, gradient)
        self._gradient_is_set = gradient is not None

    def _snapshot(self) -> Any:
        return super()._snapshot(), self._next_start, self._gradient_is_set

    def _rollback(self, snapshot: Any) -> None:
        rest, self._next_start, self._gradient_is_set = snapshot
        super()._rollback(rest)

    def describe_arguments(self) -> str:
        """Return the sizes and switches."""
        switches = ", batch_first=True" * self.batch_first + ", mask_zero=True" * self.module._zeros_are_padding
        return self.module.describe_arguments() + switches


class SeqLSTM(CellSequencer):
    """Long short-term memory over whole sequences, with the equations of `RecLSTM`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    mask_zero : bool
        Whether rows of the input that are all zero are padding; see `AbstractRecurrent.mask_zero`.
    rng : numpy.random.Generator or int, optional
        See `RecLSTM`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (D + H, 4 H): rows of x, then of h; blocks of columns input, forget, output, candidate.
    bias, grad_bias : numpy.ndarray
        Shape (4 H,).

    Notes
    -----
    The input is an array `(time, batch, D)`, or a table `[h0, x]` or `[c0, h0, x]` with start states `(batch, H)`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqLSTM(4, 6)(np.zeros((5, 3, 4), "float32")).shape
    (5, 3, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        batch_first: bool = False,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(RecLSTM(input_size, hidden_size, rng=rng), batch_first, mask_zero)

    def to_fast_lstm(self) -> FastLSTM:
        """Return a `FastLSTM` with the same parameters and gradients."""
        own, other = self.module, FastLSTM(self.module.input_size, self.module.hidden_size, rng=0).astype(self.dtype)
        for source, target in ((own._parameters, other._parameters), (own._gradients, other._gradients)):
            for name, value in own._parts(source).items():
                i, f, o, z = np.split(value, 4)
                target[name][...] = np.concatenate([i, z, f, o])
        return other

    def to_rec_lstm(self) -> RecLSTM:
        """Return a copy of the cell, with parameters of its own, at the start of a sequence."""
        return _copied(self.module)


class SeqLSTMP(CellSequencer):
    """Long short-term memory with a projection of the output, over whole sequences; see `RecLSTM`.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        Numbers of features D, H and R. The output, and what the gates see of it, has R features.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    mask_zero : bool
        Whether rows of the input that are all zero are padding; see `AbstractRecurrent.mask_zero`.
    rng : numpy.random.Generator or int, optional
        See `RecLSTM`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (D + R, 4 H): rows of x, then of the output; blocks of columns input, forget, output, candidate.
    bias, grad_bias : numpy.ndarray
        Shape (4 H,).
    weight_o, grad_weight_o : numpy.ndarray
        Shape (H, R).

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqLSTMP(4, 12, 6)(np.zeros((5, 3, 4), "float32")).shape
    (5, 3, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        batch_first: bool = False,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(RecLSTM(input_size, hidden_size, output_size, rng=rng), batch_first, mask_zero)

    def to_rec_lstm(self) -> RecLSTM:
        """Return a copy of the cell, with parameters of its own, at the start of a sequence."""
        return _copied(self.module)


class SeqGRU(CellSequencer):
    """Gated recurrent unit over whole sequences, with the equations of `GRU`.

    Parameters
    ----------
    input_size, hidden_size : int
        Numbers of features D and H.
    batch_first : bool
        Whether inputs and outputs are `(batch, time, features)` instead of `(time, batch, features)`.
    mask_zero : bool
        Whether rows of the input that are all zero are padding; see `AbstractRecurrent.mask_zero`.
    rng : numpy.random.Generator or int, optional
        See `RecGRU`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (D + H, 3 H): rows of x, then of h; blocks of columns reset, update, candidate.
    bias, grad_bias : numpy.ndarray
        Shape (3 H,).

    Notes
    -----
    The input is an array `(time, batch, D)`, or a table `[h0, x]` with a start state `(batch, H)`.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.SeqGRU(4, 6)(np.zeros((5, 3, 4), "float32")).shape
    (5, 3, 6)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | None = None,
        batch_first: bool = False,
        mask_zero: bool = False,
        rng: Any = None,
    ) -> None:
        super().__init__(RecGRU(input_size, hidden_size, rng=rng), batch_first, mask_zero)

    def to_gru(self) -> GRU:
        """Return a `GRU` with the same parameters and gradients."""
        own, other = self.module, GRU(self.module.input_size, self.module.hidden_size, rng=0).astype(self.dtype)
        for source, target in ((own._parameters, other._parameters), (own._gradients, other._gradients)):
            for name, value in own._parts(source).items():
                target[name][...] = value
        return other

    def to_rec_gru(self) -> RecGRU:
        """Return a copy of the cell, with parameters of its own, at the start of a sequence."""
        return _copied(self.module)


def _copied(cell: Any) -> Any:
    copy = cell.clone()
    copy.forget()
    return copy
