"""Add: a learned bias."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.affine import add_row_sums
from numrnn.layers.arrays import check_float_array, compact, is_size
from numrnn.module import Module
from numrnn.random import generator


class Add(Module):
    """Add a learned bias to the last axis.

    Parameters
    ----------
    size : int
        Number of features.
    rng : numpy.random.Generator or int, optional
        Where the initial values, uniform between plus and minus `size ** -0.5`, are drawn from.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> nr.Add(4)(np.zeros((3, 4), "float32")).shape
    (3, 4)
    """

    row_wise = True

    def __init__(self, size: int, rng: Any = None) -> None:
        super().__init__()
        if not is_size(size):
            raise ValueError(complaint("Add", f"size {size!r}", "a whole number, a size of at least 1"))
        self.size = int(size)
        bound = self.size**-0.5
        self.add_parameter("bias", generator(rng).uniform(-bound, bound, size).astype("float32"))

    def check_input(self, input: Any) -> None:
        """Expect one array `(..., size)` of the parameter's element type."""
        check_float_array(self, input)
        if input.dtype != self.bias.dtype:
            raise TypeError(complaint(self, describe(input), f"an array of {self.bias.dtype.name}"))
        if input.ndim == 0 or input.shape[-1] != self.size:
            raise ValueError(complaint(self, describe(input), f"shape (..., {self.size})"))

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Return x + b."""
        return input + self.bias

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> np.ndarray:
        """Return the gradient as it is."""
        return grad_output.copy()

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add the sum over the rows: the last row first, as in stepping back."""
        rows = compact(grad_output).reshape(-1, self.size)
        add_row_sums(rows, rows.dtype.type(scale), self.grad_bias)

    def describe_arguments(self) -> str:
        """Return the size."""
        return f"{self.size}"
