"""Gradients of which only some rows are in use, as long as nobody else can have written to them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np


class _Handle:
    """What arrays that are handed out look at: it lives as long as the last view of them."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


class RowGradients(dict):
    """The gradients of a module, by name, which knows the rows that may hold something else than zeros.

    Whoever gets an array from here may write to it, now or later. So from then on nothing is known, until the array is
    set to zero while nobody holds it, nor a view of it, any more. The module itself takes its arrays from `own`, and
    tells with `use` which rows it adds to. An array that is a part of a larger one (see `Module.get_parameters`) may be
    reached through that, and nothing is ever known about it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[str, list[np.ndarray]] = {}  # only of arrays of which the rows are known
        self._handles: dict[str, weakref.ref[_Handle]] = {}

    def own(self, name: str) -> np.ndarray:
        """Return an array to its module, which tells what it does with it."""
        return super().__getitem__(name)

    def use(self, name: str, rows: np.ndarray) -> None:
        """Note that the module adds to these rows."""
        known = self._rows.get(name)
        if known is not None:
            known.append(rows.ravel())
            if sum(map(len, known)) > len(self.own(name)) // 2:  # all of them take less time than so many
                del self._rows[name]

    def rows(self, name: str) -> np.ndarray | None:
        """Return the rows that may hold something, each once; None if that is not known."""
        known = self._rows.get(name)
        if known is None:
            return None
        return np.unique(np.concatenate(known)) if known else np.empty(0, np.int64)

    def clear(self, name: str) -> None:  # type: ignore[override]
        """Set an array to zero."""
        array, rows = self.own(name), self.rows(name)
        if rows is None:
            array.fill(0)
        else:
            array[rows] = 0
        if array.base is None and self._handle(name) is None:
            self._rows[name] = []

    def _handle(self, name: str) -> _Handle | None:
        reference = self._handles.get(name)
        return None if reference is None else reference()

    # ---- for everybody else --------------------------------------------------------------------------------------

    def __getitem__(self, name: str) -> np.ndarray:
        array = self.own(name)
        self._rows.pop(name, None)
        if array.base is not None:
            return array
        handle = self._handle(name) or _Handle(array)
        self._handles[name] = weakref.ref(handle)
        return np.asarray(handle)

    def __setitem__(self, name: str, array: np.ndarray) -> None:
        super().__setitem__(name, array)
        self._rows.pop(name, None)
        self._handles.pop(name, None)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an array, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default

    def values(self) -> list[np.ndarray]:  # type: ignore[override]
        """Return the arrays."""
        return [self[name] for name in self]

    def items(self) -> list[tuple[str, np.ndarray]]:  # type: ignore[override]
        """Return names and arrays."""
        return [(name, self[name]) for name in self]

    def __reduce__(self) -> Any:
        """A copy knows nothing."""
        return RowGradients, (), None, None, _items_of(self)


def _items_of(gradients: RowGradients) -> Iterator[tuple[str, np.ndarray]]:
    return iter([(name, gradients.own(name)) for name in gradients])
