"""The inputs and weights of a piece of work, the same for all contestants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.works import PARTS, Product, Program, Sequence


@dataclass
class Layer:
    """Weights of one layer and direction, gates in PyTorch's order: i f g o for LSTM, r z n for GRU."""

    weight_x: np.ndarray
    weight_h: np.ndarray
    bias_x: np.ndarray
    bias_h: np.ndarray


def sequences(steps: int, batch: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an input (T, N, D), and a gradient of the output (T, N, D)."""
    random = np.random.default_rng(1)
    x, grad_output = random.standard_normal((2, steps, batch, features)).astype("float32")
    return x, grad_output


def layers_of(work: Sequence) -> list[list[Layer]]:
    """Return the weights of each layer, in each direction."""
    return [
        [layer(work.cell, work.hidden, seed=10 * k + direction) for direction in range(work.directions)]
        for k in range(work.layers)
    ]


def layer(cell: str, hidden: int, seed: int = 0) -> Layer:
    """Return weights with as many input as hidden features, of the usual size."""
    random, rows, bound = np.random.default_rng(seed), PARTS[cell] * hidden, hidden**-0.5
    shapes = (rows, hidden), (rows, hidden), (rows,), (rows,)
    return Layer(*(random.uniform(-bound, bound, shape).astype("float32") for shape in shapes))


def words(work: Program) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return T inputs and T targets, each of N words."""
    drawn = np.random.default_rng(2).integers(0, work.vocabulary, (work.steps + 1, work.batch))
    return list(drawn[:-1]), list(drawn[1:])


def matrices(work: Product) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of a product."""
    random = np.random.default_rng(3)
    return tuple(random.standard_normal(shape, "float32") for shape in ((work.m, work.k), (work.k, work.j)))
