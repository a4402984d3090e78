"""Torch7's serialised files as plain Python values, from their binary and their ASCII format.

A file holds one value: a number, a string, an array, a table or an object, which is no more than the name of a class
and a table of fields. Nothing in a file is ever executed, and no size in it is believed before it was compared with the
bytes that are left.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Generator
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe

MOST_NESTED = 500_000
"""How many values may lie one inside the other. The nodes of a graph do, each inside the one before it."""
MOST_DIMENSIONS = 32
MOST_REPEATED = 2**31
"""Elements of a tensor that uses elements of its storage more than once."""

_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = range(6)
_FUNCTIONS = (6, 7, 8)
_ELEMENTS = {
    "Byte": "u1",
    "Char": "i1",
    "Short": "i2",
    "Int": "i4",
    "Long": "i8",
    "Half": "f2",
    "Float": "f4",
    "Double": "f8",
}
_ARRAY_CLASS = re.compile(r"torch\.(?:Cuda)?(\w*)(Tensor|Storage)")
_OBJECT_CLASS = re.compile(r"(nn|nngraph|graph)\.\w{1,200}|torch\.AliasMultinomial", re.ASCII)
_PENDING = object()  # what an index refers to while its value is not complete

Routine = Generator[None, Any, Any]
"""What reads a value with others inside: whenever it yields, it is sent the next value of the file."""


class Table(dict[Any, Any]):
    """A table, and where it stands in the file. It is equal to itself only, so that it may be a key of another."""

    __slots__ = ("position",)
    position: int
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def is_list(self) -> bool:
        """Whether its keys are 1 to n."""
        return all(type(key) is int and 1 <= key <= len(self) for key in self)


@dataclass(eq=False)
class TorchObject:
    """An object of one of the original's classes, and where it stands in the file."""

    class_name: str
    position: int
    fields: Table = field(default_factory=Table)


def shown(value: Any) -> str:
    """Return a short description of a plain value."""
    if isinstance(value, TorchObject):
        return value.class_name
    return f"table of {len(value)}" if isinstance(value, Table) else describe(value)[:100]


