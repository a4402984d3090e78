"""Reading the recordings: which there are, and what each holds.

All arrays of a folder lie one after the other in a few `values_*.npz` files, an array that several recordings share
only once. `index.json.gz` says for every recording what it is (`meta`) and where its arrays are.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FOLDER = Path(__file__).parent


class Recording(NamedTuple):
    """What the original was given, and what it answered."""

    name: str
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


@cache
def _index(kind: str) -> dict[str, Any]:
    return json.loads(gzip.decompress((FOLDER / kind / "index.json.gz").read_bytes()))


@cache
def _values(kind: str) -> np.ndarray:
    count = len(list((FOLDER / kind).glob("values_*.npz")))
    parts = [np.load(FOLDER / kind / f"values_{number}.npz")["values"] for number in range(count)]
    return np.concatenate(parts)


def names(kind: str) -> list[str]:
    """Return the names of all recordings of a kind, "cases" or "traces"."""
    return sorted(_index(kind))


def load(kind: str, name: str) -> Recording:
    """Return a recording; its arrays are copies."""
    entry, values = _index(kind)[name], _values(kind)
    arrays = {}
    for key, (offset, shape, dtype) in entry["arrays"].items():
        count = int(np.prod(shape))
        arrays[key] = values[offset : offset + count].reshape(shape).astype(dtype)
    return Recording(name, entry["meta"], arrays)
