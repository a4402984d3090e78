"""The rows of the board. A row more is one line here."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from benchmarks.marks import AtLeast, AtMost, Mark
from benchmarks.works import (
    FirstUse,
    FusedLoop,
    Import,
    Memory,
    OwnCell,
    Product,
    Program,
    RecentCell,
    Sequence,
    Step,
    Work,
)


def beside(factor: float, *peers: str) -> tuple[Mark, ...]:
    return (AtLeast(factor, peers),)


def layers(cell: str, mode: str, *, marks: list[tuple[Mark, ...]]) -> list[Work]:
    """Return the rows of one cell in one mode, with a mark for each."""
    shapes = [(5, 10, 64), (50, 32, 128), (50, 32, 512), (100, 64, 256), (128, 1, 128), (35, 20, 650, 2)]
    return [Sequence(cell, mode, *shape, marks=mark) for shape, mark in zip(shapes, marks, strict=True)]


def random_shapes(count: int) -> list[Work]:
    """Return LSTMs of shapes by chance, always the same: T in 1..200, N in 1..64, H in 8..512, log-uniform."""
    random = np.random.default_rng(1997)
    logarithms = random.uniform(np.log([1, 1, 8]), np.log([200, 64, 512]), (count, 3))
    return [Sequence("LSTM", "train", *map(int, shape)) for shape in np.exp(logarithms).round()]


FASTER = beside(1, "PyTorch")
FASTEST = beside(1, "PyTorch", "ONNX Runtime")
OWN_CELL = (*beside(5, "PyTorch", "torch.compile"), *beside(1 / 1.3, "built-in cell"))
PROGRAM = beside(1.5, "PyTorch")
MODES = ("inference", "train")
SCAN = "associative scan"
MATRICES = ("PyTorch", "torch.compile", "parallel form")
CELLS = [
    *("PlainLSTM", "GRUResetAfter", "LayerNormLSTM", "LayerNormGRU", "ZoneoutLSTM", "ZoneoutGRU", "CoupledLSTM", "MGU"),
    *("SRU", "IndRNN", "QRNN", "MinGRU", "MinLSTM", "LRU", "SLSTM", "MLSTM", "AntisymmetricRNN", "CTRNN", "LTC"),
]

BOARD: dict[str, list[Work]] = {
    "LSTM training": layers("LSTM", "train", marks=[beside(k, "PyTorch") for k in (3, 1.3, 1.2, 1.3, 1.5, 1.2)]),
    "LSTM inference": layers("LSTM", "inference", marks=[FASTEST] * 6),
    "GRU training": layers("GRU", "train", marks=[FASTER] * 6),
    "GRU inference": layers("GRU", "inference", marks=[FASTER] * 6),
    "RNN training": layers("RNN", "train", marks=[FASTER] * 6),
    "RNN inference": layers("RNN", "inference", marks=[FASTER] * 6),
    "Speech: short, narrow, batch 1": [
        Sequence("LSTM", "inference", 63, 1, 32, directions=2, marks=FASTEST),
        Sequence("LSTM", "inference", 31, 1, 32, directions=2, marks=FASTEST),
    ],
    "One step from Python, batch 1": [
        Step(16, marks=(AtMost(4e-6),)),
        Step(64, marks=(AtMost(6e-6),)),
        Step(128, marks=(AtMost(12e-6),)),
        Step(256, marks=(AtMost(50e-6),)),
        Step(512, marks=(AtMost(310e-6),)),
    ],
    "Own cells": [
        OwnCell("OnePhase", "FastLSTM", 50, 32, 128, marks=OWN_CELL),
        OwnCell("TwoPhases", "GRU", 50, 32, 128, marks=OWN_CELL),
        OwnCell("Peepholes", "LSTM", 50, 32, 128, marks=OWN_CELL),
        OwnCell("LSTMOfModules", "FastLSTM", 50, 32, 128, marks=OWN_CELL),
    ],
    "sLSTM": [
        RecentCell("SLSTM", mode, 512, batch, 256, heads=4, marks=beside(3, "torch.compile"))
        for batch in (1, 32)
        for mode in MODES
    ],
    "mLSTM": [
        RecentCell("MLSTM", mode, 256, batch, 256, MATRICES, heads=4, marks=beside(1, *MATRICES))
        for batch in (1, 8)
        for mode in MODES
    ],
    "Cells without a product with the state": [
        RecentCell("MinGRU", mode, 4096, 1, hidden, ("PyTorch", SCAN), marks=beside(1, SCAN))
        for hidden in (64, 512)
        for mode in MODES
    ],
    "Fused loops, and the same modules stepped": [
        *(FusedLoop(module, 50, 32, 128) for module in ("GRU", "MuFuRu", "SeqGRU", "SeqLSTM", "SeqLSTMP", "SeqBLSTM")),
        FusedLoop("SeqLSTM", 50, 32, 128, padding=0.5),
    ],
    "Cells beyond the original, fused and stepped": [FusedLoop(cell, 50, 32, 128) for cell in CELLS],
    "Programs of the tutorial": [
        Program("Recurrent", 10, marks=PROGRAM),
        Program("RNN", 10, marks=PROGRAM),
        Program("LSTM", 64, marks=PROGRAM),
        Program("LSTM without peepholes", 64, marks=PROGRAM),
    ],
    "Matrix product": [
        Product(32, 128, 512, marks=beside(1, "NumPy")),
        Product(64, 256, 1024, marks=beside(1, "NumPy")),
        Product(1024, 1024, 1024, marks=(*beside(1, "NumPy"), *beside(0.9, "peak"))),
    ],
    "Random shapes": random_shapes(10),
    "Scaling in T": [Sequence("LSTM", "train", steps, 32, 128) for steps in (1, 4, 16, 64, 256)],
    "Scaling in N": [Sequence("LSTM", "train", 50, batch, 128) for batch in (1, 4, 16, 64, 256)],
    "Scaling in H": [Sequence("LSTM", "train", 20, 32, hidden) for hidden in (16, 64, 256, 1024)],
    "Memory": [Memory(cell, 50, 32, 128) for cell in ("LSTM", "GRU", "RNN")],
    "First use": [
        FirstUse("cold", marks=(AtMost(15),)),
        FirstUse("warm", marks=(AtMost(0.6),)),
        Import(),
    ],
}

# One of each kind, small: shows that everything works.
QUICK: dict[str, list[Work]] = {
    "Layers": [
        Sequence("LSTM", "train", 5, 10, 64),
        Sequence("LSTM", "inference", 4, 3, 16, 2),
        Sequence("GRU", "train", 4, 3, 16),
        Sequence("RNN", "train", 4, 3, 16),
        Sequence("LSTM", "inference", 5, 1, 16, directions=2),
    ],
    "One step from Python, batch 1": [Step(16, marks=(AtMost(4e-6),))],
    "Own cells": [
        OwnCell("TwoPhases", "GRU", 4, 3, 16, marks=OWN_CELL),
        OwnCell("LSTMOfModules", "FastLSTM", 4, 3, 16, marks=OWN_CELL),
    ],
    "Recent cells": [
        RecentCell("SLSTM", "train", 4, 3, 16, heads=2),
        RecentCell("MLSTM", "train", 4, 3, 16, MATRICES, heads=2),
        RecentCell("MinGRU", "train", 4, 3, 16, ("PyTorch", SCAN)),
    ],
    "Fused loops, and the same modules stepped": [
        FusedLoop("SeqLSTMP", 4, 3, 16),
        FusedLoop("SeqBLSTM", 4, 3, 16),
        FusedLoop("SeqLSTM", 4, 3, 16, padding=0.5),
    ],
    "Programs of the tutorial": [Program("Recurrent", 10, 50), Program("LSTM", 8, 50)],
    "Matrix product": [Product(32, 128, 512, marks=beside(1, "NumPy"))],
    "Memory": [Memory("LSTM", 5, 4, 16)],
    "First use": [FirstUse("warm"), Import()],
}


def rows(quick: bool, only: str) -> Iterator[tuple[str, Work]]:
    """Iterate over (section, work) of those rows in whose section or name the pattern is found."""
    for section, works in (QUICK if quick else BOARD).items():
        for work in works:
            if re.search(only, f"{section}: {work.name}", re.IGNORECASE):
                yield section, work
