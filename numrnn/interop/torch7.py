"""Torch7's serialised files (`.t7`), binary and ASCII: a reader that trusts nothing in the file.

A file is read in two layers. A `_Reader` turns its bytes into numbers, strings, arrays, tables and objects; an object
is no more than the name of a class and a dict of fields. Then `_Making` turns the objects into numrnn's modules, with
the makers at the end of this file. Nothing in a file is ever executed, and no size in it is believed before it was
compared with the bytes that are left.
"""

from __future__ import annotations

import inspect
import math
import os
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe

DEEPEST = 200
"""How many values may lie one inside the other."""
MOST_DIMENSIONS = 32
MOST_REPEATED = 2**31
"""Elements of a tensor that uses elements of its storage more than once."""
MOST_COPIES = 64
"""How many times the file's own size its parameters may take, which happens only where modules share storages."""


def load_torch7(path: str | os.PathLike[str]) -> Any:
    r"""Return what a file written by Torch7's `torch.save` holds, from its binary or its ASCII format.

    Parameters
    ----------
    path : str or path
        The file, usually named `*.t7`.

    Returns
    -------
    object
        Of the file's one value,

        * tensors and storages are NumPy arrays of their element type, with the tensor's own strides. Tensors with a
          common storage are views of one array. If elements of a storage are used more than once, as after `expand`,
          the array is read-only;
        * tables are lists if their keys are 1 to n (so an empty one is), else dicts;
        * numbers are int if they are whole, else float; strings, booleans and nil are str, bool and None. Bytes of a
          string that are not UTF-8 are kept as surrogates;
        * objects of the classes `nn.*` are numrnn's modules and criterions, with copies of the parameters in their
          element type, in the training or evaluate mode that they were saved in, and at the start of a sequence.
          Indices and dimensions are counted from 0 then.

        What is one object in the file is one here. But modules that share no more than a parameter get a copy each.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, cut off or goes on after the value, or if it holds a function or anything of a class
        that numrnn does not have or cannot make from it. The message names the file and the place in it.

    Examples
    --------
    >>> import numrnn as nr, os, tempfile
    >>> text = "3 1 2 2 4 size 1 6 2 5 flags 3 2 2 1 1 5 1 1 2 5 0 "
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ascii.t7")
    ...     with open(path, "w", newline="") as file:
    ...         _ = file.write(text.replace(" ", "\n"))
    ...     nr.interop.load_torch7(path)
    {'size': 6, 'flags': [True, False]}
    """
    name, data = os.fspath(path), Path(path).read_bytes()
    is_ascii = data[:1].isdigit()  # a binary file begins with the number 0 to 8 in four bytes
    reader = (_AsciiReader if is_ascii else _BinaryReader)(name, data)
    try:
        return _Making(reader, reader.read_file()).result()
    except RecursionError as error:  # only where little of Python's stack is left
        raise reader.refuse("values too deep inside others", reader.position, "fewer levels") from error


# ---- from bytes to plain objects ---------------------------------------------------------------------------------

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
_PENDING = object()  # what an index refers to while its value is not complete


@dataclass(eq=False)
class _Object:
    """An object of one of the original's classes, where it stands in the file."""

    class_name: str
    position: int
    fields: dict[Any, Any] = field(default_factory=dict)


