"""Keeps emitted programs as module files, so that Numba's cache works for them, and imports them.

A file's name holds a hash of everything it was made from: its text (equations and element type), the library's
version, Numba's, and the sources of the kernels it calls. So a changed kernel gives a new file, and stale machine
code is never used.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import linecache
import os
import sys
import tempfile
import types
from pathlib import Path

import numba

import numrnn
from numrnn.equations.derive import Program
from numrnn.kernels.cpu.cache import digest_of_sources
from numrnn.kernels.cpu.emit import emit_module


def cache_folder() -> Path:
    """Return the folder for emitted programs: `NUMRNN_CACHE_DIR`, or `numrnn` in the user's cache folder."""
    if chosen := os.environ.get("NUMRNN_CACHE_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "numrnn"


def compile_program(program: Program, name: str, dtype: str) -> types.ModuleType:
    """Return the module with the kernels of a program; compilation itself happens at their first call."""
    text = program_text(program, name, dtype)
    return _import(text, name, program_text(program, name, dtype, "UNCACHED_OPTIONS"))


def program_text(program: Program, name: str, dtype: str, options: str = "OPTIONS") -> str:
    """Return the text of that module."""
    origin = f"Kernels of {name} for {dtype}, derived from its equations by numrnn {numrnn.__version__}."
    return emit_module(program, dtype, origin, options)


@functools.cache
def _import(text: str, name: str, uncached_text: str) -> types.ModuleType:
    digest = hashlib.sha256()
    for part in (text.encode(), numrnn.__version__.encode(), numba.__version__.encode(), digest_of_sources().encode()):
        digest.update(part)
    module_name = f"{name.lower()}_{digest.hexdigest()[:16]}"
    try:
        path = _write_once(cache_folder() / f"{module_name}.py", text)
    except OSError:  # no folder to write to: compile in memory, again in every process
        return _import_from_memory(module_name, uncached_text)
    spec = importlib.util.spec_from_file_location(f"numrnn_kernels.{module_name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Numba's cache finds the functions again
    spec.loader.exec_module(module)
    return module


def _write_once(path: Path, text: str) -> Path:
    """Write a file unless it is there already: its time stamp must not change, since Numba's cache goes by it."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    return path


def _import_from_memory(name: str, text: str) -> types.ModuleType:
    filename = f"<numrnn {name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module = types.ModuleType(name)
    exec(compile(text, filename, "exec"), module.__dict__)
    return module
