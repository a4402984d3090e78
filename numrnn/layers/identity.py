"""Identity: what comes in goes out."""

from __future__ import annotations

from typing import Any

from numrnn.module import Module
from numrnn.table import copy_gradient, copy_table


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
