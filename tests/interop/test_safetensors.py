"""Weights in safetensors files."""

import sys
from pathlib import Path

import numpy as np
import pytest

from numrnn.interop.safetensors import load_safetensors, save_safetensors
from numrnn.layers import LookupTable
from numrnn.optim import Adam

pytest.importorskip("safetensors")
matrix = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "array",
    [
        matrix,
        np.asfortranarray(matrix),
        matrix.T,
        matrix[::2, ::-1].astype("float32"),
        np.broadcast_to(np.int64(3), (2, 3)),
        np.array(0.1),
        np.zeros((0, 3)),
        np.array([True, False]),
        matrix.astype(">f8"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_whatever_their_layout(array, tmp_path):
    save_safetensors(tmp_path / "file.safetensors", {"some.name": array})
    arrays, metadata = load_safetensors(tmp_path / "file.safetensors")
    np.testing.assert_array_equal(arrays["some.name"], array, strict=array.dtype.isnative)
    assert arrays["some.name"].flags.writeable
    assert metadata == {}


def test_modules_metadata_and_optimisers_come_back(tmp_path):
    path = str(tmp_path / "model.safetensors")
    model, other = LookupTable(4, 3, rng=0), LookupTable(4, 3, rng=1)
    save_safetensors(path, model, {"epoch": "7"})
    state, metadata = load_safetensors(path)
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.weight, model.weight)
    assert metadata == {"epoch": "7"}

    optimizer = Adam(model, 0.1)
    optimizer.gradients[:] = 1
    optimizer.step()
    save_safetensors(path, optimizer.state_dict())
    resumed = Adam(other)
    resumed.load_state_dict(load_safetensors(path)[0])
    assert repr(resumed) == repr(optimizer)
    np.testing.assert_array_equal(resumed.square, optimizer.square)


def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_safetensors(path, {"a": matrix})
    for wrong in ({"a": np.array("text")}, {"a": None}, {"a": [[1], [2, 3]]}):
        with pytest.raises((TypeError, ValueError)):
            save_safetensors(path, wrong)
    with pytest.raises(TypeError, match="a dict of str to str"):
        save_safetensors(path, {"a": matrix}, {"epoch": 7})

    write_bytes = Path.write_bytes

    def fill_the_disk(file, content):
        write_bytes(file, content[:4])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="no space left"):
        save_safetensors(path, {"b": matrix})
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert list(load_safetensors(path)[0]) == ["a"]


def test_broken_and_missing_files_are_told_apart(tmp_path):
    (tmp_path / "broken").write_bytes(b"not tensors at all")
    with pytest.raises(ValueError, match=r"broken.*expects a safetensors file"):
        load_safetensors(tmp_path / "broken")
    with pytest.raises(FileNotFoundError):
        load_safetensors(tmp_path / "missing")


def test_without_the_package_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"numrnn\[examples\]"):
        save_safetensors(tmp_path / "file", {"a": matrix})
    with pytest.raises(ImportError, match=r"numrnn\[examples\]"):
        load_safetensors(tmp_path / "file")
