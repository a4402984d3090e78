"""Optimizer: what all update rules have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numrnn.errors import complaint
from numrnn.module import Module


class Optimizer:
    """Base class of update rules, which change a module's parameters by means of their gradients.

    It works on the flat vectors that `module.get_parameters()` returns. A subclass names its state and writes
    `update`.

    Parameters
    ----------
    module : Module
        The whole network that is trained.
    learning_rate : float
        Size of the steps; may be changed between steps.

    Raises
    ------
    ValueError
        If the module has no parameters, or a number is out of range.
    """

    scalars: ClassVar[tuple[str, ...]] = ("learning_rate",)
    """Attributes that are numbers and belong to the state."""

    buffers: ClassVar[tuple[str, ...]] = ()
    """Attributes that are vectors like the weights and belong to the state; empty before the first step."""

    def __init__(self, module: Module, learning_rate: float) -> None:
        self.module = module
        self.weights, self.gradients = module.get_parameters()
        if self.weights.size == 0:
            raise ValueError(complaint(type(self).__name__, f"{module!r}", "a module with parameters"))
        self.learning_rate = float(learning_rate)
        self._expect("learning_rate", self.learning_rate >= 0, "a number >= 0")
        for name in self.buffers:
            setattr(self, name, self.weights[:0].copy())

    def step(self) -> None:
        """Change the parameters, in place.

        Raises
        ------
        RuntimeError
            If the parameters no longer are where they were when the optimiser was made.
        """
        if not all(map(_same_memory, self.module.get_parameters(), (self.weights, self.gradients))):
            hint = "Make the optimiser after astype, and after get_parameters of anything around the module"
            raise RuntimeError(
                complaint(self, "parameters that have moved to other memory", "those it was made with", hint)
            )
        self.update()
        self.module.parameters_changed()

    def update(self) -> None:
        """Change `weights` by means of `gradients`. Subclasses write this."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def zero_grad(self) -> None:
        """Set all gradients to zero."""
        self.module.zero_grad_parameters()

    def state_dict(self) -> dict[str, Any]:
        """Return what a later run needs, besides the parameters, to go on as if there had been no break.

        Numbers are Python's, vectors are copies.
        """
        numbers = {name: getattr(self, name) for name in self.scalars}
        return {**numbers, **{name: getattr(self, name).copy() for name in self.buffers}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state as returned by `state_dict`.

        Raises
        ------
        ValueError
            If names or shapes differ; nothing is changed then.
        """
        if state.keys() != {*self.scalars, *self.buffers}:
            raise ValueError(
                complaint(self, f"a state of {sorted(state)}", f"{sorted((*self.scalars, *self.buffers))}")
            )
        for name in self.scalars:
            if np.shape(state[name]) != ():
                raise ValueError(complaint(self, f"{name} of shape {np.shape(state[name])}", "one number"))
        for name in self.buffers:
            if np.shape(state[name]) not in ((0,), self.weights.shape):
                raise ValueError(
                    complaint(self, f"{name} of shape {np.shape(state[name])}", f"shape {self.weights.shape}")
                )
        for name in self.scalars:
            setattr(self, name, np.asarray(state[name]).item())
        for name in self.buffers:
            setattr(self, name, np.array(state[name], self.weights.dtype))

    def _expect(self, name: str, fits: bool, expects: str) -> None:
        if not fits:
            raise ValueError(complaint(type(self).__name__, f"{name}={getattr(self, name)!r}", expects))

    def _typed(self, *numbers: float) -> list[Any]:
        """Return numbers of the weights' element type, so that kernels compute in it."""
        return [self.weights.dtype.type(number) for number in numbers]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.scalars)})"


def _same_memory(first: np.ndarray, second: np.ndarray) -> bool:
    return first is second or (
        first.dtype == second.dtype
        and first.size == second.size
        and first.__array_interface__["data"] == second.__array_interface__["data"]
    )
