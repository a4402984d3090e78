"""The kinds of work on the board. How numrnn and the peers do each is in `peers/`."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmarks.marks import Mark

PARTS = {"LSTM": 4, "GRU": 3, "RNN": 1}
"""How many maps of the input, and of the state, a cell has."""


@dataclass(frozen=True)
class Work:
    """A row of the board: `peers` are measured beside numrnn, `marks` are what numrnn should reach."""

    marks: tuple[Mark, ...] = field(default=(), kw_only=True)

    peers = ("PyTorch",)
    unit = "s"
    needs_threads = True  # False: measured once, whatever the number of threads
    shape = None

    @property
    def flops(self) -> int | None:
        """Multiplications and additions in matrix products, where these are most of the work."""
        return None


@dataclass(frozen=True)
class Sequence(Work):
    """A recurrent layer over T steps of a batch of N, with as many input as hidden features H.

    "train" is forward and backward, to the inputs and the weights, without an update; "inference" is forward in
    evaluate mode.
    """

    cell: str
    mode: str
    steps: int
    batch: int
    hidden: int
    layers: int = 1
    directions: int = 1

    @property
    def peers(self) -> tuple[str, ...]:
        others = ("ONNX Runtime",) * (self.mode == "inference") + ("JAX",) * (self.directions == 1)
        return "PyTorch", *others

    @property
    def shape(self) -> tuple[int, ...]:
        return self.steps, self.batch, self.hidden

    @property
    def name(self) -> str:
        more = ", 2 directions" * (self.directions > 1) + f", {self.layers} layers" * (self.layers > 1)
        return f"{self.cell} {self.mode} {','.join(map(str, self.shape))}{more}"

    @property
    def flops(self) -> int:
        maps = 2 * PARTS[self.cell] * self.layers * self.directions
        return 2 * maps * self.hidden**2 * self.steps * self.batch * (3 if self.mode == "train" else 1)


@dataclass(frozen=True)
class Step(Work):
    """One step of an LSTM, called from Python, with batch 1, in evaluate mode."""

    hidden: int

    peers = ("PyTorch", "torch.compile", "ONNX Runtime")

    @property
    def name(self) -> str:
        return f"LSTM step, H = {self.hidden}"

    @property
    def flops(self) -> int:
        return 2 * 2 * PARTS["LSTM"] * self.hidden**2


@dataclass(frozen=True)
class OwnCell(Work):
    """Training of a cell that no framework has, or that is made of modules, and of numrnn's own with as many products.

    The peers run the same equations in a loop over the steps.
    """

    cell: str  # in `cells`
    built_in: str  # in numrnn
    steps: int
    batch: int
    hidden: int

    peers = ("PyTorch", "torch.compile", "built-in cell")

    @property
    def name(self) -> str:
        return f"{self.cell} train {self.steps},{self.batch},{self.hidden} (built-in: {self.built_in})"

    @property
    def flops(self) -> int:
        maps = 2 * PARTS[self.built_in.removeprefix("Fast")]
        return 3 * 2 * maps * self.hidden**2 * self.steps * self.batch


@dataclass(frozen=True)
class RecentCell(Work):
    """A cell of numrnn that no framework has as a layer. The peers loop over the steps, or scan them in parallel.

    "torch.compile" compiles the step: to compile a loop of hundreds of steps takes many minutes.
    """

    cell: str
    mode: str
    steps: int
    batch: int
    hidden: int
    peers: tuple[str, ...] = ("PyTorch", "torch.compile")
    heads: int = 1

    @property
    def name(self) -> str:
        heads = f", {self.heads} heads" * (self.heads > 1)
        return f"{self.cell} {self.mode} {self.steps},{self.batch},{self.hidden}{heads}"


@dataclass(frozen=True)
class FusedLoop(Work):
    """Training of a module over sequences, as a fused loop and stepped, with the same numbers.

    `padding` is the share of the steps that rows of zeros fill up: more at the end of every row of the batch.
    """

    module: str
    steps: int
    batch: int
    hidden: int
    padding: float = 0.0

    peers = ("stepped",)

    @property
    def name(self) -> str:
        padding = f", {self.padding:.0%} padding" if self.padding else ""
        return f"{self.module} train {self.steps},{self.batch},{self.hidden}{padding}"


@dataclass(frozen=True)
class Program(Work):
    """An iteration of a program of the tutorial: forward, loss, backward and a step of gradient descent."""

    recurrent: str
    hidden: int
    vocabulary: int = 10000
    steps: int = 5
    batch: int = 10

    @property
    def name(self) -> str:
        return f"{self.recurrent}, hidden {self.hidden}, {self.vocabulary} words"


@dataclass(frozen=True)
class Product(Work):
    """A matrix product (M, K) x (K, J); "peak" is as much arithmetic in registers alone."""

    m: int
    k: int
    j: int

    peers = ("NumPy", "packing too", "peak")

    @property
    def name(self) -> str:
        return f"{self.m} x {self.k} x {self.j}"

    @property
    def flops(self) -> int:
        return 2 * self.m * self.k * self.j


@dataclass(frozen=True)
class Memory(Work):
    """Bytes kept per token (a step of a row) between forward and backward."""

    cell: str
    steps: int
    batch: int
    hidden: int

    unit = "B"
    needs_threads = False

    @property
    def name(self) -> str:
        return f"bytes per token, {self.cell} {self.steps},{self.batch},{self.hidden}"


@dataclass(frozen=True)
class FirstUse(Work):
    """From the start of a process to the first gradients; `cache` says whether the kernels are compiled by then."""

    cache: str

    peers = ()
    needs_threads = False

    @property
    def name(self) -> str:
        return f"first forward and backward, {self.cache} cache"


@dataclass(frozen=True)
class Import(Work):
    """The import in a new process."""

    peers = ("PyTorch", "ONNX Runtime", "JAX")
    needs_threads = False
    name = "import"
