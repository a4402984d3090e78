"""LookupTable: a learned vector for each index."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.errors import complaint
from numrnn.kernels.cpu.lookup import add_rows_at, descend_rows
from numrnn.layers.arrays import check_index_array, check_index_range, compact, is_size
from numrnn.layers.own_gradients import OwnGradients
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
    padding_value : int, optional
        An index that stands for nothing: its row gets no gradient.
    max_norm : float, optional
        Rows that are looked up and longer than that are shortened, in place, before they are used.
    norm_type : float
        The p of the p-norm that measures them.
    scale_grad_by_frequency : bool
        Whether the gradient of a row is divided by how often it was looked up (in one call).
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

    def __init__(
        self,
        n_index: int,
        n_output: int,
        padding_value: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_frequency: bool = False,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__()
        self._gradients: OwnGradients = OwnGradients()
        if not is_size(n_index) or not is_size(n_output):
            got = f"n_index={n_index!r}, n_output={n_output!r}"
            raise ValueError(complaint("LookupTable", got, "whole numbers, sizes of at least 1"))
        self.n_index, self.n_output = int(n_index), int(n_output)
        self.padding_value, self.max_norm, self.norm_type = padding_value, max_norm, float(norm_type)
        self.scale_grad_by_frequency = bool(scale_grad_by_frequency)
        self.add_parameter("weight", np.zeros((self.n_index, self.n_output), "float32"))
        self.reset(rng)

    def reset(self, rng: np.random.Generator | int | None = None) -> None:
        """Draw new initial weights."""
        self.weight = generator(rng).standard_normal(self.weight.shape, np.float32)

    def check_input(self, input: Any) -> None:
        """Expect one array of integers in 0 .. n_index-1, of any shape."""
        check_index_array(self, input)
        check_index_range(self, input, self.n_index, "index")

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy the rows."""
        if self.max_norm is not None:
            self._shorten(np.unique(input))
        return self.weight.take(np.asarray(input, np.intp), axis=0)

    def _shorten(self, rows: np.ndarray) -> None:
        norms = np.linalg.norm(self.weight[rows], self.norm_type, axis=1)
        factors = np.where(norms > self.max_norm, self.max_norm / (norms + 1e-7), 1)
        self.weight[rows] *= factors[:, None].astype(self.dtype)

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
        if self.padding_value is not None:
            rows = np.where((indices == self.padding_value)[..., None], rows.dtype.type(0), rows)
        if self.scale_grad_by_frequency:
            rows = rows / np.stack([np.bincount(step, minlength=1)[step] for step in indices])[..., None]
            rows = rows.astype(self.dtype)
        add_rows_at(self._gradients.own("weight"), indices, rows, self.weight.dtype.type(scale))
        self._gradients.use("weight", indices)

    def _zero_own_gradients(self) -> None:
        self._gradients.clear_rows("weight")

    def _update_own_parameters(self, learning_rate: float) -> None:
        rows = self._gradients.rows("weight")
        if rows is None:
            super()._update_own_parameters(learning_rate)
        else:
            gradient, rate = self._gradients.own("weight"), self.weight.dtype.type(learning_rate)
            descend_rows(self.weight, gradient, rows, rate)

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        text = f"{self.n_index}, {self.n_output}"
        text += "" if self.padding_value is None else f", padding_value={self.padding_value}"
        text += "" if self.max_norm is None else f", max_norm={self.max_norm}, norm_type={self.norm_type}"
        return text + ", scale_grad_by_frequency=True" * self.scale_grad_by_frequency


class LookupTableMaskZero(LookupTable):
    """A look-up in which index 0 is padding and gives zeros; the words are 1 .. n_index.

    Parameters
    ----------
    n_index : int
        Number of words.
    n_output : int
        Number of features of a row.
    rng : numpy.random.Generator or int, optional
        See `LookupTable`.

    Attributes
    ----------
    weight, grad_weight : numpy.ndarray
        Shape (n_index + 1, n_output). Row 0 is set to zero at every forward; as in the original, it does collect a
        gradient, which changes nothing.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> words = nr.LookupTableMaskZero(10, 3)
    >>> words(np.array([0, 10])).any(axis=1).tolist()
    [False, True]
    """

    def __init__(self, n_index: int, n_output: int, rng: np.random.Generator | int | None = None) -> None:
        if not is_size(n_index):
            raise ValueError(complaint("LookupTableMaskZero", f"n_index={n_index!r}", "a size of at least 1"))
        super().__init__(n_index + 1, n_output, rng=rng)
        self.weight[0] = 0

    def update_output(self, input: np.ndarray) -> np.ndarray:
        """Copy the rows, after setting that of the padding to zero."""
        self.weight[0] = 0
        return super().update_output(input)

    def describe_arguments(self) -> str:
        """Return the number of words, and of features."""
        return f"{self.n_index - 1}, {self.n_output}"