class Reader:
    """What both formats have in common: values, made of whole numbers, numbers and bytes."""

    smallest: int
    """The fewest bytes that a value takes."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data, self.position = name, data, 0
        self._known: dict[int, tuple[int, Any]] = {}  # by index: the type, and the value

    # ---- what a format is --------------------------------------------------------------------------------------

    def place(self, position: int) -> str:
        """Return the words for a place in the file."""
        raise NotImplementedError

    def whole(self, bits: int = 32) -> int:
        """Read a signed whole number."""
        raise NotImplementedError

    def number(self) -> float:
        """Read a number."""
        raise NotImplementedError

    def raw(self, size: int) -> bytes:
        """Read bytes."""
        raise NotImplementedError

    def elements(self, kind: str, size: int) -> np.ndarray:
        """Read the elements of a storage."""
        raise NotImplementedError

    def skip_padding(self) -> None:
        """Skip what may follow the last value."""

    # ---- values --------------------------------------------------------------------------------------------------

    def refuse(self, got: str, position: int, expects: str, hint: str = "") -> ValueError:
        """Return the error for something at a place of the file."""
        return ValueError(complaint(f"load_torch7({self.name!r})", f"{got} at {self.place(position)}", expects, hint))

    def left(self) -> int:
        """Return the number of bytes that are left."""
        return len(self.data) - self.position

    def size(self, what: str, bits: int = 32, bytes_each: int = 1) -> int:
        """Read how many there are of something, which the bytes that are left must be able to hold."""
        position = self.position
        size = self.whole(bits)
        if not 0 <= size * bytes_each <= self.left():
            raise self.refuse(f"{what} of size {size}", position, f"what fits into the {self.left()} bytes left")
        return size

    def read_file(self) -> Any:
        """Return the one value of the file."""
        if not self.data:
            raise self.refuse("an empty file", 0, "a file written by torch.save")
        value = self._read()
        self.skip_padding()
        if self.left():
            raise self.refuse(f"{self.left()} more bytes after the value", self.position, "the end of the file")
        return value

    def _read(self) -> Any:
        """Read a value and all that is inside, however deep: a stack of routines takes the place of recursion."""
        waiting: list[Routine] = []
        while True:
            position = self.position
            value = self._begin()
            if type(value) is GeneratorType:
                waiting.append(value)
                value = None  # which starts it
            if len(waiting) > MOST_NESTED:
                expects = f"at most {MOST_NESTED}, one inside the other"
                raise self.refuse(f"a value inside {MOST_NESTED} others", position, expects)
            while waiting:
                try:
                    waiting[-1].send(value)
                    break
                except StopIteration as end:
                    waiting.pop()
                    value = end.value
            else:
                return value

    def _begin(self) -> Any:
        """Read a value, or return the routine that reads it."""
        position = self.position
        kind = self.whole()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            number = self.number()
            is_minus_zero = number == 0 and math.copysign(1, number) < 0
            return int(number) if abs(number) < 2**53 and number.is_integer() and not is_minus_zero else number
        if kind == _STRING:
            return self.text("a string")
        if kind == _BOOLEAN:
            flag = self.whole()
            if flag not in (0, 1):
                raise self.refuse(f"the boolean {flag}", position, "0 or 1")
            return bool(flag)
        if kind in (_TABLE, _TORCH):
            return self._reference(kind, position)
        if kind in _FUNCTIONS:
            raise self.refuse("a function", position, "data only: functions are never loaded")
        raise self.refuse(f"a value of the unknown type {kind}", position, "a type from 0 to 5")

    def text(self, what: str) -> str:
        """Read a string."""
        return self.raw(self.size(what)).decode("utf-8", "surrogateescape")

    def _reference(self, kind: int, position: int) -> Any:
        """Return the routine for a table or an object, or one that came before."""
        index = self.whole()
        if index not in self._known:
            self._known[index] = kind, _PENDING
            return self._table(index, position) if kind == _TABLE else self._torch(index, position)
        known_kind, value = self._known[index]
        if known_kind != kind or value is _PENDING:
            expects = "a reference to a table or an object of that type, which came before"
            raise self.refuse(f"a reference to value {index}", position, expects)
        return value

    def _table(self, index: int, position: int) -> Routine:
        table = Table()
        table.position = position
        self._known[index] = _TABLE, table  # it may contain itself
        for _ in range(self.size("a table", bytes_each=2 * self.smallest)):
            position = self.position
            key = yield
            is_key = isinstance(key, str | int | float | Table | TorchObject) and not (
                type(key) is float and key != key
            )
            if not is_key or key in table:
                expects = "strings, numbers, booleans, tables or objects as keys, each once"
                raise self.refuse(f"{shown(key)} as a key of a table", position, expects)
            value = yield
            if value is not None:
                table[key] = value
        return table

    def _torch(self, index: int, position: int) -> Routine:
        version = self.text("the version of a class")
        # the oldest files have no version before the name
        class_name = self.text("the name of a class") if re.fullmatch(r"V \d{1,9}", version) else version
        match = _ARRAY_CLASS.fullmatch(class_name)
        kind = match and _ELEMENTS.get(match[1] or "Float" * ("Cuda" in class_name))
        if match and kind and match[2] == "Storage":
            size = self.size("a storage", 64, np.dtype(kind).itemsize if self.smallest > 1 else 1)
            value: Any = self.elements(kind, size)
        elif match and kind:
            value = yield from self._tensor(class_name, kind, position)
        elif _OBJECT_CLASS.fullmatch(class_name):
            value = TorchObject(class_name, position)
            self._known[index] = _TORCH, value  # it may contain itself
            position = self.position
            value.fields = yield
            if not isinstance(value.fields, Table):
                raise self.refuse(f"{shown(value.fields)} as the fields of a {class_name}", position, "a table")
        else:
            got = f"an object of class {class_name[:200]!r}"
            raise self.refuse(got, position, "tensors, storages and nn.* objects")
        self._known[index] = _TORCH, value
        return value

    def _tensor(self, class_name: str, kind: str, position: int) -> Routine:
        dimensions = self.whole()
        if not 0 <= dimensions <= MOST_DIMENSIONS:
            raise self.refuse(f"a tensor of {dimensions} dimensions", position, f"0 to {MOST_DIMENSIONS} of them")
        shape = [self.whole(64) for _ in range(dimensions)]
        strides = [self.whole(64) for _ in range(dimensions)]
        first = self.whole(64) - 1  # counted from 1
        at_storage = self.position
        storage = yield
        if storage is None:
            storage = np.zeros(0, kind)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != kind:
            raise self.refuse(f"{shown(storage)} in a {class_name}", at_storage, f"a storage of {np.dtype(kind)}")
        if not shape:
            return np.zeros(0, kind)
        last = first + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        is_inside = min(shape) >= 1 and min(strides) >= 0 and 0 <= first <= last < storage.size
        if not is_inside or math.prod(shape) > max(storage.size, MOST_REPEATED):
            got = f"a tensor of sizes {shape} and strides {strides} from element {first + 1}"
            raise self.refuse(got, position, f"one inside its storage of {storage.size} elements")
        # a dimension of size 1 may have any stride, even one that NumPy could not hold
        steps = [min(stride, storage.size) * storage.itemsize for stride in strides]
        view = np.ndarray(tuple(shape), storage.dtype, storage, first * storage.itemsize, tuple(steps))
        view.flags.writeable = not _repeats(shape, strides)
        return view


def _repeats(shape: list[int], strides: list[int]) -> bool:
    """Whether two elements of a tensor may be one element of its storage."""
    reach = 0
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1):
        if stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def reader_of(name: str, data: bytes) -> Reader:
    """Return what reads a file of this name and content."""
    is_ascii = data[:1].isdigit()  # a binary file begins with the number 0 to 8 in four bytes
    return _AsciiReader(name, data) if is_ascii else _BinaryReader(name, data)


class _BinaryReader(Reader):
    """The binary format: little-endian, whole numbers of 32 or 64 bits, numbers of 64."""

    smallest = 4

    def place(self, position: int) -> str:
        return f"byte {position}"

    def raw(self, size: int) -> bytes:
        if size > self.left():
            raise self.refuse("the end of the file", len(self.data), f"{size} bytes from byte {self.position}")
        self.position += size
        return self.data[self.position - size : self.position]

    def whole(self, bits: int = 32) -> int:
        return int.from_bytes(self.raw(bits // 8), "little", signed=True)

    def number(self) -> float:
        return struct.unpack("<d", self.raw(8))[0]

    def elements(self, kind: str, size: int) -> np.ndarray:
        return np.frombuffer(self.raw(size * np.dtype(kind).itemsize), f"<{kind}").astype(kind)


_SPACE = re.compile(rb"[ \t\n\v\f\r]*")
_WHOLE = re.compile(rb"[+-]?\d{1,19}(?=[ \t\n\v\f\r])")  # a number that ends with the file may be cut off
_NUMBER_TEXT = re.compile(rb"[-+.\deinfa]{1,400}(?=[ \t\n\v\f\r])", re.IGNORECASE)
_ROW = re.compile(rb"[-+.\deinfa ]*", re.IGNORECASE)


class _AsciiReader(Reader):
    """The ASCII format: numbers in decimal, and one newline after each number, row of numbers or string."""

    smallest = 1

    def place(self, position: int) -> str:
        """Return the line."""
        return "line {}".format(self.data.count(b"\n", 0, position) + 1)

    def skip_padding(self) -> None:
        """Skip spaces and newlines."""
        self.position = _SPACE.match(self.data, self.position).end()

    def _skip_newline(self) -> None:
        if self.data[self.position : self.position + 1] == b"\n":
            self.position += 1

    def _word(self, pattern: re.Pattern[bytes], expects: str) -> bytes:
        self.skip_padding()
        match = pattern.match(self.data, self.position)
        if match is None:
            got = repr(self.data[self.position : self.position + 20]) if self.left() else "the end of the file"
            raise self.refuse(got, self.position, expects)
        self.position = match.end()
        self._skip_newline()
        return match[0]

    def raw(self, size: int) -> bytes:
        """Read bytes, and the newline after them."""
        if size > self.left():
            raise self.refuse("the end of the file", len(self.data), f"{size} bytes from {self.place(self.position)}")
        start = self.position
        self.position += size
        if size:
            self._skip_newline()
        return self.data[start : start + size]

    def whole(self, bits: int = 32) -> int:
        """Read a whole number in decimal."""
        position = self.position
        value = int(self._word(_WHOLE, "a whole number"))
        if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise self.refuse(f"{value}", position, f"a whole number of {bits} bits")
        return value

    def number(self) -> float:
        """Read a number in decimal, "inf" or "nan"."""
        position = self.position
        text = self._word(_NUMBER_TEXT, "a number")
        try:
            return float(text)
        except ValueError:
            raise self.refuse(repr(text), position, "a number") from None

    def elements(self, kind: str, size: int) -> np.ndarray:
        """Read the row of a storage; bytes are not written in decimal, but as they are."""
        position, dtype = self.position, np.dtype(kind)
        if dtype.itemsize == 1:
            return np.frombuffer(self.raw(size), dtype).copy()
        row = self.data[position : max(self.data.find(b"\n", position), position)] if size else b""
        words = row.split() if _ROW.fullmatch(row) else []
        try:
            numbers = [(float if dtype.kind == "f" else int)(word) for word in words if len(word) <= 40]
        except ValueError:
            numbers = []
        if len(numbers) != size:
            got = f"{row[:40]!r}, a row of {len(words)},"
            raise self.refuse(got, position, f"a row of the {size} numbers of a storage")
        if dtype.kind == "i" and not all(np.iinfo(dtype).min <= n <= np.iinfo(dtype).max for n in numbers):
            raise self.refuse("a number out of range", position, f"numbers of {dtype}")
        self.position += len(row)
        if size:
            self._skip_newline()
        with np.errstate(over="ignore"):
            return np.array(numbers, np.float64 if dtype.kind == "f" else dtype).astype(dtype)
