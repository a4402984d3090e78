"""Sequencer: a module over whole sequences, made from a module of one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from numrnn.containers import Container
from numrnn.module import Module
from numrnn.recurrent import Cell
from numrnn.sequencer.abstract_sequencer import AbstractSequencer, SequenceModule, remembering, states_inside
from numrnn.sequencer.plan import plan_of
from numrnn.table import length_of, signature


class Sequencer(SequenceModule):
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

    @property
    def module(self) -> Module:
        """The module of one step."""
        return self._children["module"]

    def forward(self, input: Any) -> Any:
        """Return the outputs of all steps; if that fails, nothing has changed."""
        if not self._is_plain(input):
            return super().forward(input)
        output = self.module.forward_plain_sequence(input, is_anew=not self.remembers)
        self.__dict__.update(_seen=(signature(input), signature(output)), _can_go_back=True)
        return output

    def _is_plain(self, input: Any) -> bool:
        """Whether all there is to do is to run a cell over an array."""
        cell = self._children["module"]
        return isinstance(cell, Cell) and type(input) is np.ndarray and self._newest is None and cell.is_plain

    def run_sequence(self, sequence: Any) -> Any:
        """Return the outputs of all steps."""
        if not self.remembers:
            self.module.forget()
        with remembering(length_of(sequence), self.module):
            return self.module.forward_sequence(sequence)

    def sequence_back(self, sequence: Any, grad_output: Any) -> Any:
        """Return the gradients of all steps."""
        return self.module.sequence_grad_input(sequence, grad_output)

    def accumulate_sequence(self, sequence: Any, grad_output: Any, scale: float) -> None:
        """Let the module add its parameters' gradients of all steps."""
        self.module.sequence_acc_grad_parameters(sequence, grad_output, scale)

    def _with_states(self) -> Any:
        return states_inside(self.module)

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


def is_over_sequences(module: Module) -> bool:
    """Whether a module takes whole sequences: a sequencer, or a container (a stack of several, say) with one in it."""
    if isinstance(module, AbstractSequencer):
        return module.takes_sequences
    return isinstance(module, Container) and any(map(is_over_sequences, module.children()))


def as_sequencer(module: Module) -> Module:
    """Return a module that runs over sequences: the module itself, or a Sequencer that applies it to every step."""
    return module if is_over_sequences(module) else Sequencer(module)