class _Reader:
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
        value = self.read(0)
        self.skip_padding()
        if self.left():
            raise self.refuse(f"{self.left()} more bytes after the value", self.position, "the end of the file")
        return value

    def read(self, depth: int) -> Any:
        """Read a value that lies inside `depth` others."""
        position = self.position
        kind = self.whole()
        if depth > DEEPEST:
            raise self.refuse(f"a value inside {depth} others", position, f"at most {DEEPEST}, one inside the other")
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
            return self._reference(kind, depth, position)
        if kind in _FUNCTIONS:
            raise self.refuse("a function", position, "data only: functions are never loaded")
        raise self.refuse(f"a value of the unknown type {kind}", position, "a type from 0 to 5")

    def text(self, what: str) -> str:
        """Read a string."""
        return self.raw(self.size(what)).decode("utf-8", "surrogateescape")

    def _reference(self, kind: int, depth: int, position: int) -> Any:
        """Read a table or an object; or the index of one that came before."""
        index = self.whole()
        if index not in self._known:
            self._known[index] = kind, _PENDING
            value = self._table(index, depth) if kind == _TABLE else self._torch(index, depth, position)
            self._known[index] = kind, value
            return value
        known_kind, value = self._known[index]
        if known_kind != kind or value is _PENDING:
            expects = "a reference to a table or an object of that type, which came before"
            raise self.refuse(f"a reference to value {index}", position, expects)
        return value

    def _table(self, index: int, depth: int) -> dict[Any, Any]:
        table: dict[Any, Any] = {}
        self._known[index] = _TABLE, table  # it may contain itself
        for _ in range(self.size("a table", bytes_each=2 * self.smallest)):
            position = self.position
            key = self.read(depth + 1)
            if not isinstance(key, str | bool | int | float) or key != key or key in table:
                expects = "strings, numbers or booleans as keys, each once"
                raise self.refuse(f"{_shown(key)} as a key of a table", position, expects)
            value = self.read(depth + 1)
            if value is not None:
                table[key] = value
        return table

    def _torch(self, index: int, depth: int, position: int) -> Any:
        version = self.text("the version of a class")
        # the oldest files have no version before the name
        class_name = self.text("the name of a class") if re.fullmatch(r"V \d{1,9}", version) else version
        match = _ARRAY_CLASS.fullmatch(class_name)
        kind = match and _ELEMENTS.get(match[1] or "Float" * ("Cuda" in class_name))
        if match and kind:
            return self._storage(kind) if match[2] == "Storage" else self._tensor(class_name, kind, depth, position)
        if not re.fullmatch(r"(nn|nngraph|graph)\.\w{1,200}", class_name, re.ASCII):
            got = f"an object of class {class_name[:200]!r}"
            raise self.refuse(got, position, "tensors, storages and nn.* objects")
        made = _Object(class_name, position)
        self._known[index] = _TORCH, made  # it may contain itself
        position = self.position
        fields = self.read(depth + 1)
        if not isinstance(fields, dict):
            raise self.refuse(f"{_shown(fields)} as the fields of a {class_name}", position, "a table")
        made.fields = fields
        return made

    def _storage(self, kind: str) -> np.ndarray:
        return self.elements(kind, self.size("a storage", 64, np.dtype(kind).itemsize if self.smallest > 1 else 1))

    def _tensor(self, class_name: str, kind: str, depth: int, position: int) -> np.ndarray:
        dimensions = self.whole()
        if not 0 <= dimensions <= MOST_DIMENSIONS:
            raise self.refuse(f"a tensor of {dimensions} dimensions", position, f"0 to {MOST_DIMENSIONS} of them")
        shape = [self.whole(64) for _ in range(dimensions)]
        strides = [self.whole(64) for _ in range(dimensions)]
        first = self.whole(64) - 1  # counted from 1
        at_storage = self.position
        storage = self.read(depth + 1)
        if storage is None:
            storage = np.zeros(0, kind)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != kind:
            raise self.refuse(f"{_shown(storage)} in a {class_name}", at_storage, f"a storage of {np.dtype(kind)}")
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


def _shown(value: Any) -> str:
    """Return a short description of a plain value."""
    if isinstance(value, _Object):
        return value.class_name
    return f"table of {len(value)}" if isinstance(value, dict) else describe(value)[:100]


def _repeats(shape: list[int], strides: list[int]) -> bool:
    """Whether two elements of a tensor may be one element of its storage."""
    reach = 0
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size > 1):
        if stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


class _BinaryReader(_Reader):
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


class _AsciiReader(_Reader):
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


# ---- from plain objects to modules -------------------------------------------------------------------------------


class _Making:
    """Makes what a file holds, each object once."""

    def __init__(self, reader: _Reader, value: Any) -> None:
        self._reader, self._value = reader, value
        self._made: dict[int, Any] = {}  # by the id of the plain value
        self._modes: list[tuple[Any, bool]] = []  # modules, and whether they are in training mode; parts come first
        self._budget = MOST_COPIES * len(reader.data)

    def result(self) -> Any:
        """Return the file's value."""
        made = self.make(self._value, _Object("", 0), 0)
        for module, is_training in reversed(self._modes):
            module.training() if is_training else module.evaluate()
        return made

    def make(self, value: Any, owner: _Object, depth: int) -> Any:
        """Return what a plain value stands for."""
        if not isinstance(value, _Object | dict):
            return value
        if depth > DEEPEST:
            raise self.refuse(owner, f"a value inside {depth} others", f"at most {DEEPEST}, one inside the other")
        made = self._made.get(id(value))
        if made is _PENDING:
            raise self.refuse(owner, f"a {value.class_name} inside itself", "modules made of others")
        if made is None:
            if isinstance(value, dict):
                return self._table(value, owner, depth)
            self._made[id(value)] = _PENDING
            self._made[id(value)] = made = self._module(value, depth)
        return made

    def _table(self, table: dict[Any, Any], owner: _Object, depth: int) -> Any:
        if all(type(key) is int and 1 <= key <= len(table) for key in table):
            made = self._made[id(table)] = [None] * len(table)
            entries: Iterable[tuple[Any, Any]] = ((key - 1, value) for key, value in table.items())
        else:
            made = self._made[id(table)] = {}
            entries = table.items()
        for key, value in entries:
            made[key] = self.make(value, owner, depth + 1)
        return made

    def _module(self, value: _Object, depth: int) -> Any:
        own = _Own(self, value, depth)
        own.class_of(own.name)
        made = _MAKERS.get(own.name, _plain)(own)
        if isinstance(value.fields.get("train"), bool) and hasattr(made, "training"):
            self._modes.append((made, value.fields["train"]))
        if own.text("_remember", "neither") != "neither":
            own.call(made, "remember", own.text("_remember", "neither"))
        return made

    def refuse(self, value: _Object, got: str, expects: str, hint: str = "") -> ValueError:
        """Return the error for something in an object."""
        return self._reader.refuse(got, value.position, expects, hint)

    def spend(self, value: _Object, size: int) -> None:
        """Note that parameters take memory, as much as a file of this size may."""
        self._budget -= size
        if self._budget < 0:
            expects = f"parameters of at most {MOST_COPIES} times the size of the file"
            raise self.refuse(value, f"modules that share their storages, up to {value.class_name},", expects)


