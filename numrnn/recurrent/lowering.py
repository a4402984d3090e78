"""Lowering: a recurrence made of modules that have equations, as a cell."""

from __future__ import annotations

import functools
import sys
from typing import Any

from numrnn.equations import linear, relu, sigmoid, tanh
from numrnn.layers import CAddTable, Linear, ReLU, Sigmoid, Tanh
from numrnn.module import Module
from numrnn.recurrent.cell import Cell
from numrnn.table import Array, is_table

TRANSFERS = {Sigmoid: sigmoid, Tanh: tanh, ReLU: relu}


class LoweredRecurrence(Cell):
    """transfer(x + W h + b), on the parameters of the Linear that it stands for.

    Parameters
    ----------
    feedback : Linear
        The module on the way back.
    transfer : type
        Class of the nonlinearity.
    """

    def __init__(self, feedback: Linear, transfer: type[Module]) -> None:
        self.transfer, self.has_bias = transfer, feedback.has_bias
        super().__init__(feedback.output_size, feedback.output_size, rho=sys.maxsize)

    def equations(self, x, h):
        """Return the new output."""
        return TRANSFERS[self.transfer](x + linear("feedback", h, bias=self.has_bias))

    def begin(self, feedback: Linear, state: Any, is_training: bool) -> None:
        """Start a sequence from a given state, with the parameters that the module has now."""
        names = {"weight": "feedback_weight_h", "bias": "feedback_bias"}
        self._parameters = {names[name]: array for name, array in feedback._parameters.items()}
        self._gradients = {names[name]: array for name, array in feedback._gradients.items()}
        self.is_training = is_training
        self.forget()
        self.set_hidden_state(0, state)

    def remembered_outputs(self) -> list[Array]:
        """Return the outputs of the remembered steps, `(batch, features)` each."""
        return [self.state_after(record)[0] for record in self._records]


def has_equations(feedback: Module, transfer: Module, merge: Module) -> bool:
    """Whether `transfer(merge({x, feedback(h)}))` can be written as equations."""
    return type(feedback) is Linear and type(transfer) in TRANSFERS and type(merge) is CAddTable


def lowered(feedback: Module, transfer: Module, merge: Module, mapped: Any) -> LoweredRecurrence | None:
    """Return a cell for `transfer(merge({mapped, feedback(h)}))`, if there is one for these modules and shapes."""
    if (
        not has_equations(feedback, transfer, merge)
        or is_table(mapped)
        or mapped.ndim not in (2, 3)
        or mapped.dtype != feedback.dtype
    ):
        return None
    if not mapped.shape[-1] == feedback.output_size == feedback.input_size:
        return None
    cell = LoweredRecurrence.__new__(LoweredRecurrence)
    cell.__dict__.update(_template(feedback.output_size, feedback.has_bias, type(transfer)).__dict__)
    cell._packed = {}
    return cell


@functools.cache
def _template(size: int, has_bias: bool, transfer: type[Module]) -> LoweredRecurrence:
    """Return a cell, whose program and kernels those for single sequences share."""
    cell = LoweredRecurrence(Linear(size, size, has_bias, rng=0), transfer)
    cell.program()
    cell._loops = {}
    return cell
