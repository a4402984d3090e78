"""NumPy, whose products are those of a BLAS library."""

from __future__ import annotations

import numpy as np

from benchmarks import data
from benchmarks.timing import Contestant
from benchmarks.works import Product


def use_threads(count: int) -> None:
    """Nothing to do: the library read `OMP_NUM_THREADS` and its like when it was loaded."""


def prepare(work: Product, name: str) -> Contestant:
    a, b = data.matrices(work)
    out = np.empty((work.m, work.j), "float32")
    return Contestant(lambda: np.matmul(a, b, out=out), lambda: {"product": np.matmul(a, b)})
