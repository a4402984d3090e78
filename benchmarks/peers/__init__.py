"""numrnn and its peers: a file each, which imports its framework and says how it does each kind of work.

Each has `use_threads(count)`, and `prepare(work, name)` that returns a `Contestant`; `name` is the peer's on the board.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import NamedTuple


class Peer(NamedTuple):
    module: str  # in this folder
    needs: tuple[str, ...]  # what must be installed


PEERS = {
    "numrnn": Peer("ours", ("numrnn",)),
    "built-in cell": Peer("ours", ("numrnn",)),
    "stepped": Peer("ours", ("numrnn",)),
    "packing too": Peer("ours", ("numrnn",)),
    "peak": Peer("peak", ("numba",)),
    "NumPy": Peer("blas", ("numpy",)),
    "PyTorch": Peer("pytorch", ("torch",)),
    "torch.compile": Peer("pytorch", ("torch",)),
    "parallel form": Peer("pytorch", ("torch",)),
    "ONNX Runtime": Peer("onnx_runtime", ("onnx", "onnxruntime")),
    "JAX": Peer("jax_scan", ("jax",)),
    "associative scan": Peer("jax_scan", ("jax",)),
}
"""By their names on the board."""


class Missing(Exception):
    """A peer is not installed."""


def load(name: str, threads: int) -> ModuleType:
    """Return a peer's module, set to a number of threads."""
    missing = [package for package in PEERS[name].needs if importlib.util.find_spec(package) is None]
    if missing:
        raise Missing(f"missing ({', '.join(missing)} not installed)")
    module = importlib.import_module(f"{__name__}.{PEERS[name].module}")
    module.use_threads(threads)
    return module
