"""Sequencer: a module over whole sequences, made from a module of one step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numrnn.errors import complaint, describe
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent
from numrnn.sequencer.plan import plan_of
from numrnn.table import is_table, length_of, signature, split_steps, stack_steps

REMEMBER_MODES = ("both", "train", "eval", "neither")


class AbstractSequencer(Module):
    """Base class of modules over whole sequences: what they remember from one call to the next."""

    def __init__(self) -> None:
        super().__init__()
        self._remember = "neither"

    def remember(self, mode: str = "both") -> AbstractSequencer:
        """Choose when a call goes on from the state in which the last one ended; return the module.

        Parameters
        ----------
        mode : {"both", "train", "eval", "neither"}
            In which modes the state is kept. A new sequencer keeps it in neither. Gradients always stop at the first
            step of a call.

        Raises
        ------
        ValueError
            If the mode is another one.
        """
        if mode not in REMEMBER_MODES:
            raise ValueError(complaint(self, f"remember({mode!r})", f"one of {REMEMBER_MODES}"))
        self._remember = mode
        return self

    @property
    def remembers(self) -> bool:
        """Whether the next call goes on from the state in which the last one ended."""
        return self._remember in ("both", "train" if self.is_training else "eval")

    def training(self) -> AbstractSequencer:
        """Switch to training mode; a sequence in evaluate mode is forgotten."""
        if not self.is_training:
            self.forget()
        super().training()
        return self

    def evaluate(self) -> AbstractSequencer:
        """Switch to evaluate mode; a sequence in training mode is forgotten."""
        if self.is_training:
            self.forget()
        super().evaluate()
        return self


class Sequencer(AbstractSequencer):
    """Apply a module to every step of a sequence.

    What the module is made of decides how: layers without a memory run once over all steps, cells run as one fused
    loop, recurrences made of modules are lowered to such a loop where they have equations, and everything else is
    stepped. `plan` tells what was decided. The results are those of stepping.

    Parameters
    ----------
    module : Module
        A module of one step: a layer, a cell, or anything made of them.

    Notes
    -----
    Input and output are a table (list) of T steps or an array `(time, ...)`, the output of the same kind as the
    input. Each call begins a new sequence unless `remember` says otherwise. All steps of a call are remembered,
    whatever the module's `rho`.

    Raises
    ------
    ValueError
        In forward, if the sequence is empty or its steps differ in shape; in backward, if the lengths differ.
    RuntimeError
        In backward, after an earlier backward of the same forward, or in evaluate mode with recurrent modules inside.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> model = nr.Sequencer(nr.Sequential(nr.LSTM(4, 6), nr.Linear(6, 2)))
    >>> model(np.zeros((5, 3, 4), "float32")).shape
    (5, 3, 2)
    >>> [y.shape for y in model([np.zeros((3, 4), "float32")] * 2)]
    [(3, 2), (3, 2)]
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.add_child("module", module)
        self._can_go_back = False
        self._newest: Any = None  # where the next call goes on, while an earlier call is gone back through

    @property
    def module(self) -> Module:
        """The module of one step."""
        return self._children["module"]

    def check_input(self, input: Any) -> None:
        """Expect a table of equal steps or an array with a time axis, of one step at least."""
        if is_table(input):
            if not input:
                raise ValueError(complaint(self, "an empty table", "at least one step"))
            super().check_input(input)
            first = signature(input[0])
            for t, step in enumerate(input):
                if signature(step) != first:
                    got = f"{describe(step)} at step {t} after {describe(input[0])} at step 0"
                    raise ValueError(complaint(self, got, "steps of one shape and element type"))
        else:
            super().check_input(input)
            if input.ndim == 0 or len(input) == 0:
                raise ValueError(complaint(self, describe(input), "an array (time, ...) of at least one step"))

    def forward(self, input: Any) -> Any:
        """Return the outputs of all steps; if that fails, nothing has changed."""
        return self._or_undo(super().forward, input)

    def update_output(self, input: Any) -> Any:
        """Run the sequence."""
        self._return_to_newest()
        if not self.remembers:
            self.module.forget()
        sequence = stack_steps(input)
        length = length_of(sequence)
        recurrent = [module for module in self.module.modules() if isinstance(module, AbstractRecurrent)]
        limits = [module.rho for module in recurrent]
        for module in recurrent:
            module.rho = length - 1  # besides the newest step
        try:
            output = self.module.forward_sequence(sequence)
        finally:
            for module, rho in zip(recurrent, limits, strict=True):
                module.rho = rho
        self._can_go_back = True
        return split_steps(output, length) if is_table(input) else output

    def check_grad_output(self, input: Any, grad_output: Any) -> None:
        """Expect the input of the last forward, and as many gradients as it has steps."""
        if is_table(input) and is_table(grad_output) and len(input) != len(grad_output):
            got = f"tables of {len(input)} inputs and {len(grad_output)} gradients"
            raise ValueError(complaint(self, got, "tables of one length"))
        super().check_grad_output(input, grad_output)

    def check_backward(self, steps: int = 1) -> None:
        """Raise an error if there is no forward left to go back through."""
        if not self._can_go_back:
            raise RuntimeError(complaint(self, "a second backward", "one backward for every forward"))
        self.module.check_backward()

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Go back through the whole sequence."""
        grad_input = self.module.sequence_grad_input(*_stacked(input, grad_output))
        self._can_go_back = False
        return split_steps(grad_input, len(input)) if is_table(input) else grad_input

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Add the parameters' gradients of all steps."""
        self.module.sequence_acc_grad_parameters(*_stacked(input, grad_output), scale)

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, in all rows of the batch or in `rows` only."""
        self._return_to_newest()
        super().forget(rows)
        if rows is None:
            self._can_go_back = False

    # ---- steps of another module: a call of a Sequencer can itself be a step of a longer sequence -----------------

    def _timeless_modules(self) -> Iterator[Module]:
        yield self  # what is inside remembers the steps of one call; calls are kept here

    def _stepped_modules(self) -> Iterator[Module]:
        return iter(())

    def _own_memory(self) -> dict[str, Any]:
        return {"inside": self.module._snapshot(), "can_go_back": self._can_go_back}

    def _set_own_memory(self, values: dict[str, Any]) -> None:
        if self._newest is None:
            self._newest = self.module._snapshot()
        self.module._rollback(values["inside"])
        self._can_go_back = values["can_go_back"]

    def _return_to_newest(self) -> None:
        if self._newest is not None:
            self.module._rollback(self._newest)
            self._newest = None

    def _snapshot(self) -> Any:
        return super()._snapshot(), self._can_go_back, self._newest

    def _rollback(self, snapshot: Any) -> None:
        rest, self._can_go_back, self._newest = snapshot
        super()._rollback(rest)

    def plan(self) -> str:
        """Return what was decided: one line for every part of the module.

        Examples
        --------
        >>> import numrnn as nr
        >>> print(nr.Sequencer(nr.Sequential(nr.LookupTable(9, 4), nr.GRU(4, 6), nr.Linear(6, 9))).plan())
        0  LookupTable(9, 4)  all steps at once
        1  GRU(4 -> 6)        one fused loop
        2  Linear(6 -> 9)     all steps at once
        """
        return str(plan_of(self.module))

    def draw(self, path: str | Path | None = None) -> str:
        """Return a picture of the plan as Mermaid text; with a path, write it there, too.

        Parameters
        ----------
        path : str or Path, optional
            A file name ending in .mmd or .dot, or in .svg, .png or .pdf if Graphviz is installed.
        """
        picture = plan_of(self.module).drawing()
        if path is not None:
            picture.write(path)
        return picture.to_mermaid()


def _stacked(input: Any, grad_output: Any) -> tuple[Any, Any]:
    """Return both as arrays of all steps. For an array of inputs, a table of gradients is such already."""
    return (stack_steps(input), stack_steps(grad_output)) if is_table(input) else (input, grad_output)
