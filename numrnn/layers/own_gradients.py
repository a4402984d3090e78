"""Gradients that need not be touched as a whole, as long as nobody else looks at them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

NO_ROWS = np.empty(0, np.int64)


class _Handle:
    """What arrays that are handed out look at: it lives as long as the last view of them."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = array.__array_interface__


class OwnGradients(dict):
    """The gradients of a module, by name, which knows where there are zeros.

    Either an array counts as zero as a whole, whatever is in it, or it has zeros outside of some rows. Whoever gets an
    array from here finds it as it should be, and may write to it, now or later. So from then on nothing is known, until
    the array is cleared while nobody holds it, nor a view of it, any more. The module itself takes its arrays from
    `own` or `begin`, and tells with `use` which rows it adds to. An array that is a part of a larger one (see
    `Module.get_parameters`) may be reached through that, and nothing is ever known about it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stale: set[str] = set()  # what counts as zero
        self._rows: dict[str, list[np.ndarray]] = {}  # what has zeros outside of these rows
        self._handles: dict[str, weakref.ref[_Handle]] = {}

    def own(self, name: str) -> np.ndarray:
        """Return an array to its module, which may add to it after `use`."""
        array = super().__getitem__(name)
        if name in self._stale:
            self._stale.remove(name)
            array.fill(0)
        return array

    def begin(self, name: str) -> tuple[np.ndarray, bool]:
        """Return an array to its module, and whether it counts as zero: then the module must write all of it."""
        self._rows.pop(name, None)
        is_stale = name in self._stale
        self._stale.discard(name)
        return super().__getitem__(name), is_stale

    def use(self, name: str, rows: np.ndarray) -> None:
        """Note that the module adds to these rows."""
        known = self._rows.get(name)
        if known is not None:
            known.append(rows.ravel())
            if sum(map(len, known)) > len(super().__getitem__(name)) // 2:  # all take less time than so many
                del self._rows[name]

    def rows(self, name: str) -> np.ndarray | None:
        """Return the rows that may hold something, each once; None if that is not known."""
        known = [NO_ROWS] if name in self._stale else self._rows.get(name)
        return None if known is None else np.unique(np.concatenate([NO_ROWS, *known]))

    def clear(self, name: str) -> None:  # type: ignore[override]
        """Let an array count as zero."""
        array = super().__getitem__(name)
        if array.base is None and self._handle(name) is None:
            self._stale.add(name)
            self._rows.pop(name, None)
        else:
            array.fill(0)

    def clear_rows(self, name: str) -> None:
        """Set an array to zero, and know about its rows from then on."""
        array, known = self.own(name), self._rows.get(name)
        if known is None:
            array.fill(0)
        for rows in known or ():
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
        self._stale.discard(name)
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
        return OwnGradients, (), None, None, _items_of(self)


def _items_of(gradients: OwnGradients) -> Iterator[tuple[str, np.ndarray]]:
    return iter([(name, gradients.own(name)) for name in gradients])
