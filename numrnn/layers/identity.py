"""Modules that give back what comes in; they differ in the gradient."""

from __future__ import annotations

from typing import Any

from numrnn.module import Module
from numrnn.table import copy_gradient, copy_table, zero_gradient


class Identity(Module):
    """Return a copy of the input, an array or a table.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Identity()([np.arange(2.0), np.arange(3)])
    [array([0., 1.]), array([0, 1, 2])]
    """

    row_wise = True

    def update_output(self, input: Any) -> Any:
        """Copy the input."""
        return copy_table(input)

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Copy the gradient; that of indices is None."""
        return copy_gradient(input, grad_output)

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Return the symbols."""
        return input


class CopyGrad(Identity):
    """The identity, by the name that programs of the original use where gradients are to be copied.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.CopyGrad()(np.arange(2.0)).tolist()
    [0.0, 1.0]
    """


class ZeroGrad(Identity):
    """The identity forward; backward, no gradient comes through: it is zero.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> stop, x = nr.ZeroGrad(), np.arange(2.0)
    >>> stop(x).tolist(), stop.backward(x, np.ones(2)).tolist()
    ([0.0, 1.0], [0.0, 0.0])
    """

    def update_grad_input(self, input: Any, grad_output: Any) -> Any:
        """Return zeros; for indices, None."""
        return zero_gradient(input)
