"""Padding for modules without a state: rows that are left out, and sequences of unequal lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from numrnn.containers import Apply, Container, _forward_sequence
from numrnn.errors import complaint, describe
from numrnn.kernels.cpu import masking
from numrnn.layers.arrays import is_index
from numrnn.module import Module
from numrnn.recurrent.abstract_recurrent import combined_flags
from numrnn.table import is_table, leaves, map_table


class MaskZero(Container):
    """A module whose output is zero in rows of padding, and which learns nothing from them.

    Parameters
    ----------
    module : Module
        The module.
    n_input_dims : int
        Number of axes of a row's input: 1 for features, 0 for an index.

    Notes
    -----
    Padding is a row of zeros in the first array of the input; or, after `set_zero_mask`, what the mask says, one row
    of it for each step, whatever is there. The module is given zeros in rows of padding. A recurrent module inside
    goes on with what it makes of them: give masks to it instead.

    As opposed to the original, rows of padding add nothing to the parameters' gradients.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.MaskZero(nr.Linear(2, 3), 1)
    >>> layer(np.array([[0.0, 0.0], [1.0, 2.0]], "float32")).any(axis=1).tolist()
    [False, True]
    """

    memory = (*Container.memory, "_padding", "_used")

    def __init__(self, module: Module, n_input_dims: int = 1) -> None:
        super().__init__(module)
        if isinstance(n_input_dims, bool) or n_input_dims not in range(9):
            raise ValueError(complaint(type(self).__name__, f"n_input_dims={n_input_dims!r}", "a number of axes"))
        self.n_input_dims = int(n_input_dims)
        self._mask: np.ndarray | None = None  # (time, batch), what was set
        self._used = 0  # steps that have taken their row of it
        self._padding: np.ndarray = np.zeros(0, bool)  # of the last input

    def set_masks(self, mask: Any = None, reset: Any = None, zero: Any = None) -> None:
        """Say which rows are padding at the coming steps; see `AbstractRecurrent.set_masks`."""
        flags = combined_flags(self, mask, None, zero)
        self._mask, self._used = None if flags is None else (flags & masking.PADDING) != 0, 0
        super().set_masks(mask, reset, zero)

    def forget(self, rows: Any = None) -> None:
        """Start a new sequence, with the first row of the mask."""
        if rows is None:
            self._used = 0
        super().forget(rows)

    def check_input(self, input: Any) -> None:
        """Expect arrays with the rows' axes at least."""
        super().check_input(input)
        if not leaves(input) or leaves(input)[0].ndim < self.n_input_dims:
            raise ValueError(complaint(self, describe(input), f"arrays of at least {self.n_input_dims} axes"))

    def _find_padding(self, input: Any, apply: Apply) -> None:
        first = leaves(input)[0]
        axes = tuple(range(first.ndim - self.n_input_dims, first.ndim))
        if self._mask is None:
            self._padding = ~np.any(first, axis=axes) if axes else np.asarray(first == 0)
            return
        steps = len(first) if apply is _forward_sequence else 1
        shape = first.shape[: first.ndim - self.n_input_dims]
        chosen = self._mask[self._used : self._used + steps]
        if chosen.size != np.prod(shape, dtype=int) or len(chosen) != steps:
            expects = f"no more than the mask of shape {self._mask.shape} is for, after {self._used} steps"
            raise ValueError(complaint(self, f"rows {shape}", expects, "set_zero_mask(None) takes it back"))
        self._padding, self._used = chosen.reshape(shape), self._used + steps

    def _blank(self, table: Any) -> Any:
        """Return arrays with zeros in rows of padding."""
        if not self._padding.any():
            return table

        def blank(array: Any) -> Any:
            if array is None:
                return None
            padding = self._padding.reshape(self._padding.shape + (1,) * (array.ndim - self._padding.ndim))
            return np.where(padding, array.dtype.type(0), array)

        return map_table(blank, table)

    def route(self, input: Any, apply: Apply) -> Any:
        """Give the module the input, with zeros in rows of padding, and take its output likewise."""
        self._find_padding(input, apply)
        return self._blank(apply(self[0], self._blank(input)))

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Leave rows of padding out of the gradients."""
        self._grad_outputs = [self._blank(grad_output)]
        return self._blank(apply(self[0], self._blank(input), self._grad_outputs[0]))

    def _inputs_for(self, input: Any) -> list[Any]:
        return [self._blank(input)]

    def describe_arguments(self) -> str:
        """Return the module and the number of axes."""
        return f"{self[0]!r}, {self.n_input_dims}"


class TrimZero(MaskZero):
    """`MaskZero` that computes only the other rows, if the module treats rows one by one.

    Parameters
    ----------
    module : Module
        The module.
    n_input_dims : int
        Number of axes of a row's input: 1 for features, 0 for an index.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> layer = nr.TrimZero(nr.Linear(2, 3), 1)
    >>> layer(np.array([[0.0, 0.0], [1.0, 2.0]], "float32")).any(axis=1).tolist()
    [False, True]
    """

    memory = (*MaskZero.memory, "_trims")

    def __init__(self, module: Module, n_input_dims: int = 1) -> None:
        super().__init__(module, n_input_dims)
        self._trims = False

    def route(self, input: Any, apply: Apply) -> Any:
        """Give the module the rows that are not padding."""
        self._find_padding(input, apply)
        self._trims = self[0].row_wise and bool(self._padding.any())
        if not self._trims:
            return self._blank(apply(self[0], self._blank(input)))
        output = self[0].forward(self._trimmed(input))
        return map_table(lambda rows: self._spread(rows, self._padding.all()), output)

    def _trimmed(self, table: Any) -> Any:
        """Return the rows that are not padding; one row of zeros if all are."""
        if self._padding.all():
            return map_table(lambda array: np.zeros((1, *array.shape[self._padding.ndim :]), array.dtype), table)
        return map_table(lambda array: None if array is None else array[~self._padding], table)

    def _spread(self, rows: Any, is_empty: bool = False) -> Any:
        """Return an array in which rows are where they were, among zeros."""
        whole = np.zeros((*self._padding.shape, *rows.shape[1:]), rows.dtype)
        if not is_empty:
            whole[~self._padding] = rows
        return whole

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Give the module the gradients of the rows that are not padding."""
        if not self._trims:
            return super().route_back(input, grad_output, apply)
        is_empty = bool(self._padding.all())
        trimmed = self._trimmed(grad_output)
        self._grad_outputs = [trimmed]
        gradient = self[0].update_grad_input(self._trimmed(input), trimmed)
        if is_table(input):
            pairs = zip(leaves(input), leaves(gradient), strict=True)
            spread = iter([None if is_index(leaf) else self._spread(rows, is_empty) for leaf, rows in pairs])
            return map_table(lambda leaf: next(spread), input)
        return None if gradient is None else self._spread(gradient, is_empty)

    def acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let the module add to its gradients."""
        if self._trims:
            self[0].acc_grad_parameters(self._trimmed(input), self._grad_outputs[0], scale)
        else:
            super().acc_grad_parameters(input, grad_output, scale)

    def sequence_acc_grad_parameters(self, input: Any, grad_output: Any, scale: float = 1.0) -> None:
        """Let the module add the gradients of all steps to its own."""
        if self._trims:
            self[0].acc_grad_parameters(self._trimmed(input), self._grad_outputs[0], scale)
        else:
            super().sequence_acc_grad_parameters(input, grad_output, scale)
