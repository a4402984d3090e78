"""Several processes may compile and load kernels at the same time."""

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from numba.core.dispatcher import Dispatcher

from numrnn.kernels import cpu as kernels
from numrnn.kernels.cpu import cache
from numrnn.kernels.cpu.cache import LockedCache, njit

FAMILY = """
import sys, time
from numba.core.caching import IndexDataCacheFile
from numrnn.kernels.cpu.cache import njit

load, save = IndexDataCacheFile._load_index, IndexDataCacheFile._save_data

def load_slowly(self):  # others are likely to come in between
    index = load(self)
    time.sleep(0.05)
    return index

def save_slowly(self, name, data):
    time.sleep(0.1 if sys.argv[1] == "0" else 0)
    save(self, name, data)

IndexDataCacheFile._load_index, IndexDataCacheFile._save_data = load_slowly, save_slowly

def made(k):
    @njit(cache=True)
    def add(x):
        return x + k
    return add

if __name__ == "__main__":
    first, until = map(float, sys.argv[1:])
    family = [made(k) for k in range(6)]
    while time.time() < until:
        pass
    for k in range(6):
        member = (k + int(first)) % 6
        assert family[member](100) == 100 + member, (member, family[member](100))
"""


def test_what_processes_compile_at_once_is_not_mixed_up(tmp_path):
    script = tmp_path / "family.py"
    script.write_text(FAMILY)
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": root}
    for _ in range(2):  # they compile and save; then they load
        until = time.time() + 3
        command = [sys.executable, str(script)]
        together = [
            subprocess.Popen([*command, str(first), str(until)], env=environment, stderr=subprocess.PIPE, text=True)
            for first in (0, 2, 4)
        ]
        for process in together:
            _, errors = process.communicate(timeout=200)
            assert process.returncode == 0, errors


def test_a_kernel_is_cached_if_it_is_to_be():
    assert isinstance(njit(cache=True)(test_a_kernel_is_cached_if_it_is_to_be)._cache, LockedCache)
    assert not isinstance(njit()(test_a_kernel_is_cached_if_it_is_to_be)._cache, LockedCache)


def test_a_change_in_another_file_of_the_kernels_is_seen(monkeypatch):
    dispatcher = njit(cache=True)(test_a_kernel_is_cached_if_it_is_to_be)
    codegen = dispatcher.targetctx.codegen()
    before = dispatcher._cache._index_key((), codegen)
    assert dispatcher._cache._index_key((), codegen) == before
    monkeypatch.setattr(cache, "digest_of_sources", lambda: "another")
    assert dispatcher._cache._index_key((), codegen) != before


def test_no_two_kernels_have_the_same_name():
    """The symbols of machine code are made of these names: code from the cache would be linked to its namesake."""
    named = defaultdict(set)
    for info in pkgutil.iter_modules(kernels.__path__):
        for value in vars(importlib.import_module(f"{kernels.__name__}.{info.name}")).values():
            if isinstance(value, Dispatcher):
                named[value.py_func.__module__, value.py_func.__qualname__].add(id(value))
    assert len(named) > 50
    assert [name for name, different in named.items() if len(different) > 1] == []
