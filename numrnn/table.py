"""Tables: lists or tuples of arrays, or of tables. Everything that walks through one is here."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, Union

import numpy as np

Array: TypeAlias = np.ndarray
Table: TypeAlias = "list[Data] | tuple[Data, ...]"
Data: TypeAlias = Union[Array, "Table", None]

SMALL = 1 << 15
"""Bytes that are copied without a thought."""


_TABLES = list, tuple  # an instance of `list | tuple` takes three times as long to find


def is_table(value: Any) -> bool:
    """Whether `value` is a table."""
    return isinstance(value, _TABLES)


def map_table(function: Callable[..., Any], *tables: Any) -> Any:
    """Apply `function` to the arrays of tables of one structure, and return a table of the results.

    >>> map_table(lambda a, b: a + b, [1, [2, 3]], [10, [20, 30]])
    [11, [22, 33]]
    """
    first = tables[0]
    if is_table(first):
        return [map_table(function, *elements) for elements in zip(*tables, strict=True)]
    return function(*tables)


def leaves(table: Any) -> list[Any]:
    """Return the arrays of a table, in order."""
    if is_table(table):
        return [leaf for element in table for leaf in leaves(element)]
    return [table]


def add_tables(first: Any, second: Any) -> Any:
    """Return the sum of two tables of gradients, where None counts as zero."""
    if first is None:
        return second
    if second is None:
        return first
    if is_table(first):
        return [add_tables(a, b) for a, b in zip(first, second, strict=True)]
    return first + second


def copy_gradient(input: Any, grad_output: Any) -> Any:
    """Return a copy of the gradient of `input`, with None for indices and for whatever has no gradient."""
    if grad_output is None:
        return None
    if is_table(input):
        return [copy_gradient(*pair) for pair in zip(input, grad_output, strict=True)]
    return None if input.dtype.kind in "iub" else grad_output.copy()


def zero_gradient(input: Any) -> Any:
    """Return zeros as the gradient of `input`, with None for indices."""
    return map_table(lambda leaf: None if leaf.dtype.kind in "iub" else np.zeros(leaf.shape, leaf.dtype), input)


def signature(table: Any) -> Any:
    """Return what must agree between a forward and its backward: the nested (shape, element type)s."""
    if is_table(table):
        block = block_of(table)
        if block is not None:
            return [(block.shape[1:], block.dtype)] * len(table)
        return [signature(element) for element in table]
    return None if table is None else (getattr(table, "shape", None), getattr(table, "dtype", type(table)))


def copy_table(table: Any) -> Any:
    """Return a table of copies."""
    return map_table(lambda array: None if array is None else np.array(array), table)


class _Steps(list):
    """The steps of an array as a list of views, which is an array again without a look at where the views are."""

    def __init__(self, block: Array) -> None:
        super().__init__(block)
        self.block, self._views = block, tuple(self)

    def are_intact(self) -> bool:
        """Whether the list still holds what it was made of."""
        if len(self) != len(self._views) or not all(map(operator.is_, self, self._views)):
            return False
        return [view.shape for view in self] == [self.block.shape[1:]] * len(self)

    def __reduce__(self) -> Any:
        """A copy is a plain list: its steps are no views of the block."""
        return list, (list(self),)


def block_of(table: Any) -> Array | None:
    """Return the array that a table of steps was made of, if it was, and is still its steps."""
    return table.block if isinstance(table, _Steps) and table.are_intact() else None


def stack_steps(sequence: Any) -> Any:
    """Return a table of steps as arrays with a leading time axis; an array is such a sequence already.

    Steps that are views of one block, one after the other, are not copied. If the steps are tables, the result is a
    table of arrays of all steps.
    """
    if not is_table(sequence):
        return sequence
    block = block_of(sequence)
    if block is not None:
        return block
    first = sequence[0]
    if first is None:
        return None
    if is_table(first):
        return [stack_steps([step[k] for step in sequence]) for k in range(len(first))]
    # a look at where they are takes longer than a small copy
    block = _found_block(sequence) if getattr(first, "nbytes", 0) * len(sequence) > SMALL else None
    if block is None:
        are_alike = all(type(step) is np.ndarray and step.shape == first.shape for step in sequence)
        return np.array(sequence) if are_alike else np.stack(sequence)  # the former is quicker
    return block


def _found_block(steps: Sequence[Any]) -> Array | None:
    """Return the array whose rows the steps are, if they are views of one block of memory at equal distances."""
    first = steps[0]
    owner = first.base if isinstance(first, np.ndarray) else None
    if not isinstance(owner, np.ndarray) or not owner.flags.c_contiguous:
        return None
    kind = first.dtype, first.shape, first.strides
    addresses = []
    for step in steps:
        if not isinstance(step, np.ndarray) or step.base is not owner:
            return None
        if (step.dtype, step.shape, step.strides) != kind:
            return None
        addresses.append(step.__array_interface__["data"][0])
    start, distance = addresses[0], addresses[1] - addresses[0] if len(steps) > 1 else first.nbytes
    if distance <= 0 or addresses != list(range(start, start + distance * len(steps), distance)):
        return None
    offset = start - owner.__array_interface__["data"][0]
    return np.ndarray((len(steps), *first.shape), first.dtype, owner, offset, (distance, *first.strides))


def split_steps(sequence: Any, length: int) -> list[Any]:
    """Return arrays with a leading time axis as a table of `length` steps, views of the arrays."""
    if sequence is None:
        return [None] * length
    if not is_table(sequence):
        return _Steps(sequence)
    return [step_of(sequence, t) for t in range(length)]


def step_of(sequence: Any, index: int) -> Any:
    """Return step `index` of arrays with a leading time axis."""
    return map_table(lambda array: None if array is None else array[index], sequence)


def length_of(sequence: Any) -> int:
    """Return the number of steps of arrays with a leading time axis."""
    return len(next(leaf for leaf in leaves(sequence) if leaf is not None))
