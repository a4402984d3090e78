"""Pack a folder of new recordings: `python -m tests.golden.pack cases FOLDER`, or `traces FOLDER`.

A recording is a file `NAME.npz`. A case has an array for each of its values and `meta`, a JSON text; a trace has one
vector `values`, and in the JSON text (as bytes) says which array lies where. What was packed before is replaced.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.golden import recordings

VALUES_PER_FILE = 110_000  # so that a file stays below 1 MB


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the meta and the arrays of one recording."""
    with np.load(path) as file:
        if "values" not in file:
            return json.loads(str(file["meta"])), {key: file[key] for key in file.files if key != "meta"}
        meta, values = json.loads(file["meta"].tobytes()), file["values"]
    arrays = {}
    for key, (offset, shape, dtype) in meta.pop("arrays").items():
        arrays[key] = values[offset : offset + int(np.prod(shape))].reshape(shape).astype(dtype)
    return meta, arrays


def pack(kind: str, source: Path) -> None:
    """Write the index and the values of all recordings in `source`."""
    index, chunks, places, end = {}, [], {}, 0
    for path in sorted(source.glob("*.npz")):
        meta, arrays = read(path)
        entries = {}
        for key, array in sorted(arrays.items()):
            content = (array.tobytes(), array.dtype.str)
            if content not in places:
                places[content] = end
                chunks.append(array.astype(np.float64).ravel())
                end += array.size
            entries[key] = [places[content], list(array.shape), str(array.dtype)]
        index[path.stem] = {"meta": meta, "arrays": entries}
    target = recordings.FOLDER / kind
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    text = json.dumps(index, separators=(",", ":"))
    (target / "index.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    values = np.concatenate(chunks)
    for number, start in enumerate(range(0, len(values), VALUES_PER_FILE)):
        np.savez_compressed(target / f"values_{number}.npz", values=values[start : start + VALUES_PER_FILE])


def check(kind: str, source: Path) -> None:
    """Compare what was packed with `source`, bit by bit."""
    paths = sorted(source.glob("*.npz"))
    assert recordings.names(kind) == [path.stem for path in paths]
    for path in paths:
        meta, arrays = read(path)
        packed = recordings.load(kind, path.stem)
        assert packed.meta == meta
        assert packed.arrays.keys() == arrays.keys()
        for key, array in arrays.items():
            own = packed.arrays[key]
            same = (own.shape, own.dtype, own.tobytes()) == (array.shape, array.dtype, array.tobytes())
            assert same, f"{path.stem}: {key}"


if __name__ == "__main__":
    pack(sys.argv[1], Path(sys.argv[2]))
    check(sys.argv[1], Path(sys.argv[2]))
