"""What recurrent modules made of other modules have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.module import Module, NoEquations
from numrnn.recurrent.abstract_recurrent import AbstractRecurrent
from numrnn.recurrent.lowering import Lowered, structure_of
from numrnn.table import is_table, leaves, map_table


class CompositeRecurrent(AbstractRecurrent):
    """A recurrent module made of other modules, whose memory it keeps for every step."""

    progress = (*AbstractRecurrent.progress, "_input_shapes")

    def __init__(self, rho: int) -> None:
        super().__init__(rho)
        self._programs: dict[Any, Lowered | None] = {}  # by what they were made from; None where there is none

    def _clear(self) -> None:
        super()._clear()
        self._input_shapes: list[tuple[int, ...]] = []

    def check_input(self, input: Any) -> None:
        """Raise an error if a step's input has another shape than the steps before it."""
        super().check_input(input)
        if self._state is not None:
            shapes = [leaf.shape for leaf in leaves(input)]
            if shapes != self._input_shapes:
                got = f"{describe(input)} in the middle of a sequence"
                expects = f"shapes {self._input_shapes}, as in the steps before"
                raise ValueError(complaint(self, got, expects, "forget() starts a new sequence, of any batch size"))

    def forward(self, input: Any) -> Any:
        """Make one step; see `Module.forward`. If it fails, nothing has changed."""
        output = self._or_undo(super().forward, input)
        self._input_shapes = [leaf.shape for leaf in leaves(input)]
        return output

    def initial_state(self, input: Any) -> None:
        """Return None: the first step has no state before it."""
        return None

    def state_after(self, record: Any) -> list[Any]:
        """Return the state after a remembered step."""
        return record["after"]

    def _check_stepped(self, record: Any) -> None:
        """Refuse to go back through one step of a sequence that was made as a whole."""
        if record["in_sequence"]:
            expects = "the whole sequence at once, as it was made"
            raise RuntimeError(complaint(self, "a backward of one step of a sequence", expects))

    def _is_whole(self, length: int) -> bool:
        """Whether the next `length` steps to go back through were made as one sequence."""
        end = len(self._records) - self._gone_back
        return all(record["in_sequence"] for record in self._records[end - length : end])

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, in all rows of the batch or in `rows` only; see `AbstractRecurrent.forget`."""
        if rows is None:
            super().forget()
        elif self._state is not None:
            self._or_undo(self._forget_inside, rows)

    def _forget_inside(self, rows: Any) -> None:
        self._forget_own_rows(rows)
        super()._forget_inside(rows)

    def _forget_own_rows(self, rows: Any) -> None:
        """Start anew in `rows`, apart from the children."""

    def _rows_taken(self, rows: Any) -> None:
        self._input_shapes = [(len(rows), *shape[1:]) for shape in self._input_shapes]

    # ---- as a fused loop ------------------------------------------------------------------------------------------

    def equations_of_step(self, recorder: Any, input: Any, states: list[Any]) -> list[Any]:
        """Return the new states from symbols of the input and of the old ones; see `lowering`.

        Raises
        ------
        NoEquations
            If a module has none.
        """
        raise NoEquations(f"{self!r} has no equations")

    def _in_loop(self) -> list[Module]:
        """Return the modules that the equations of a step are made of."""
        return self.children()

    def _lowered(self, input: Any, state_widths: tuple[int, ...], outside_width: Any) -> Lowered | None:
        """Return the program for steps like `input`, `([batch,] features)`, if there is one."""
        is_features = not is_table(input) and input.dtype.kind == "f" and input.ndim in (1, 2)
        width, axes = input.shape[-1] if is_features else None, 2 if is_table(input) else max(1, input.ndim)
        key = structure_of(self._in_loop()), width, axes, state_widths
        if key not in self._programs:
            self._programs[key] = self._program(width, axes, state_widths, outside_width)
        known = self._programs[key]
        if known is None or known.source is None or known.input_width == outside_width(known.source):
            return known
        return self._program(width, axes, state_widths, outside_width)

    def _program(
        self, width: int | None, axes: int, state_widths: tuple[int, ...], outside_width: Any
    ) -> Lowered | None:
        try:
            return Lowered(self, width, axes, state_widths, outside_width)
        except NoEquations:
            return None

    def _children_memory(self) -> list[Any]:
        return [child._take_memory() for child in self._children.values()]

    def _restore_children_memory(self, taken: list[Any]) -> None:
        for child, memory in zip(self._children.values(), taken, strict=True):
            child._restore_memory(memory)


def rows_like(flags: Any, array: Any) -> Any:
    """Return flags of rows in a shape that goes with an array of such rows."""
    return flags.reshape(-1, *(1,) * (array.ndim - 1))


def without_padding(input: Any, padding: Any) -> Any:
    """Return the input with zeros in rows of padding."""
    return map_table(lambda leaf: np.where(rows_like(padding, leaf) != 0, leaf.dtype.type(0), leaf), input)


def only_rows(gradient: Any, rows: Any) -> Any:
    """Return a gradient with zeros outside of some rows."""
    return np.where(rows_like(rows, gradient) != 0, gradient, gradient.dtype.type(0))


def flat_rows(state: Any) -> Any:
    """Return a state `([batch,] features)` with a batch axis."""
    return state.reshape(-1, state.shape[-1])
