"""Weights in safetensors files: arrays by name and a few strings. Loading one never runs code from it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.module import Module


def save_safetensors(
    path: str | os.PathLike[str],
    module_or_dict: Module | Mapping[str, Any],
    metadata: dict[str, str] | None = None,
) -> None:
    """Write the parameters of a module, or arrays by name, to a file.

    The file appears whole or not at all: a file of that name is replaced only when the new one is complete.

    Parameters
    ----------
    path : str or path
        The file, usually named `*.safetensors`.
    module_or_dict : Module or dict
        A module, whose `state_dict` is written; or arrays and numbers by name, such as an optimiser's
        `state_dict`.
    metadata : dict of str to str, optional
        What else to write down.

    Raises
    ------
    ImportError
        If the safetensors package is missing.
    TypeError
        If something is neither an array nor a number, or the metadata are not strings.

    Examples
    --------
    >>> import numpy as np, numrnn as nr, os, tempfile
    >>> model = nr.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.safetensors")
    ...     nr.interop.safetensors.save_safetensors(path, model, {"epoch": "7"})
    ...     state, metadata = nr.interop.safetensors.load_safetensors(path)
    >>> model.load_state_dict(state)
    >>> metadata
    {'epoch': '7'}
    """
    numpy_files = _import("safetensors.numpy")
    state = module_or_dict.state_dict() if isinstance(module_or_dict, Module) else module_or_dict
    # The package writes an array's memory as it lies: any order but C's would come back scrambled.
    arrays = {name: np.asarray(value, order="C") for name, value in state.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise TypeError(complaint("save_safetensors", f"{name!r}: {describe(state[name])}", "arrays of numbers"))
    if not all(isinstance(text, str) for pair in (metadata or {}).items() for text in pair):
        raise TypeError(complaint("save_safetensors", f"metadata {metadata!r}", "a dict of str to str"))
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.urandom(8).hex()}.unfinished")
    try:
        unfinished.write_bytes(numpy_files.save(arrays, metadata=metadata))  # with the user's default permissions
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_safetensors(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays of a file by name, and its metadata.

    Raises
    ------
    ImportError
        If the safetensors package is missing.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a whole safetensors file.
    """
    package = _import("safetensors")
    try:
        with package.safe_open(os.fspath(path), framework="numpy") as file:
            arrays = {name: np.require(file.get_tensor(name), requirements=("C", "W")) for name in sorted(file.keys())}
            return arrays, dict(file.metadata() or {})
    except package.SafetensorError as error:
        raise ValueError(
            complaint("load_safetensors", f"{os.fspath(path)!r} ({error})", "a safetensors file")
        ) from error


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError("Saving and loading needs the safetensors package: pip install numrnn[examples]") from error
