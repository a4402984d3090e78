"""What the examples share: files inside installed packages, the falling learning rate, and pictures."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BLUE, PALE, RED, GREEN = "#1f4e79", "#9ab8d8", "#b3441e", "#4e7d3a"


def installed_file(package: str, path: str, install: str) -> Path:
    """Return the path of a file inside an installed package. The package is not imported, nothing is downloaded."""
    spec = importlib.util.find_spec(package)
    file = Path(spec.submodule_search_locations[0]) / path if spec else None
    if file is None or not file.exists():
        raise SystemExit(f"the data are the file {path} of the package {package}; to have it: {install}")
    return file


def cosine(share: float) -> float:
    """Return the factor of a learning rate after a share of the training: from 1 to 0 along a cosine."""
    return 0.5 * (1 + math.cos(math.pi * share))


@contextmanager
def picture(path: Path, rows: int = 1, columns: int = 1, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Give a figure and its axes to draw on, and save it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, layout="constrained", **options)
    yield figure, axes
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
    print(f"wrote {path}")
