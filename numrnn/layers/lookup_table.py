"""LookupTable: a learned vector for each index."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint
from numrnn.kernels.cpu.lookup import add_rows_at
from numrnn.layers.arrays import check_index_array, check_index_range, compact, is_size
from numrnn.module import Module
from numrnn.random import generator


class LookupTable(Module):
    """Turn each index into its row of `weight`: integers of shape `S` into floats of shape `S + (n_output,)`.

    Parameters
    ----------
    n_index : int
        Number of indices, which count from 0.
    n_output : int
        Number of features of a row.
    rng : numpy.random.Generator or int, optional
        Where the initial values are drawn from; without it, a stream of its own from `numrnn.seed`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (n_index, n_output). The initial weights are drawn from the standard normal distribution.

    Raises
    ------
    TypeError
        In forward, if the input is not one array of integers.
    IndexError
        In forward, if an index is not in 0 .. n_index-1.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> words = nr.LookupTable(10, 3)
    >>> words(np.array([[1, 2], [1, 9]])).shape
    (2, 2, 3)
    """

    row_wise = True

    def __init__(self, n_index: int, n_output: int, rng: np.random.Generator | int | None = None) -> None:
        super().__init__()
        if not is_size(n_index) or not is_size(n_output):
            got = f"n_index={n_index!r}, n_output={n_output!r}"
            raise ValueError(complaint("LookupTable", got, "whole numbers, sizes of at least 1"))
        self.n_index, self.n_output = int(n_index), int(n_output)
        self.add_parameter("weight", generator(rng).standard_normal((self.n_index, self.n_output), np.float32))

    def check_input(self, input: Any) -> None:
        """Expect one array of integers in 0 .. n_index-1, of any shape."""
        check_index_array(self, input)
        check_index_range(self, input, self.n_index, "index")

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy the rows."""
        return self.weight.take(np.asarray(input, np.intp), axis=0)

    def update_grad_input(self, input: np.ndarray, grad_output: np.ndarray) -> None:
        """Indices have no gradient."""

    def acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add to the rows that were looked up, and to no others."""
        self.sequence_acc_grad_parameters(np.asarray(input)[None], np.asarray(grad_output)[None], scale)

    def sequence_acc_grad_parameters(self, input: np.ndarray, grad_output: np.ndarray, scale: float = 1.0) -> None:
        """Add to the rows that were looked up, the last step's first."""
        # The caller may have overwritten the indices since the forward, and the kernel does not look.
        check_index_range(self, input, self.n_index, "index")
        time, batch = input.shape[0], int(np.prod(input.shape[1:]))
        indices = np.array(input, np.int64).reshape(time, batch)
        rows = compact(grad_output).reshape(time, batch, self.n_output)
        add_rows_at(self.grad_weight, indices, rows, self.weight.dtype.type(scale))

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.n_index}, {self.n_output}"