class _Own:
    """An object's own fields, as a maker asks for them; what nobody asks for (buffers, clones) is left alone."""

    def __init__(self, making: _Making, value: _Object, depth: int) -> None:
        self._making, self._value, self._depth = making, value, depth
        self.name, self.fields = value.class_name.removeprefix("nn."), value.fields

    def refuse(self, got: str, expects: str, hint: str = "") -> ValueError:
        """Return the error for something in this object."""
        return self._making.refuse(self._value, f"{self._value.class_name} with {got},", expects, hint)

    def _field(self, name: str, default: Any, kinds: Any, expects: str) -> Any:
        value = self.fields.get(name, default)
        if value is None and default is None:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            raise self.refuse(f"{name} = {_shown(value)}", expects)
        return value

    def number(self, name: str, default: float | None = None) -> Any:
        """Return a number."""
        return self._field(name, default, int | float, "a number")

    def whole(self, name: str, default: int | None = None) -> Any:
        """Return a whole number."""
        return self._field(name, default, int, "a whole number")

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean."""
        return self._field(name, default, bool, "a boolean")

    def text(self, name: str, default: str) -> str:
        """Return a string."""
        return self._field(name, default, str, "a string")

    def index(self, name: str) -> int:
        """Return a position, which the file counts from 1 or from the end, as counted from 0."""
        return self.position(name, self.fields.get(name))

    def position(self, name: str, value: Any) -> int:
        """Return the position `value`, as counted from 0."""
        if isinstance(value, bool) or not isinstance(value, int) or not value:
            raise self.refuse(f"{name} = {_shown(value)}", "a position from 1, or from the end")
        return value if value < 0 else value - 1

    def axis(self, name: str = "dimension", sample: str = "nInputDims", more: int = 0) -> int:
        """Return a dimension as an axis, counted from the end if the file says how many dimensions a sample has."""
        return self.axis_of(name, self.fields.get(name), sample, more)

    def axis_of(self, name: str, value: Any, sample: str, more: int = 0) -> int:
        """Return the axis for the dimension `value`; an output may have `more` of them than the sample."""
        axis, dimensions = self.position(name, value), self.whole(sample, 0)
        if axis < 0 or dimensions <= 0:
            return axis
        if axis >= dimensions + more:
            raise self.refuse(f"{name} = {axis + 1} of {dimensions}", "a dimension that there is")
        return axis - dimensions - more

    def array(self, name: str, *dimensions: int) -> np.ndarray:
        """Return an array that has one of these numbers of dimensions."""
        value = self.fields.get(name)
        if not isinstance(value, np.ndarray) or value.ndim not in dimensions or not value.size:
            expects = f"a tensor of {' or '.join(map(str, dimensions))} dimension(s)"
            raise self.refuse(f"{name} = {_shown(value)}", expects)
        return self._distinct(name, value)

    def _distinct(self, name: str, array: np.ndarray) -> np.ndarray:
        """Return the array, which may not be larger than its storage."""
        if not array.flags.writeable:
            raise self.refuse(f"{name} that repeats elements of its storage", "a place of its own for each element")
        return array

    def sizes(self, name: str) -> list[int]:
        """Return the elements of a storage of sizes."""
        value = self.fields.get(name)
        is_storage = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "i"
        if not is_storage or value.size > MOST_DIMENSIONS:
            raise self.refuse(f"{name} = {_shown(value)}", "a storage of sizes")
        return value.tolist()

    def part(self, name: str) -> Any:
        """Return the module or criterion in a field."""
        return self._made(self.object(name))

    def _made(self, value: _Object) -> Any:
        return self._making.make(value, self._value, self._depth + 3)  # the object, its fields, a table of modules

    def with_fields_of(self, name: str) -> _Own:
        """Return this object with the fields of the one in a field of it."""
        fields = self.object(name).fields
        return _Own(self._making, _Object(self._value.class_name, self._value.position, fields), self._depth)

    def object(self, name: str) -> _Object:
        """Return the object in a field as it is in the file."""
        value = self.fields.get(name)
        if not isinstance(value, _Object):
            raise self.refuse(f"{name} = {_shown(value)}", "an object")
        return value

    def part_of_recursor(self, name: str) -> Any:
        """Return the module in a field, out of the Recursor if it is inside one."""
        value = self.object(name)
        inner = value.fields.get("recurrentModule") if value.class_name == "nn.Recursor" else value
        return self._made(inner if isinstance(inner, _Object) else value)

    def masked_step(self, name: str) -> tuple[_Object, list[tuple[str, int]]]:
        """Return the object in a field without the masks around it, and the methods that put them there."""
        value, masks = self.object(name), []
        while method := {"nn.MaskZero": "mask_zero", "nn.TrimZero": "trim_zero"}.get(value.class_name):
            dimensions, inner = value.fields.get("nInputDim"), self._objects(value)
            if not isinstance(dimensions, int) or len(inner) != 1 or len(masks) >= 1:
                raise self.refuse(f"{name} in a {value.class_name} of another kind", "one module, masked once")
            masks.append((method, dimensions))
            value = inner[0]
        return value, masks

    def given_rho(self) -> dict[str, int]:
        """Return `rho` as an option, if there is one."""
        return {} if self.whole("rho") is None else {"rho": self.whole("rho")}

    def parts(self, name: str = "modules") -> list[Any]:
        """Return the modules or criterions in a field."""
        return [self._made(value) for value in self._objects(self._value, name)]

    def _objects(self, owner: _Object, name: str = "modules") -> list[_Object]:
        table = owner.fields.get(name, {})
        objects = [table.get(k + 1) for k in range(len(table))] if isinstance(table, dict) else [None]
        if not all(isinstance(value, _Object) for value in objects):
            raise self.refuse(f"{name} = {_shown(table)}", "a table of objects")
        return objects

    def parameters(self, owner: _Object) -> list[np.ndarray]:
        """Return the arrays that the original's `parameters()` would, of an object that is made of others."""
        found: list[np.ndarray] = []
        waiting, seen = [owner], set()
        while waiting:
            value = waiting.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if "modules" in value.fields:
                waiting += self._objects(value)[::-1]
                continue
            for name in ("weight", "bias"):
                array = value.fields.get(name)
                if isinstance(array, np.ndarray) and array.size:
                    found.append(self._distinct(name, array))
        return found

    def expect_shapes(self, arrays: list[np.ndarray], shapes: list[tuple[int, ...]]) -> None:
        """Raise an error unless the arrays have these shapes."""
        if [array.shape for array in arrays] != shapes:
            raise self.refuse(f"parameters of shapes {_listed(a.shape for a in arrays)}", f"shapes {_listed(shapes)}")

    def class_of(self, name: str) -> Any:
        """Return numrnn's class of this name."""
        import numrnn

        made = getattr(numrnn, name, None)
        is_known = inspect.isclass(made) and issubclass(made, numrnn.Module | numrnn.Criterion)
        if not is_known or name in _ABSTRACT or not self._value.class_name.startswith("nn."):
            got = f"an object of class {self._value.class_name!r}"
            raise self._making.refuse(self._value, got, "a class that numrnn has, too")
        return made

    def make(self, name: str, *args: Any, parameters: Iterable[np.ndarray] = (), **options: Any) -> Any:
        """Return an object of numrnn's class of this name, with copies of these parameters, in order."""
        made = self.class_of(name)
        arrays = list(parameters)
        dtype = self._dtype(arrays)
        self._making.spend(self._value, 2 * sum(array.nbytes for array in arrays))
        try:
            module = made(*args, **options)
        except (IndexError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise self.refuse(f"arguments that numrnn refuses ({error})", f"what numrnn.{name} takes") from error
        if arrays:
            module.astype(dtype)
        own = [] if _has_parts(args, options) or not hasattr(module, "parameters") else module.parameters()[0]
        self.expect_shapes(arrays, [parameter.shape for parameter in own])
        for parameter, array in zip(own, arrays, strict=True):
            parameter[...] = array
        if arrays:
            module.parameters_changed()
        return module

    def _dtype(self, arrays: list[np.ndarray]) -> np.dtype:
        dtypes = {np.dtype("f4") if array.dtype == "f2" else array.dtype for array in arrays}
        if len(dtypes) > 1 or not dtypes <= {np.dtype("f4"), np.dtype("f8")}:
            raise self.refuse(f"parameters of {_listed(sorted(map(str, dtypes)))}", "float32 or float64")
        return next(iter(dtypes), np.dtype("f4"))

    def call(self, module: Any, method: str, *args: Any) -> None:
        """Call a method that the module may lack."""
        if not hasattr(module, method):
            raise self.refuse(f"what needs {method}", f"a numrnn.{type(module).__name__} that has it")
        try:
            getattr(module, method)(*args)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise self.refuse(f"{method}{args} that numrnn refuses ({error})", "what it takes") from error


def _listed(items: Iterable[Any]) -> str:
    words = [str(item) for item in items]
    return ", ".join(words[:20]) + (", ..." if len(words) > 20 else "") or "none"


def _has_parts(args: tuple[Any, ...], options: dict[str, Any]) -> bool:
    """Whether an object is made of others, which have their parameters already."""
    return any(hasattr(value, "parameters") for value in (*args, *options.values()))


# ---- the classes -------------------------------------------------------------------------------------------------

_Maker = Callable[[_Own], Any]

_ABSTRACT = {"AbstractRecurrent", "AbstractSequencer", "Cell", "Container", "Criterion", "Graph", "Module"}
_PASSIVE = {"train", "inplace", "gradInput", "output", "_type"}
"""Fields that tell nothing about what a module computes."""


def _plain(own: _Own) -> Any:
    """Make an object without arguments or parameters: any class that has the same name in both libraries."""
    for name, value in own.fields.items():
        is_passive = not isinstance(name, str) or name in _PASSIVE or name.startswith(("_", "dpnn_"))
        tells = isinstance(value, bool | int | float | str | _Object) or name in ("weight", "bias", "modules")
        if tells and not is_passive:
            raise own.refuse(f"{name!r}", "no such field", f"load_torch7 does not know how {own.name} uses it")
    return own.make(own.name)


def _with(_name: str = "", **arguments: str | tuple[str, Any]) -> _Maker:
    """Return a maker for a class with arguments: the names of fields, with the values that may be left out."""

    def make(own: _Own) -> Any:
        options = {}
        for argument, name in arguments.items():
            name, default = (name, None) if isinstance(name, str) else name
            read = own.flag if isinstance(default, bool) else own.number
            value = read(name, default)
            if value is None or value != default:
                options[argument] = value
        return own.make(_name or own.name, **options)

    return make


def _made_of_parts(own: _Own) -> Any:
    return own.make(own.name, *own.parts())


def _linear(own: _Own) -> Any:
    weight = own.array("weight", 2)
    output_size, input_size = weight.shape
    if own.name == "LinearNoBias" or "bias" not in own.fields:
        return own.make("LinearNoBias", input_size, output_size, parameters=[weight])
    return own.make("Linear", input_size, output_size, parameters=[weight, own.array("bias", 1)])


def _bilinear(own: _Own) -> Any:
    weight = own.array("weight", 3)
    output_size, *input_sizes = weight.shape
    bias = [own.array("bias", 1)] if "bias" in own.fields else []
    return own.make("Bilinear", *input_sizes, output_size, bias=bool(bias), parameters=[weight, *bias])


def _lookup_table(own: _Own) -> Any:
    weight = own.array("weight", 2)
    options: dict[str, Any] = {}
    if own.whole("paddingValue", 0):
        options["padding_value"] = own.index("paddingValue")
    if "maxNorm" in own.fields:
        options |= {"max_norm": own.number("maxNorm"), "norm_type": own.number("normType", 2)}
    if own.flag("shouldScaleGradByFreq"):
        options["scale_grad_by_frequency"] = True
    rows = len(weight) - (own.name == "LookupTableMaskZero")
    return own.make(own.name, rows, weight.shape[1], parameters=[weight], **options)


def _add(own: _Own) -> Any:
    bias = own.array("bias", 1)
    if own.flag("scalar"):
        raise own.refuse("one bias for all features", "a bias for each")
    return own.make("Add", bias.size, parameters=[bias])


def _c_mul(own: _Own) -> Any:
    weight = own.array("weight", *range(1, MOST_DIMENSIONS))
    while weight.ndim > 1 and len(weight) == 1:
        weight = weight[0]
    return own.make("CMul", *weight.shape, parameters=[weight])


def _mul(own: _Own) -> Any:
    return own.make("Mul", parameters=[own.array("weight", 1)])


def _prelu(own: _Own) -> Any:
    weight, size = own.array("weight", 1), own.whole("nOutputPlane", 0)
    if size not in (0, weight.size):
        raise own.refuse(f"nOutputPlane = {size}", f"0, or the {weight.size} weights there are")
    return own.make("PReLU", size, parameters=[weight])


def _batch_normalization(own: _Own) -> Any:
    mean, variance = own.array("running_mean", 1), own.array("running_var", 1)
    own.expect_shapes([variance], [mean.shape])
    parameters = [own.array("weight", 1), own.array("bias", 1)] if "weight" in own.fields else []
    own.expect_shapes(parameters, [mean.shape] * len(parameters))
    options = {"eps": own.number("eps", 1e-5), "momentum": own.number("momentum", 0.1), "affine": bool(parameters)}
    module = own.make("BatchNormalization", mean.size, parameters=parameters, **options)
    own.call(module, "astype", mean.dtype)
    module.running_mean, module.running_var = mean, variance
    return module


def _dropout(own: _Own) -> Any:
    if not own.flag("v2", True) and own.number("p", 0.5):
        raise own.refuse("outputs that are scaled in evaluate mode", "a version 2, which scales them in training")
    return _with(p=("p", 0.5), lazy=("lazy", False), mono=("mono", False))(own)


def _relu(own: _Own) -> Any:
    if own.number("threshold", 0) or own.number("val", 0):
        raise own.refuse("a threshold other than 0", "none")
    return own.make("ReLU")


def _soft_plus(own: _Own) -> Any:
    if own.number("threshold", 20) != 20:
        raise own.refuse(f"threshold = {own.number('threshold')}", "20")
    return _with(beta=("beta", 1))(own)


def _sqrt(own: _Own) -> Any:
    if own.number("eps", 0):
        raise own.refuse(f"eps = {own.number('eps')}", "0")
    return own.make("Sqrt")


def _on_axis(own: _Own) -> Any:
    return own.make(own.name, own.axis())


def _reduction(own: _Own) -> Any:
    options: dict[str, Any] = {}
    if own.name == "Sum" and own.flag("sizeAverage"):
        options["size_average"] = True
    if not own.flag("squeeze", True):
        options["squeeze"] = False
    return own.make(own.name, own.axis(), **options)


def _squeeze(own: _Own) -> Any:
    return own.make("Squeeze", own.axis("dim", "numInputDims"))


def _unsqueeze(own: _Own) -> Any:
    return own.make("Unsqueeze", own.axis("pos", "numInputDims", more=1))


def _padding(own: _Own) -> Any:
    if own.whole("index", 1) != 1:
        raise own.refuse(f"index = {own.whole('index')}", "padding at an end of the axis")
    return own.make("Padding", own.axis("dim", "nInputDim"), own.whole("pad"), own.number("value", 0))


def _select(own: _Own) -> Any:
    return own.make("Select", own.axis(), own.index("index"))


def _narrow(own: _Own) -> Any:
    return own.make("Narrow", own.axis(), own.index("index"), own.whole("length", 1))


def _reshape(own: _Own) -> Any:
    sizes = own.sizes("size")
    if own.name == "Reshape":
        keeps = own.flag("batchMode") if "batchMode" in own.fields else None
        return own.make("Reshape", *sizes, batch=keeps)
    if "numInputDims" in own.fields:
        return own.make("View", *sizes, n_input_dims=own.whole("numInputDims"))
    # Without a -1, rows of a batch that have as many elements as the sizes say stay rows.
    return own.make("View" if -1 in sizes else "Reshape", *sizes)


def _transpose(own: _Own) -> Any:
    pairs = own.fields.get("permutations")
    swaps = [pairs.get(k + 1) for k in range(len(pairs))] if isinstance(pairs, dict) else [None]
    if not all(isinstance(swap, dict) and set(swap) == {1, 2} for swap in swaps):
        raise own.refuse(f"permutations = {_shown(pairs)}", "a table of pairs")
    axes = [[own.axis_of("permutations", swap[k], "numInputDims") for k in (1, 2)] for swap in swaps]
    return own.make("Transpose", *map(tuple, axes))


def _join_table(own: _Own) -> Any:
    return own.make("JoinTable", own.axis())


def _select_table(own: _Own) -> Any:
    return own.make("SelectTable", own.index("index"))


def _narrow_table(own: _Own) -> Any:
    return own.make("NarrowTable", own.index("offset"), own.whole("length", 1))


def _mixture_table(own: _Own) -> Any:
    if own.whole("dim", 2) != 2:
        raise own.refuse(f"dim = {own.whole('dim')}", "2, features of a batch")
    return own.make("MixtureTable")


def _map_table(own: _Own) -> Any:
    return own.make("MapTable", own.part("module"))


def _concat(own: _Own) -> Any:
    return own.make("Concat", own.axis(), *own.parts())


# ---- recurrent modules and sequences -----------------------------------------------------------------------------


def _cell(own: _Own) -> Any:
    """Make a cell from the parameters of the modules that its step is made of, in the order of `parameters()`."""
    step, masks = own.masked_step("recurrentModule")
    options: dict[str, Any] = own.given_rho()
    if own.number("p", 0):
        options |= {"p": own.number("p")} | ({"mono": True} if own.flag("mono") else {})
    arrays = own.parameters(step)
    if not arrays or arrays[0].ndim != 2:
        raise own.refuse(f"parameters of shapes {_listed(a.shape for a in arrays)}", "a matrix first")
    made = _CELLS[own.name](own, arrays, options)
    for method, dimensions in masks:
        own.call(made, method, dimensions)
    _set_start_state(own, made)
    return made


def _set_start_state(own: _Own, made: Any) -> None:
    names = ("userPrevOutput",) if own.name == "GRU" else ("userPrevOutput", "userPrevCell")
    arrays = [own.array(name, 1, 2) if name in own.fields else None for name in names]
    if any(array is not None for array in arrays):
        own.call(made, "set_hidden_state", 0, [None if a is None else a.astype(made.dtype) for a in arrays])


def _gate(input_size: int, size: int, peephole: bool = False) -> list[tuple[int, ...]]:
    return [(size, input_size), (size,), (size, size)] + [(size,)] * peephole


def _lstm(own: _Own, arrays: list[np.ndarray], options: dict[str, Any]) -> Any:
    size, input_size = arrays[0].shape
    peepholes = own.flag("cell2gate", True)
    gate = _gate(input_size, size, peepholes)
    own.expect_shapes(arrays, gate + gate + _gate(input_size, size) + gate)
    return own.make("LSTM", input_size, size, cell2gate=peepholes, parameters=arrays, **options)


def _fast_lstm(own: _Own, arrays: list[np.ndarray], options: dict[str, Any]) -> Any:
    rows, input_size = arrays[0].shape
    if "p" in options:  # with dropout, each gate has maps of its own
        size, shapes = rows, [(rows, input_size), (rows,)] * 4 + [(rows, rows)] * 4
    else:
        size = rows // 4
        shapes = [(4 * size, input_size), (4 * size,), (4 * size, size)]
    own.expect_shapes(arrays, shapes)
    return own.make("FastLSTM", input_size, size, parameters=arrays, **options)


def _gru(own: _Own, arrays: list[np.ndarray], options: dict[str, Any]) -> Any:
    rows, input_size = arrays[0].shape
    if "p" in options:
        size, gates = rows, [(rows, input_size), (rows,)] * 2 + [(rows, rows)] * 2
    else:
        size = rows // 2
        gates = [(2 * size, input_size), (2 * size,), (2 * size, size)]
    own.expect_shapes(arrays, gates + _gate(input_size, size))
    return own.make("GRU", input_size, size, parameters=arrays, **options)


_CELLS = {"LSTM": _lstm, "FastLSTM": _fast_lstm, "GRU": _gru}


def _recurrent(own: _Own) -> Any:
    names = ("start", "input", "feedback", "transfer", "merge")
    parts = {name: own.part(f"{name}Module") for name in names}
    return own.make("Recurrent", **parts, **own.given_rho())


def _recursor(own: _Own) -> Any:
    return own.make("Recursor", own.part("recurrentModule"), **own.given_rho())


def _sequencer(own: _Own) -> Any:
    # The original puts a Recursor around what has no memory; numrnn's Sequencer needs none.
    return own.make("Sequencer", own.part_of_recursor("module"))


def _bi_sequencer(own: _Own) -> Any:
    forward, backward, merge = (own.part_of_recursor(f"{name}Module") for name in ("forward", "backward", "merge"))
    return own.make(own.name, forward, backward, merge)


def _repeater(own: _Own) -> Any:
    steps = own.whole("nStep" if "nStep" in own.fields else "rho")
    return own.make("Repeater", own.part_of_recursor("module"), steps)


def _seq_reverse_sequence(own: _Own) -> Any:
    return own.make("SeqReverseSequence", own.axis("dim"))


def _recurrence(own: _Own) -> Any:
    size = own.fields.get("outputSize")
    if isinstance(size, dict) and set(size) == {1}:
        size = size[1]
    elif isinstance(size, np.ndarray) and size.shape == (1,):
        size = int(size[0])
    if not isinstance(size, int):
        raise own.refuse(f"outputSize = {_shown(size)}", "one number of features")
    return own.make("Recurrence", own.part("recurrentModule"), size, own.whole("nInputDim"), **own.given_rho())


def _masked(own: _Own) -> Any:
    parts = own.parts()
    if len(parts) != 1:
        raise own.refuse(f"{len(parts)} modules", "one")
    return own.make(own.name, *parts, own.whole("nInputDim"))


def _seq_cell(own: _Own) -> Any:
    weight, bias = own.array("weight", 2), own.array("bias", 1)
    size = weight.shape[1] // (3 if own.name == "SeqGRU" else 4)
    projection = [own.array("weightO", 2)] if "weightO" in own.fields else []
    output_size = projection[0].shape[1] if projection else size
    input_size = len(weight) - output_size
    own.expect_shapes([bias, *projection], [weight.shape[1:], (size, output_size)][: 1 + len(projection)])
    flags = {"batch_first": own.flag("batchfirst"), "mask_zero": own.flag("maskzero")}
    options = {name: True for name, value in flags.items() if value}
    if projection:
        return own.make("SeqLSTMP", input_size, size, output_size, parameters=[weight, bias, *projection], **options)
    return own.make(own.name, input_size, size, parameters=[weight, bias], **options)


# ---- criterions --------------------------------------------------------------------------------------------------


def _weighted(own: _Own) -> Any:
    """Make a criterion that may have weights of the classes or features."""
    options: dict[str, Any] = {"size_average": own.flag("sizeAverage", True)}
    if "weights" in own.fields:
        options["weights"] = own.array("weights", 1).copy()
    if own.whole("ignoreIndex", -100) != -100:
        options["ignore_index"] = own.index("ignoreIndex")
    if own.name == "MultiMarginCriterion":
        options |= {"p": own.whole("p", 1), "margin": own.number("margin", 1)}
    return own.make(own.name, **options)


def _cross_entropy(own: _Own) -> Any:
    return _weighted(own.with_fields_of("nll"))


def _sequencer_criterion(own: _Own) -> Any:
    return own.make("SequencerCriterion", own.part("criterion"), size_average=own.flag("sizeAverage"))


def _repeater_criterion(own: _Own) -> Any:
    return own.make("RepeaterCriterion", own.part("criterion"))


def _mask_zero_criterion(own: _Own) -> Any:
    return own.make("MaskZeroCriterion", own.part("criterion"), own.whole("nInputDim"))


_AVERAGING = _with(size_average=("sizeAverage", True))
_RANGE = {"min_value": "min_val", "max_value": "max_val"}

_MAKERS: dict[str, _Maker] = {
    "AbsCriterion": _AVERAGING,
    "Add": _add,
    "AddConstant": _with(constant="constant_scalar"),
    "BCECriterion": _weighted,
    "BatchNormalization": _batch_normalization,
    "BiSequencer": _bi_sequencer,
    "BiSequencerLM": _bi_sequencer,
    "Bilinear": _bilinear,
    "BinaryLogisticRegression": _AVERAGING,
    "CMul": _c_mul,
    "Clamp": _with(**_RANGE),
    "ClassNLLCriterion": _weighted,
    "Clip": _with(min_value="minval", max_value="maxval"),
    "Concat": _concat,
    "ConcatTable": _made_of_parts,
    "CrossEntropyCriterion": _cross_entropy,
    "DistKLDivCriterion": _AVERAGING,
    "Dropout": _dropout,
    "ELU": _with(alpha=("alpha", 1)),
    "FastLSTM": _cell,
    "GRU": _cell,
    "HardShrink": _with(size=("lambda", 0.5)),
    "HardTanh": _with(**_RANGE),
    "JoinTable": _join_table,
    "LSTM": _cell,
    "LeakyReLU": _with(slope=("negval", 0.01)),
    "Linear": _linear,
    "LinearNoBias": _linear,
    "LookupTable": _lookup_table,
    "LookupTableMaskZero": _lookup_table,
    "MM": _with(trans_a=("transA", False), trans_b=("transB", False)),
    "MSECriterion": _AVERAGING,
    "MapTable": _map_table,
    "Max": _reduction,
    "MarginCriterion": _with(margin=("margin", 1), size_average=("sizeAverage", True)),
    "MaskZero": _masked,
    "MaskZeroCriterion": _mask_zero_criterion,
    "Mean": _reduction,
    "Min": _reduction,
    "MixtureTable": _mixture_table,
    "Mul": _mul,
    "MultiMarginCriterion": _weighted,
    "MulConstant": _with(constant="constant_scalar"),
    "Narrow": _narrow,
    "NarrowTable": _narrow_table,
    "NormStabilizer": _with(beta=("beta", 1)),
    "PReLU": _prelu,
    "Padding": _padding,
    "ParallelTable": _made_of_parts,
    "Power": _with(exponent="pow"),
    "ReLU": _relu,
    "Recurrence": _recurrence,
    "Recurrent": _recurrent,
    "Recursor": _recursor,
    "Repeater": _repeater,
    "RepeaterCriterion": _repeater_criterion,
    "Reshape": _reshape,
    "SAdd": _with(addend="addend", negate=("negate", False)),
    "Select": _select,
    "SelectTable": _select_table,
    "SeqGRU": _seq_cell,
    "SeqLSTM": _seq_cell,
    "SeqLSTMP": _seq_cell,
    "SeqReverseSequence": _seq_reverse_sequence,
    "Sequencer": _sequencer,
    "SequencerCriterion": _sequencer_criterion,
    "Sequential": _made_of_parts,
    "SmoothL1Criterion": _AVERAGING,
    "SoftMarginCriterion": _AVERAGING,
    "SoftPlus": _soft_plus,
    "SoftShrink": _with(size=("lambda", 0.5)),
    "SplitTable": _on_axis,
    "Sqrt": _sqrt,
    "Squeeze": _squeeze,
    "Sum": _reduction,
    "TanhShrink": _with(),
    "Threshold": _with(threshold="threshold", value="val"),
    "Transpose": _transpose,
    "TrimZero": _masked,
    "Unsqueeze": _unsqueeze,
    "View": _reshape,
}
"""Classes that have arguments, parameters or parts; `_plain` makes any other."""
