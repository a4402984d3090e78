"""Torch7 files for tests: samples that the original wrote (`torch7/`), and a writer of any others."""

import gzip
import re
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numrnn as nr
from numrnn.interop import load_torch7

FOLDER = Path(__file__).parent / "torch7"
MODELS = ("bisequencer", "fast_lstm", "gru", "lstm", "mlp", "program", "recurrent", "seq_gru", "seq_lstm")
FORMS = pytest.mark.parametrize("form", ["", "_ascii"], ids=["binary", "ascii"])


def sample(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.t7.gz").read_bytes())


def load(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.t7"
        path.write_bytes(data)
        return load_torch7(path)


def load_sample(name: str) -> Any:
    return load(sample(name))


def same(first: Any, second: Any) -> bool:
    """Whether two values that were read are equal: types, strides and parameters, too."""
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.strides == second.strides and np.array_equal(first, second)
    if isinstance(first, nr.Module):
        return repr(first) == repr(second) and same(first.state_dict(), second.state_dict())
    return type(first) is type(second) and first == second


# ---- files made here -------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Object:
    """An object of one of the original's classes."""

    class_name: str
    fields: Any = field(default_factory=dict)


@dataclass(eq=False)
class Entries:
    """A table whose keys may be tables and objects."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Tensor:
    """A tensor of a storage; `first` counts from 1."""

    storage: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    first: int = 1
    class_name: str = ""
    storage_class: str = ""


@dataclass(eq=False)
class Storage:
    """A storage by itself, such as sizes."""

    values: np.ndarray


@dataclass(eq=False)
class Raw:
    """Whole numbers and strings, written as they are."""

    items: tuple[Any, ...]


KINDS = {
    "u1": "Byte",
    "i1": "Char",
    "i2": "Short",
    "i4": "Int",
    "i8": "Long",
    "f2": "Half",
    "f4": "Float",
    "f8": "Double",
}


class Writer:
    """Writes what a reader should read."""

    def __init__(self, is_ascii: bool) -> None:
        self.is_ascii, self.out = is_ascii, bytearray()
        self.indices: dict[Any, tuple[int, Any]] = {}  # by id, with the values themselves, which keeps the ids theirs

    def whole(self, *values: int, bits: int = 32) -> None:
        if self.is_ascii:
            self.out += " ".join(map(str, values)).encode() + b"\n" * bool(values)
        else:
            self.out += b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values)

    def text(self, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode()
        self.whole(len(data))
        self.out += data + b"\n" * (self.is_ascii and bool(data))

    def is_known(self, kind: int, value: Any, part: str = "") -> bool:
        self.whole(kind)
        is_known = (id(value), part) in self.indices
        index, _ = self.indices.setdefault((id(value), part), (len(self.indices) + 1, value))
        self.whole(index)
        return is_known

    def value(self, value: Any) -> None:
        """Write a value, however deep."""
        waiting = [self.begin(value)]
        while waiting:
            try:
                waiting.append(self.begin(next(waiting[-1])))
            except StopIteration:
                waiting.pop()

    def begin(self, value: Any) -> Iterator[Any]:
        """Write what comes before each value inside, and yield those."""
        match value:
            case None:
                self.whole(0)
            case bool():
                self.whole(5, int(value))
            case int() | float():
                self.whole(1)
                self.out += f"{value:.17g}\n".encode() if self.is_ascii else struct.pack("<d", value)
            case str() | bytes():
                self.whole(2)
                self.text(value)
            case Raw():
                for item in value.items:
                    self.whole(item) if isinstance(item, int) else self.text(item)
            case list() | tuple():
                yield from self.table(value, list(enumerate(value, 1)))
            case dict():
                yield from self.table(value, list(value.items()))
            case Entries():
                yield from self.table(value, value.pairs)
            case Object():
                if not self.is_known(4, value):
                    self.text("V 1")
                    self.text(value.class_name)
                    yield value.fields
            case np.ndarray():
                strides = tuple(stride // value.itemsize for stride in value.strides)
                storage = value if value.base is None else value.base
                first = (value.ctypes.data - storage.ctypes.data) // value.itemsize + 1
                self.tensor(value, Tensor(storage, value.shape, strides, first))
            case Tensor():
                self.tensor(value, value)
            case Storage():
                if not self.is_known(4, value.values, "storage"):
                    self.storage(value.values, f"torch.{KINDS[value.values.dtype.str[1:]]}Storage")
            case _:
                raise TypeError(value)

    def table(self, owner: Any, pairs: list[tuple[Any, Any]]) -> Iterator[Any]:
        if not self.is_known(3, owner):
            self.whole(len(pairs))
            for pair in pairs:
                yield from pair

    def tensor(self, owner: Any, tensor: Tensor) -> None:
        if self.is_known(4, owner):
            return
        kind = KINDS[tensor.storage.dtype.str[1:]]
        self.text("V 1")
        self.text(tensor.class_name or f"torch.{kind}Tensor")
        self.whole(len(tensor.shape))
        self.whole(*tensor.shape, bits=64)
        self.whole(*tensor.strides, bits=64)
        self.whole(tensor.first, bits=64)
        if not self.is_known(4, tensor.storage, "storage"):
            own = tensor.class_name.replace("Tensor", "Storage") or f"torch.{kind}Storage"
            self.storage(tensor.storage, tensor.storage_class or own)

    def storage(self, storage: np.ndarray, class_name: str) -> None:
        self.text("V 1")
        self.text(class_name)
        self.whole(storage.size, bits=64)
        if self.is_ascii and storage.itemsize > 1:
            digits = "d" if storage.dtype.kind == "i" else ".17g"
            self.out += " ".join(f"{x:{digits}}" for x in storage.ravel()).encode() + b"\n"
        else:
            self.out += storage.tobytes() + b"\n" * self.is_ascii


def written(value: Any, form: str = "") -> bytes:
    writer = Writer(bool(form))
    writer.value(value)
    return bytes(writer.out)


def read(value: Any, form: str = "") -> Any:
    return load(written(value, form))


def linear(rows: int = 2, columns: int = 3, kind: str = "f8", **fields: Any) -> Object:
    weight = np.arange(rows * columns, dtype=kind).reshape(rows, columns).copy()
    return Object("nn.Linear", {"weight": weight, "bias": np.ones(rows, kind), **fields})


def container(name: str, *parts: Any, **fields: Any) -> Object:
    return Object(f"nn.{name}", {"modules": list(parts), **fields})


def slots(value: Any) -> list[tuple[Any, Any]]:
    """Return (owner, key) of everything that is somewhere inside a value."""
    found, seen, waiting = [], set(), [value]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Object | Entries):
            value = value.fields if isinstance(value, Object) else value.pairs
        if isinstance(value, dict | list):
            keys = list(value) if isinstance(value, dict) else range(len(value))
            found += [(value, key) for key in keys]
            waiting += [value[key] for key in keys]
        elif isinstance(value, tuple):
            waiting += value
    return found


# ---- what is refused -------------------------------------------------------------------------------------------------


def check_refused(value: Any, message: str, form: str) -> None:
    """Check that a file of this value is refused with a message that has these words, the file and the place."""
    place = r"at line \d+" if form else r"at byte \d+"
    with pytest.raises(ValueError, match=rf"(?s)^load_torch7\('.*file\.t7'\): got .*{message}.*{place}; expects "):
        read(value, form)


def load_or_refuse(data: bytes) -> Any:
    """Return what a file holds, or the error; any other exception passes."""
    try:
        return load(data)
    except ValueError as error:
        if not re.search(r"file\.t7'\): got .* at (byte|line) \d+; expects ", str(error), re.DOTALL):
            raise AssertionError("a message without the file and the place") from error
        return error
