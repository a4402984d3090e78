"""Emitted programs are files that Numba's cache finds again, and that never outlive what they were made from."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numrnn as nr
from numrnn.equations import linear, tanh
from numrnn.kernels.cpu import compile as compiling

REPOSITORY = Path(nr.__file__).parents[1]


class Small(nr.Cell):
    def equations(self, x, h):
        return tanh(linear("map", x, h))


@pytest.fixture(autouse=True)
def _no_modules_left_over():
    yield
    compiling._import.cache_clear()


def fresh_import(cell, monkeypatch, folder):
    """Return the kernels' module as the first cell of a process would get it."""
    monkeypatch.setenv("NUMRNN_CACHE_DIR", str(folder))
    compiling._import.cache_clear()
    return compiling.compile_program(cell.program(), type(cell).__name__, cell.dtype.name)


def test_the_file_holds_the_source_and_lies_in_the_chosen_folder(tmp_path, monkeypatch):
    cell = Small(3, 4)
    module = fresh_import(cell, monkeypatch, tmp_path / "new" / "kernels")
    path = Path(module.__file__)
    assert path.parent == tmp_path / "new" / "kernels"
    assert path.name.startswith("small_")
    assert path.read_text() == cell.source()
    assert [file for file in path.parent.iterdir() if file.is_file()] == [path]  # nothing half-written is left


def test_a_subclass_with_the_same_equations_has_the_same_kernels():
    class Named(Small):
        """Differs in other things."""

    class Other(Small):
        def equations(self, x, h):
            return 2 * tanh(linear("map", x, h))

    assert Named(3, 4).source() == Small(3, 4).source() != Other(3, 4).source()


def test_the_file_is_not_written_again(tmp_path, monkeypatch):
    path = Path(fresh_import(Small(3, 4), monkeypatch, tmp_path).__file__)
    os.utime(path, (10**9, 10**9))
    before = path.stat()
    assert Path(fresh_import(Small(5, 6), monkeypatch, tmp_path).__file__) == path
    assert (path.stat().st_mtime, path.stat().st_ino) == (before.st_mtime, before.st_ino)


def test_a_damaged_file_is_written_again(tmp_path, monkeypatch):
    path = Path(fresh_import(Small(3, 4), monkeypatch, tmp_path).__file__)
    path.write_text("damaged")
    assert Path(fresh_import(Small(3, 4), monkeypatch, tmp_path).__file__) == path
    assert path.read_text() == Small(3, 4).source()


def test_the_name_changes_with_everything_that_the_file_is_made_from(tmp_path, monkeypatch):
    def name(cell):
        return Path(fresh_import(cell, monkeypatch, tmp_path).__file__).name

    small = Small(3, 4)
    names = {name(small), name(Small(3, 4).astype("float64")), name(nr.RNN(3, 4))}
    for target, changed in (
        ("numrnn.kernels.cpu.compile.digest_of_sources", lambda: "another micro-kernel"),
        ("numba.__version__", "0.0"),
        ("numrnn.__version__", "0.0"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, changed)
            names.add(name(small))
    assert len(names) == 6
    assert name(small) in names


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    cell = Small(3, 4)
    x, grad = np.ones((2, 5, 3), "float32"), np.ones((2, 5, 4), "float32")
    expected = cell.forward_sequence(x), cell.backward_sequence(x, grad)
    module = fresh_import(cell, monkeypatch, tmp_path / "file" / "kernels")
    assert not hasattr(module, "__file__")
    cell._loop().module = module
    cell.forget()
    np.testing.assert_array_equal(cell.forward_sequence(x), expected[0])
    np.testing.assert_array_equal(cell.backward_sequence(x, grad), expected[1])
    assert module.forward.stats.cache_hits == {}


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"NUMRNN_CACHE_DIR": "chosen", "XDG_CACHE_HOME": "cache"}, "chosen"),
        ("linux", {"XDG_CACHE_HOME": "cache"}, "cache/numrnn"),
        ("linux", {}, "~/.cache/numrnn"),
        ("darwin", {}, "~/Library/Caches/numrnn"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/numrnn"),
        ("win32", {}, "~/AppData/Local/numrnn"),
    ],
)
def test_the_folder_is_the_users_cache_folder_unless_one_is_chosen(platform, variables, expected, monkeypatch):
    monkeypatch.setattr("sys.platform", platform)
    for name in ("NUMRNN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert compiling.cache_folder() == Path(expected).expanduser()


SCRIPT = """
import numpy as np
import numrnn as nr
from numrnn.equations import linear, sigmoid

class Own(nr.Cell):
    def equations(self, x, h):
        return sigmoid(linear("own", x, h))

for cell in (nr.RNN(3, 4), Own(3, 4)):
    x = np.ones((2, 3), "float32")
    cell.backward(x, cell.forward(x))
    for kernel in (cell._loop().module.forward, cell._loop().module.backward):
        print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))
"""


def test_another_process_finds_the_compiled_kernels_of_the_librarys_and_of_own_cells(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"NUMRNN_CACHE_DIR": str(tmp_path / "kernels"), "PYTHONPATH": str(REPOSITORY)}

    def hits_and_misses():
        result = subprocess.run(
            [sys.executable, script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return result.stdout.split("\n")[:-1]

    assert hits_and_misses() == ["0 1"] * 4
    files = sorted((tmp_path / "kernels").rglob("*"))
    assert hits_and_misses() == ["1 0"] * 4
    assert sorted((tmp_path / "kernels").rglob("*")) == files
