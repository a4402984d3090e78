"""Hidden states of modules that are made of others: tables of what their parts have."""

from __future__ import annotations

from typing import Any

from numrnn.errors import complaint, describe
from numrnn.table import is_table, map_table


class StatesOfParts:
    """What modules that contain recurrent ones have in common: their hidden state is that of their parts.

    A subclass writes `_with_states`. What is set is taken by all parts or, if one refuses it, by none.
    """

    def _with_states(self) -> Any:
        """Return the module that has the states, or a table of several."""
        raise NotImplementedError(f"{type(self).__name__} has no hidden states")

    def get_hidden_state(self, step: int | None = None) -> Any:
        """Return the state after a step, or a table of those of several modules; see `AbstractRecurrent`."""
        return map_table(lambda part: part.get_hidden_state(step), self._with_states())

    def set_hidden_state(self, step: int, state: Any) -> None:
        """Set the state before the first step (0) or after the newest; see `AbstractRecurrent`."""
        self.check_hidden_state(step, state)
        for part, own in self._states_of_parts(state):
            part.set_hidden_state(step, own)

    def set_start_state(self, state: Any) -> None:
        """Set the state that every sequence starts with; None takes it back."""
        self.check_hidden_state(0, state)
        for part, own in self._states_of_parts(state):
            part.set_start_state(own)

    def check_hidden_state(self, step: int, state: Any) -> None:
        """Raise an error if the modules inside would refuse their states."""
        for part, own in self._states_of_parts(state):
            part.check_hidden_state(step, own)

    def get_grad_hidden_state(self, step: int | None = None) -> Any:
        """Return the gradient of the state after a step, or a table of several; see `AbstractRecurrent`."""
        return map_table(lambda part: part.get_grad_hidden_state(step), self._with_states())

    def set_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Set the gradient that the newest state receives from outside; see `AbstractRecurrent`."""
        self.check_grad_hidden_state(step, gradient)
        for part, own in self._states_of_parts(gradient):
            part.set_grad_hidden_state(step, own)

    def check_grad_hidden_state(self, step: int | None, gradient: Any) -> None:
        """Raise an error if the modules inside would refuse their gradients."""
        for part, own in self._states_of_parts(gradient):
            part.check_grad_hidden_state(step, own)

    def _states_of_parts(self, states: Any) -> list[tuple[Any, Any]]:
        """Return each module with its own state."""
        parts = self._with_states()
        if not is_table(parts):
            return [(parts, states)]
        given = [None] * len(parts) if states is None else states
        if not is_table(given) or len(given) != len(parts):
            expects = f"a table of {len(parts)}, one for each module that has states"
            raise ValueError(complaint(self, f"{describe(given)} as states", expects))
        return list(zip(parts, given, strict=True))
