"""ModuleCriterion: modules in front of a loss."""

from __future__ import annotations

from typing import Any

from numrnn.criterion.composite import WrappingCriterion
from numrnn.criterion.criterion import Criterion
from numrnn.errors import complaint, describe
from numrnn.module import Module


class ModuleCriterion(WrappingCriterion):
    """A loss of what modules make of input and target: `criterion(input_module(input), target_module(target))`.

    Parameters
    ----------
    criterion : Criterion
        The loss of what the modules give.
    input_module, target_module : Module, optional
        What input and target go through; without it, they are taken as they are.
    cast_target : bool
        Plays no role; the original asks whether to convert the target module to another element type.

    Notes
    -----
    The gradient is that of the input. `backward` goes forward through the modules again, since a criterion keeps
    nothing: a module that draws random numbers draws others then. If the input module has parameters, their gradients
    are added up in every `backward`; to train them, hand them to an optimizer of their own.

    A recurrent module has to be inside a `Sequencer`, so that every call begins a new sequence.

    Raises
    ------
    TypeError
        If `criterion` is none, or a module is none.
    ValueError
        If a module would make a step of a sequence at every call.
    TypeError, ValueError, IndexError
        What the modules and the criterion raise.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> criterion = nr.ModuleCriterion(nr.MSECriterion(), nr.Square())
    >>> x, target = np.array([1.0, 2.0]), np.array([1.0, 2.0])
    >>> criterion(x, target), criterion.backward(x, target).tolist()  # (4 - 2)**2 / 2, and its slope
    (2.0, [0.0, 8.0])
    """

    def __init__(
        self,
        criterion: Criterion,
        input_module: Module | None = None,
        target_module: Module | None = None,
        cast_target: bool = True,
    ) -> None:
        super().__init__(criterion)
        for name, module in (("input_module", input_module), ("target_module", target_module)):
            if module is None:
                continue
            if not isinstance(module, Module):
                raise TypeError(complaint("ModuleCriterion", f"{describe(module)} as {name}", "a Module, or None"))
            if next(module._stepped_modules(), None) is not None:
                expects = "recurrent modules inside a Sequencer only"
                raise ValueError(complaint("ModuleCriterion", f"{module!r} as {name}", expects))
        self.input_module = input_module
        self.target_module = target_module

    def update_output(self, input: Any, target: Any) -> float:
        """Go through the modules to the loss."""
        return self.criterion.forward(_forward(self.input_module, input), _forward(self.target_module, target))

    def update_grad_input(self, input: Any, target: Any) -> Any:
        """Go through the modules again, and back through that of the input."""
        gradient = self.criterion.backward(_forward(self.input_module, input), _forward(self.target_module, target))
        return gradient if self.input_module is None else self.input_module.backward(input, gradient)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.criterion!r}, input_module={self.input_module!r}, target_module={self.target_module!r}"


def _forward(module: Module | None, value: Any) -> Any:
    return value if module is None else module.forward(value)
