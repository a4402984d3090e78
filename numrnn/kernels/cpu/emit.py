"""Writes a program out as a module with three kernels: forward, backward, and the gradients of the parameters.

In a step, matrix products and blocks alternate, level by level. Products read and write whole rows; blocks go over
the channels of a row, a `Vector` at a time. All arrays lie flat; `row` counts time and batch together. Levels after the
loop are done for all rows of a stretch of steps at once, and so is their way back, before the loop over these steps.

Each kernel does its part of the work. Parts of a kernel have the batch's rows to themselves, or, where `by_channels`
says so, channels in units of `UNIT`, so that a part's weights stay in its core's cache. Nobody adds up what another
has begun, so the results do not depend on the number of parts.

Where blocks spread channels or add up groups of them, they go over the channels run by run: within a run, what is
spread is one number, or as many numbers as the run has, beside each other. Such programs share out rows only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

from numrnn.equations.derive import Block, Group, Grouping, Product, Program, Ratio
from numrnn.equations.emit import FUNCTIONS, emit_blocks, fixed_blocks
from numrnn.equations.symbols import ROW, LinearMap, Value

SHARING = "by_channels, part, parts, barrier"
ACTIVE = "end = active_end(flags, t * batch, low, high) if flags.size else high"
"""Padding at the end of the batch is not computed."""


def emit_module(program: Program, dtype: str, origin: str, options: str = "OPTIONS") -> str:
    """Return the text of a module with the kernels of a program.

    Parameters
    ----------
    program : Program
        The cell's equations, taken apart.
    dtype : str
        "float32" or "float64".
    origin : str
        What the text was made from, for its first line.
    options : str
        Name of the compiler options in `kernels.cpu.machine`.
    """
    bits = dtype.removeprefix("float")
    inline = options.replace("OPTIONS", "INLINE_OPTIONS")
    header = [
        f'"""{origin}"""',
        *(["from math import gcd"] if program.has_groups else []),
        f"from numpy import {'empty, ' * bool(program.has_groups)}{dtype}",
        "from numrnn.kernels.cpu.barrier import wait",
        "from numrnn.kernels.cpu.cache import njit",
        f"from numrnn.kernels.cpu.functions{bits} import {', '.join(FUNCTIONS)}",
        f"from numrnn.kernels.cpu.machine import {inline}, {options}",
        "from numrnn.kernels.cpu.kernel import kernel",
        "from numrnn.kernels.cpu.masking import HOLD, PADDING, active_end, add_row, copy_row, fill_row",
        f"from numrnn.kernels.cpu.matmul import {', '.join(_matmul_names(program))}",
        "from numrnn.kernels.cpu.sharing import share, share_of_channels",
        f"from numrnn.kernels.cpu.vector import LANES{bits} as LANES, add_to, fill, load, load_same, store, sum_of",
    ]
    blocks = [f"@njit(**{inline})\n{text}" for text in emit_blocks(program, dtype).split("\n\n")]
    kernels = [
        *([_emit_fix(program, options)] if program.fixed else []),
        _emit_kernel(
            "forward", "x, output, tape, passing, weights, vectors, masks, flags, stretch", options, _forward(program)
        ),
        "forward_part = forward.part",
        _emit_kernel("step", ", ".join(["x, output", *_step_arrays(program), "stretch"]), options, _step(program)),
        _emit_kernel(
            "backward",
            "x, grad_output, grad_x, tape, gradients, weights, vectors, masks, flags, stretch",
            options,
            _backward(program),
        ),
        _emit_kernel("accumulate", "x, tape, gradients, grad_parameters, scale", options, _accumulate(program)),
    ]
    return "\n\n\n".join(["\n".join(header), *blocks, *kernels]) + "\n"


def _matmul_names(program: Program) -> list[str]:
    products = {f"product{group.columns}" for group in program.groups} | {"product1"}
    return ["CHANNELS", "TILE_VECTORS", "add_products_of_transposed", "add_rows", *sorted(products), "repeat"]


def _emit_kernel(name: str, arguments: str, options: str, lines: list[str]) -> str:
    head = [f"@kernel(**{options})", f"def {name}({arguments}, {SHARING}):"]
    return "\n".join([*head, *("    " + line if line else "" for line in lines)])


@dataclass
class _Text:
    """Lines of a kernel, with the place of every value in its arrays."""

    program: Program
    depth: int  # of what is done at a step
    lines: list[str] = field(default_factory=list)
    is_after: bool = False  # whether what comes now is done for rows of many steps: those from `top` to `bottom`

    def add(self, depth: int, *texts: str) -> None:
        self.lines += ["    " * depth + text for text in texts]

    def at_step(self, depth: int, *texts: str) -> None:
        self.add(self.depth + depth, *texts)

    # ---- where values are: 'array, position' at row `row`, channel j --------------------------------------------

    def place(self, value: Value, j: str = "j") -> str:
        p = self.program
        if value is p.input:
            return f"x, row * size_input + {j}"
        if value in p.states:
            return f"state{p.states.index(value)}, row * size_{value.size} + {j}"
        if value in p.outputs:
            return f"state{p.outputs.index(value)}, (row + batch) * size_{value.size} + {j}"
        if value.kind == "linear":
            return self._in_group(value, j)
        if value.kind == "vector":
            return f"vector{self.vectors.index(value)}, {j}"
        if value in p.fixed:
            return f"vector{len(self.vectors) + p.fixed.index(value)}, {j}"
        if value.kind == "mask":
            return f"mask{list(p.trace.masks.values()).index(value)}, n * size_{value.size} + {j}"
        if value.kind == "noise":
            index = len(p.trace.masks) + list(p.trace.noise.values()).index(value)
            return f"mask{index}, row * size_{value.size} + {j}"
        if value in p.kept_in_group:
            return self._in_group(p.kept_in_group[value], j)
        if value in p.passing:
            return f"passing{p.passing.index(value)}, n * size_{value.size} + {j}"
        return f"kept{p.kept.index(value)}, row * size_{value.size} + {j}"

    def load(self, value: Value, block: Block) -> str:
        """Return what reads a value for a block: what has one number a row is the same in all channels."""
        if value.kind == "spread":
            return _Runs(self, block).load(value)
        if value.kind == "share":
            return f"x.dtype.type(1 / size_{value.name.removeprefix('share_')})"
        return self.load_from(self.place(value, self._j(value, block)), value, block)

    def load_gradient(self, value: Value, block: Block) -> str:
        """Return what reads a value's gradient for a block."""
        return self.load_from(self.gradient_place(value, self._j(value, block)), value, block)

    def load_from(self, place: str, value: Value, block: Block) -> str:
        return f"load_same({place})" if self._is_spread(value, block) else f"load({place}, width)"

    def _j(self, value: Value, block: Block) -> str:
        return "0" if self._is_spread(value, block) else "j"

    def _is_spread(self, value: Value, block: Block) -> bool:
        return value.size == ROW and not block.is_of_rows

    def gradient_place(self, value: Value, j: str = "j") -> str:
        p = self.program
        for k, pair in enumerate(zip(p.states, p.outputs, strict=True)):
            if value in pair and pair[0] in p.wide:
                return f"grad_state{k}, ({self.gradient_row(k, value is pair[1])}) * size_{value.size} + {j}"
        if value in p.work:
            return f"work{p.work.index(value)}, n * size_{value.size} + {j}"
        if value in p.ahead and (self.is_after or value not in p.outputs):
            return self.ahead_place(value, j)
        if value.kind == "vector":
            return f"grad_vector{self.vectors.index(value)}, row * size_{value.size} + {j}"
        return f"grad_{self.place(value, j)}"

    def ahead_place(self, value: Value, j: str = "j") -> str:
        """Return where the part of a value's gradient is that comes from after the loop: in the rows of a stretch."""
        return f"ahead{self.program.ahead.index(value)}, (row - start * batch) * size_{value.size} + {j}"

    def gathered_place(self, k: int, size: str, j: str = "j") -> str:
        row = "(row - start * batch)" if self.is_after else "n"
        return f"gathered{k}, {row} * size_{size} + {j}"

    def gradient_row(self, k: int, is_after: bool) -> str:
        """Return in which row the gradient of state k before, or after, the step at hand is."""
        if self.program.states[k] in self.program.wide:
            return f"{'(t + 1)' if is_after else 't'} % 2 * batch + n"
        return "row + batch" if is_after else "row"

    def _in_group(self, value: Value, j: str) -> str:
        group = self.program.group_of(value)
        column = f"(row * {group.columns} + {group.position(value)})"
        return f"pre{group.index}, {column} * size_{group.size} + {j}"

    @property
    def vectors(self) -> list[Value]:
        return list(self.program.trace.vectors.values())

    # ---- beginnings ----------------------------------------------------------------------------------------------

    def unpack(self, *arrays: str) -> None:
        """Unpack the tape and other tuples of arrays, all flat, and the sizes."""
        p = self.program
        self.add(0, "pre, states, kept = tape", "steps, batch, size_input = x.shape")
        sizes: dict[str, str] = {}
        for k, state in enumerate(p.states):
            sizes.setdefault(state.size or "", f"states[{k}].shape[2]")
        for group in p.groups:
            sizes.setdefault(group.size, f"pre[{group.index}].shape[2] // {group.columns}")
        vectors = "grad_vectors" if "grad_vector" in arrays else "vectors"
        for k, vector in enumerate(self.vectors):
            sizes.setdefault(vector.size or "", f"{vectors}[{k}].shape[-1]")
        if any(value.size == ROW for value in p.totals):
            sizes[ROW] = "1"
        for k, value in enumerate(p.kept if p.has_groups else ()):
            sizes.setdefault(value.size or "", f"kept[{k}].shape[2]")
        for name in (name for value in p.groupings for name in Grouping.of(value)):
            sizes.setdefault(name, str(p.trace.width(name)))  # which no array has
        self.add(0, *(f"size_{size} = {text}" for size, text in sizes.items() if size != "input"))
        self.unpack_more(*arrays)

    def unpack_more(self, *arrays: str) -> None:
        """Unpack further tuples of arrays."""
        p = self.program
        counts = {
            "pre": len(p.groups),
            "state": len(p.states),
            "kept": len(p.kept),
            "work": len(p.work),
            "ahead": len(p.ahead),
            "passing": len(p.passing),
            "gathered": max((len(block.gathered) for block in p.blocks), default=0),
            "vector": len(self.vectors),
            "mask": len(p.trace.masks) + len(p.trace.noise),
            "held": len(p.states),
        }
        for array in arrays:
            count = counts.get(array.removeprefix("grad_"))
            if count is None:
                self.add(0, f"{array} = {array}.ravel()")
            else:
                is_plural = array.endswith(("pre", "kept", "work", "ahead", "held", "passing", "gathered"))
                plural = array if is_plural else f"{array}s"
                remarks = [self._remark(array, k) for k in range(count)]
                self.add(0, *(f"{array}{k} = {plural}[{k}].ravel(){remarks[k]}" for k in range(count)))

    def _remark(self, array: str, k: int) -> str:
        names = ", ".join(m.name for m in self.program.groups[k].maps) if array == "pre" else ""
        return f"  # {names}" if names else ""

    def share(self, sizes: Iterable[str]) -> None:
        """Find the rows and channels of this part in the loop over time."""
        if self.program.has_groups:
            self.add(0, "by_channels = False")
        self.add(
            0,
            "team, place = (parts, part) if by_channels else (1, 0)",
            "low, high = (0, batch) if by_channels else share(batch, part, parts)",
        )
        names = dict.fromkeys(sizes)
        unit = "TILE_VECTORS * LANES" if self.program.depth else "LANES"
        self.add(0, *(f"first_{s}, last_{s} = share_of_channels(size_{s}, place, team, {unit})" for s in names))

    # ---- pieces of a step ----------------------------------------------------------------------------------------

    def block(self, name: str, size: str, loads: list[str], stores: list[str]) -> None:
        """Add the loops over rows and channels that run a block: `stores` are lines with `{0}` for a result."""
        self._over_rows()
        self.at_step(1, f"for j in range({self._channels(size)}, LANES):", f"    width = size_{size} - j")
        results = [f"result{k}" for k in range(len(stores))]
        self.at_step(2, f"{', '.join(results)}, = {name}(" if results else f"{name}(")
        self.at_step(3, *(f"{text}," for text in loads))
        self.at_step(2, ")")
        for text, result in zip(stores, results, strict=True):
            self.at_step(2, *text.format(result).split("\n"))

    def scratch(self, groupings: Iterable[tuple[Block, list[Value]]]) -> None:
        """Make room for the terms of sums of channels beside each other, in a run, for the groupings of each block.

        Vectors are stored there as a whole, which is quicker; what lies beyond the run is not read.
        """
        runs: dict[int, dict[str, None]] = {}
        for block, values in groupings:
            for index, value in enumerate(values):
                if Grouping.of(value).is_of_single:
                    runs.setdefault(index, {})[_Runs(self, block).length] = None
        for index, lengths in runs.items():
            length = functools.reduce("max({}, {})".format, lengths)
            self.add(0, f"scratch{index} = empty({length} + LANES, x.dtype)")

    def rows_apart(self, line: str) -> None:
        """Add the loop that does something for each row; of several parts, one does it."""
        self._over_rows()
        self.at_step(1, f"for j in range({self._channels(ROW)}):", f"    {line}")

    def fill(self, place: str, size: str) -> None:
        """Add loops that set something to zero in this part."""
        self._over_rows("high")
        self.at_step(1, f"for j in range({self._channels(size)}, LANES):", f"    fill({place}, size_{size} - j)")

    def _over_rows(self, end: str = "end") -> None:
        if self.is_after:
            self.at_step(0, "for row in range(top, bottom):", "    n = row % batch")
        else:
            self.at_step(0, f"for n in range(low, {end}):", "    row = t * batch + n")

    def _channels(self, size: str) -> str:
        return f"0, size_{size}" if self.is_after else f"first_{size}, last_{size}"

    def meet(self) -> None:
        """Let all parts that have channels of the same rows wait for each other."""
        if not self.is_after:
            self.at_step(0, "wait(barrier, team)")

    # ---- rows of matrix products: the first, and how many ---------------------------------------------------------

    @property
    def first_row(self) -> str:
        return "top" if self.is_after else "t * batch + low"

    @property
    def rows(self) -> str:
        return "bottom - top" if self.is_after else "end - low"

    def channels_of_product(self, size: str) -> tuple[str, str] | None:
        return None if self.is_after else (f"first_{size}", f"last_{size}")

    # ---- after the loop, and before the loop backwards --------------------------------------------------------------

    def begin_after(self) -> None:
        """Begin what is done for the rows of all steps from `start` to `stop`, which are shared out whatever the batch.

        With padding, steps are shared out, and that at the end of the batch is left out.
        """
        self.is_after = True
        self.add(self.depth - 1, "wait(barrier, parts)", "pieces = stop - start if flags.size else parts")
        self.add(self.depth - 1, "for piece in range(part, pieces, parts):")
        self.at_step(0, "top, bottom = share((stop - start) * batch, piece, pieces)")
        self.at_step(0, "top, bottom = start * batch + top, start * batch + bottom", "if flags.size:")
        self.at_step(1, "bottom = top + active_end(flags, top, 0, batch)")

    def end_after(self) -> None:
        """End that on the way forward: padding may hold what other parts made."""
        self.is_after = False
        if self._states(after=True):
            self.add(self.depth - 1, "if flags.size:", "    wait(barrier, parts)")
            self.add(self.depth - 1, "for t in range(start, stop if flags.size else start):")
            self.end_flagged(after=True)

    # ---- rows that are treated apart: `(array, row of n, size)` says where a row's channels are -------------------

    def row_call(self, depth: int, function: str, *rows: tuple[str, str, str]) -> None:
        """Add a call of a function of `kernels.cpu.masking`."""
        size = rows[0][2]
        places = ", ".join(f"{array}, ({row}) * size_{size}" for array, row, size in rows)
        self.at_step(depth, f"{function}({places}, first_{size}, last_{size})")

    def _states(self, after: bool) -> list[tuple[int, Value]]:
        """Return the states, with their numbers, that are computed after the loop, or those in it."""
        p = self.program
        new = enumerate(zip(p.states, p.outputs, strict=True))
        return [(k, state) for k, (state, value) in new if p.is_after(value) == after]

    def end_flagged(self, after: bool = False) -> None:
        """Give rows of padding the state that they end with, which is their output, too."""
        states = self._states(after)
        if not states:
            return
        self.at_step(0, "if flags.size:", "    for n in range(low, high):", "        row = t * batch + n")
        self.at_step(2, "if flags[row] & PADDING:")
        for k, state in states:
            size = state.size or ""
            after = f"state{k}", "row + batch", size
            self.at_step(3, "if flags[row] & HOLD:")
            self.row_call(4, "copy_row", (f"state{k}", "row", size), after)
            self.at_step(3, "else:")
            self.row_call(4, "fill_row", after)
            if k == 0:
                self.row_call(3, "copy_row", after, ("output", "row", size))

    def begin_flagged_backward(self) -> None:
        """Keep the gradients that the states after padding receive: what is computed there adds to them."""
        states = self._states(after=False)
        if not states:
            return
        self.at_step(0, "if flags.size:", "    for n in range(low, high):", "        row = t * batch + n")
        self.at_step(2, "if flags[row] & PADDING:")
        for k, state in states:
            size = state.size or ""
            after = f"grad_state{k}", self.gradient_row(k, True), size
            self.row_call(3, "copy_row", after, (f"held{k}", "n", size))

    def end_flagged_backward(self, writes_input: bool) -> None:
        """Give rows of padding the gradients that they have."""
        p, states = self.program, self._states(after=False)
        if not (p.groups or self.vectors or writes_input or states):
            return
        self.at_step(0, "if flags.size:", "    for n in range(low, high):", "        row = t * batch + n")
        self.at_step(2, "if flags[row] & PADDING:")
        for group in p.groups:
            for column in range(group.columns):
                place = f"grad_pre{group.index}", f"row * {group.columns} + {column}", group.size
                self.row_call(3, "fill_row", place)
        for k, vector in enumerate(self.vectors):
            self.row_call(3, "fill_row", (f"grad_vector{k}", "row", vector.size or ""))
        if writes_input:
            self.row_call(3, "fill_row", ("grad_x", "row", "input"))
        for k, state in states:
            size = state.size or ""
            before, after = ((f"grad_state{k}", self.gradient_row(k, is_after), size) for is_after in (False, True))
            self.row_call(3, "copy_row", (f"held{k}", "n", size), after)
            self.at_step(3, "if flags[row] & HOLD:")
            self.row_call(4, "copy_row", (f"held{k}", "n", size), before)
            if k < p.given_out:
                self.row_call(4, "add_row", (_grad_output(p, k), "row", size), before)
            self.at_step(3, "else:")
            self.row_call(4, "fill_row", before)

    def begin_after_backward(self) -> list[Value]:
        """Set the gradients of states that are computed after the loop: later steps add nothing, but padding holds.

        Return these states.
        """
        p, states = self.program, self._states(after=True)
        if states:
            self.add(self.depth - 1, "for step in range(stop - start):", "    t = stop - 1 - step")
        for k, state in states:
            size = state.size or ""
            before = f"grad_state{k}", "row", size
            self.fill(self.gradient_place(state), size)
            self.at_step(0, "if flags.size:", "    for n in range(low, high):", "        row = t * batch + n")
            self.at_step(2, "if flags[row] & HOLD:")
            self.row_call(3, "copy_row", (f"grad_state{k}", "row + batch", size), before)
            if k < p.given_out:
                self.row_call(3, "add_row", (_grad_output(p, k), "row", size), before)
        return [state for _, state in states]


@dataclass
class _Runs:
    """How a block that spreads channels, or adds up groups of them, goes over its channels.

    In run `k`, which is in unit `unit` and begins with channel `start`, what is spread is one number, or as many as the
    run has, beside each other; and so are the sums that its channels belong to.
    """

    text: _Text
    block: Block

    def __post_init__(self) -> None:
        self.trace = self.text.program.trace
        self.layout = self.block.layout(self.trace)

    @property
    def length(self) -> str:
        """How many channels a run has, at most, as text."""
        return self.ratio(self.layout.runs[0])

    def emit(self, name: str, loads: list[str], stores: list[str], sums: list[tuple[int, Value, str]]) -> None:
        """Add the loops over rows and runs.

        `stores` are as for `_Text.block`, or empty; `sums` say that of a result (its number) sums are added to
        something: the spread or total with their grouping, and the place, with `{0}` for the channel.
        """
        add = self.text.at_step
        run = functools.reduce("gcd({}, {})".format, map(self.ratio, self.layout.runs))
        add(0, f"run, runs = {run}, {self.ratio(self.layout.unit)}", "runs = runs // run")
        add(0, "for n in range(low, end):", "    row = t * batch + n")
        add(1, f"for unit in range(size_{self.block.size} // run // runs):")
        add(2, "for k in range(unit * runs, (unit + 1) * runs):", "    begin = k * run")
        for value in self.block.spreads:
            if self.load(value) in loads and Grouping.of(value).is_of_single:
                add(3, f"{self.load(value)} = load_same({self._place_of_few(value, self._first_of_few(value))})")
        add(3, "for j in range(begin, begin + run, LANES):", "    width = begin + run - j")
        add(4, f"{', '.join(f'result{k}' for k in range(len(stores)))}, = {name}(")
        add(5, *(f"{load}," for load in loads))
        add(4, ")")
        for k, store in enumerate(stores):
            add(4, *store.format(f"result{k}").splitlines())
        at_the_end = []
        for index, (k, value, place) in enumerate(sums):
            first = self._first_of_few(value)
            if Grouping.of(value).is_of_single:
                add(4, f"store(result{k}, scratch{index}, j - begin, LANES)")
                at_the_end.append(f"{_element(place.format(first))} += sum_of(scratch{index}, 0, run)")
            else:
                add(4, f"add_to(result{k}, {place.format(f'{first} + j - begin')}, width)")
        add(3, *at_the_end)

    def load(self, value: Value) -> str:
        """Return what reads what is spread: a variable, or as many numbers as the run has."""
        if Grouping.of(value).is_of_single:
            return f"same{self.block.spreads.index(value)}"
        return f"load({self._place_of_few(value, f'{self._first_of_few(value)} + j - begin')}, width)"

    def ratio(self, ratio: Ratio) -> str:
        """Return how many times as many channels one size has as another, as text."""
        return f"size_{ratio.many}" if ratio.few == ROW else f"size_{ratio.many} // size_{ratio.few}"

    def _place_of_few(self, value: Value, j: str) -> str:
        """Return where that is which is spread."""
        (argument,) = value.arguments
        is_seed = argument.kind == "seed"
        return self.text.gradient_place(argument.arguments[0], j) if is_seed else self.text.place(argument, j)

    def _first_of_few(self, value: Value) -> str:
        """Return with which of the few channels of a grouping run k begins."""
        grouping = Grouping.of(value)
        if grouping.is_of_single:
            return self._before(grouping.run)
        first = f"{self._before(grouping.unit)} * ({self.ratio(grouping.run)})"
        is_run = self._is_run(grouping.run)
        return first if is_run else f"{first} + k % ({self.ratio(grouping.run)} // run) * run"

    def _before(self, ratio: Ratio) -> str:
        """Return how many times so many channels there are before run k."""
        if ratio.number(self.trace) == self.layout.unit.number(self.trace):
            return "unit"
        return "k" if self._is_run(ratio) else f"k // ({self.ratio(ratio)} // run)"

    def _is_run(self, ratio: Ratio) -> bool:
        run, *others = self.layout.runs
        return not others and ratio.number(self.trace) == run.number(self.trace)


def _panels(parts: int, low: str, high: str) -> str:
    """Return 'first panel, last panel' for a range of channels."""
    return f"{low} // (CHANNELS[{parts}] * LANES), -(-{high} // (CHANNELS[{parts}] * LANES))"


def _forward(program: Program) -> list[str]:
    text = _Text(program, depth=2)
    text.unpack("x", "pre", "state", "kept")
    text.unpack_more("mask", "passing")
    text.add(0, "output = output.ravel()", "flags = flags.ravel()", "biases, inputs, panels = weights")
    text.add(0, *(f"vector{k} = vectors[{k}]" for k in range(len(text.vectors) + len(program.fixed))))
    others = [state.size or "" for state in program.states] + [value.size or "" for value in program.totals]
    text.share([block.size for block in program.blocks] + [group.size for group in program.groups] + others)
    text.scratch((block, block.sums) for block in program.blocks)
    text.add(0, "for start in range(0, steps, stretch):", "    stop = min(steps, start + stretch)")
    _emit_input_maps(text)
    text.add(1, "wait(barrier, parts)", "for t in range(start, stop):")
    text.at_step(0, ACTIVE)
    for level in range(program.last_level + 1):
        if level == program.depth + 1:
            text.end_flagged()
            text.begin_after()
        products = [(k, product) for k, product in enumerate(program.products) if product.group.level == level]
        totals = [value for value in program.totals if value.size == ROW and program.level(value) == level]
        if products or totals:
            text.meet()
        for k, product in products:
            group, size = product.group, product.group.size
            array, start = _rows_of(program, product.argument, text.first_row)
            row = f"({text.first_row}) * {group.columns} * size_{size}"
            is_first = _starts_from_bias(program, group) and product is program.products_of(group)[0]
            call = _Call(
                source=(array, f"({start})"),
                rows=text.rows,
                panels=f"panels[{k}]",
                channels=text.channels_of_product(size),
                before=(f"biases[{group.index}]", "0", "0")
                if is_first
                else (f"pre{group.index}", row, f"{group.columns} * size_{size}"),
                target=(f"pre{group.index}", row),
            )
            _emit_product(text, text.depth, group, product.position, call)
        for value in totals:
            argument = value.arguments[0]
            source = f"sum_of({text.place(argument, '0')}, size_{argument.size})"
            text.rows_apart(f"{_element(text.place(value))} = {source}")
        at_level = [(index, block) for index, block in enumerate(program.blocks) if block.level == level]
        for index, block in at_level:
            if block.is_of_rows:
                _emit_block(text, index, block)
        if totals or any(block.is_of_rows for _, block in at_level):
            text.meet()
        for index, block in at_level:
            if not block.is_of_rows:
                _emit_block(text, index, block)
    if program.last_level > program.depth:
        text.end_after()
    else:
        text.end_flagged()
    return text.lines


def _element(place: str) -> str:
    """Return the element of an array at a place, as text."""
    array, position = place.split(", ")
    return f"{array}[{position}]"


def _emit_block(text: _Text, index: int, block: Block) -> None:
    first, placed = text.program.outputs[0], text.program.placed
    stores = [f"store({{0}}, {text.place(value)}, width)" if value in placed else "" for value in block.outputs]
    if first in block.outputs:
        stores[block.outputs.index(first)] += f"\nstore({{0}}, output, row * size_{block.size} + j, width)"
    loads = [text.load(value, block) for value in block.inputs]
    if block.layout(text.program.trace) is None:
        text.block(f"block{index}", block.size, loads, stores)
        return
    for value in block.sums:
        text.fill(text.place(value), value.size or "")
    sums = [(block.outputs.index(value.arguments[0]), value, text.place(value, "{0}")) for value in block.sums]
    _Runs(text, block).emit(f"block{index}", loads, stores, sums)


def _emit_fix(program: Program, options: str) -> str:
    """Return the kernel that computes the functions of parameters alone."""
    text = _Text(program, depth=0)
    text.add(0, *(f"vector{k} = vectors[{k}]" for k in range(len(text.vectors) + len(program.fixed))))
    for index, (inputs, _, outputs) in enumerate(fixed_blocks(program)):
        text.add(0, f"size = len({text.place(outputs[0]).split(', ')[0]})", "for j in range(0, size, LANES):")
        results = "".join(f"result{k}, " for k in range(len(outputs)))
        text.add(1, "width = size - j", f"{results}= fixed{index}(")
        text.add(2, *(f"load({text.place(value)}, width)," for value in inputs))
        text.add(1, ")")
        text.add(1, *(f"store(result{k}, {text.place(value)}, width)" for k, value in enumerate(outputs)))
    head = [f"@njit(**{options})", "def fix(vectors):"]
    return "\n".join([*head, *("    " + line for line in text.lines)])


@dataclass
class _Call:
    """A matrix product in a kernel, of all heads: arrays, flat, with where to begin; numbers are expressions."""

    source: tuple[str, str]  # array, row
    rows: str
    panels: str
    channels: tuple[str, str] | None  # of the target that this part of the kernel has; None: all
    before: tuple[str, str, str]  # array, start, from row to row
    target: tuple[str, str]  # array, start


def _emit_product(text: _Text, depth: int, group: Group, position: int, call: _Call) -> None:
    """Add the product of a group's weights with an argument: target = before + W argument."""
    size, width = f"size_{group.size}", f"size_{group.maps[0].arguments[position].size}"
    array, row = call.source
    source = f"{array}, {row} * {width}"
    if group.maps[0].heads[position] == 1:
        panels = f"0, len({call.panels})" if call.channels is None else _panels(group.columns, *call.channels)
        text.add(
            depth,
            f"product{group.columns}(",
            f"    {source}, {width}, 1, {call.rows},",
            f"    {call.panels}, {panels},",
            f"    {', '.join(call.before)}, {', '.join(call.target)}, {size}, {size},",
            ")",
        )
        return
    array, start, step = call.before
    _begin_heads(text, depth, call)
    text.add(
        depth + 1,
        f"channel, own = head * ({size} // heads), {size} // heads",
        f"product{group.columns}(",
        f"    {source} + head * ({width} // heads), {width}, 1, {call.rows},",
        f"    {call.panels}[head], 0, len({call.panels}[head]),",
        f"    {array}, {start} + channel, {step}, {', '.join(call.target)} + channel, {size}, own,",
        ")",
    )
    _end_heads(text, depth, call)


def _emit_product_of_transposed(text: _Text, depth: int, group: Group, position: int, call: _Call) -> None:
    """Add the product of a group's transposed weights with the gradients of its maps: target = before + W' gradient.

    With heads, the parts of a head lie apart in the gradients, and are multiplied one after the other.
    """
    size, width = f"size_{group.size}", f"size_{group.maps[0].arguments[position].size}"
    array, row = call.source
    inner = f"{group.columns} * {size}"
    if group.maps[0].heads[position] == 1:
        panels = f"0, len({call.panels})" if call.channels is None else _panels(1, *call.channels)
        text.add(
            depth,
            "product1(",
            f"    {array}, {row} * {inner}, {inner}, 1, {call.rows},",
            f"    {call.panels}, {panels},",
            f"    {', '.join(call.before)}, {', '.join(call.target)}, {width}, {width},",
            ")",
        )
        return
    _begin_heads(text, depth, call)
    text.add(depth + 1, f"channel, own = head * ({width} // heads), {width} // heads")
    for column in range(group.columns):
        before, start, step = call.before if column == 0 else (*call.target, width)
        text.add(
            depth + 1,
            "product1(",
            f"    {array}, ({row} * {group.columns} + {column}) * {size} + head * ({size} // heads), {inner}, 1,",
            f"    {call.rows}, {call.panels}[head, {column}], 0, len({call.panels}[head, {column}]),",
            f"    {before}, {start} + channel, {step}, {', '.join(call.target)} + channel, {width}, own,",
            ")",
        )
    _end_heads(text, depth, call)


def _begin_heads(text: _Text, depth: int, call: _Call) -> None:
    """Add the loop over heads. In the loop over time they are shared out, so others may have begun what is added to."""
    text.add(depth, f"heads = len({call.panels})")
    if call.channels is None:
        text.add(depth, "for head in range(heads):")
    else:
        text.add(depth, "wait(barrier, team)", "own_head, end_head = share(heads, place, team)")
        text.add(depth, "for head in range(own_head, end_head):")


def _end_heads(text: _Text, depth: int, call: _Call) -> None:
    if call.channels is not None:
        text.add(depth, "wait(barrier, team)")


def _step_arrays(program: Program) -> list[str]:
    """Return what `step` is called with besides input and output: single arrays, which are quicker to hand over."""
    states, groups = range(len(program.states)), program.groups
    inputs = [group for group in groups if _maps_input(program, group)]
    return [
        *(f"old{k}" for k in states),
        *(f"state{k}" for k in states),
        *(f"pre{group.index}" for group in groups),
        *(f"kept{k}" for k in range(len(program.kept))),
        *(f"passing{k}" for k in range(len(program.passing))),
        *(f"bias{group.index}" for group in groups),
        *(f"input{k}" for k in range(len(inputs))),
        *(f"product{k}_panels" for k in range(len(program.products))),
        *(f"vector{k}" for k in range(len(program.trace.vectors) + len(program.fixed))),
        *(f"mask{k}" for k in range(len(program.trace.masks) + len(program.trace.noise))),
        "flags",
    ]


def _step(program: Program) -> list[str]:
    """Make one step from the state `old`. Numbers are passed on: for constants Numba would compile `forward` again."""
    arrays = _step_arrays(program)

    def tuple_of(start: str, end: str = "") -> str:
        return f"({''.join(f'{name}, ' for name in arrays if name.startswith(start) and name.endswith(end))})"

    return [
        *(f"copy_row(old{k}.ravel(), 0, state{k}.ravel(), 0, 0, old{k}.size)" for k in range(len(program.states))),
        "batch = len(x)",
        "forward_part(",
        "    x.reshape((1, batch, x.shape[1])), output.reshape((1, batch, output.shape[1])),",
        f"    ({tuple_of('pre')}, {tuple_of('state')}, {tuple_of('kept')}), {tuple_of('passing')},",
        f"    ({tuple_of('bias')}, {tuple_of('input')}, {tuple_of('product', 'panels')}),",
        f"    {tuple_of('vector')}, {tuple_of('mask')}, flags, stretch, {SHARING},",
        ")",
    ]


def _emit_input_maps(text: _Text) -> None:
    """Add the products with the input, for all steps from `start` to `stop`: channels, or rows whatever the batch.

    With padding, steps are shared out instead of rows, and that at the end of the batch is left out.
    """
    program = text.program
    inputs = [group for group in program.groups if _maps_input(program, group)]

    def products(depth: int, rows: str) -> None:
        for k, group in enumerate(inputs):
            call = _Call(
                source=("x", "row"),
                rows=rows,
                panels=f"inputs[{k}]",
                channels=(f"first_{group.size}", f"last_{group.size}"),
                before=(f"biases[{group.index}]", "0", "0"),
                target=(f"pre{group.index}", f"row * {group.columns} * size_{group.size}"),
            )
            _emit_product(text, depth, group, group.maps[0].arguments.index(program.input), call)

    text.add(1, "top, bottom = share((stop - start) * batch, part, parts)", "row = start * batch + top")
    for group in program.groups:
        if group not in inputs and not _starts_from_bias(program, group):
            pre = f"pre{group.index}, row * {group.columns} * size_{group.size}"
            text.add(1, f"repeat(biases[{group.index}], {pre}, bottom - top)")
    if inputs:
        text.add(1, "first, every = (start, 1) if by_channels else (start + part, parts)")
        text.add(1, "if flags.size:", "    for t in range(first, stop, every):", "        row = t * batch")
        products(3, "active_end(flags, row, 0, batch)")
        text.add(
            1, "else:", "    if by_channels:", "        row, top, bottom = start * batch, 0, (stop - start) * batch"
        )
        products(2, "bottom - top")


def _maps_input(program: Program, group: Group) -> bool:
    return program.input in group.maps[0].arguments


def _starts_from_bias(program: Program, group: Group) -> bool:
    """Whether nothing is written to a group's results before its first product."""
    return group.level > program.depth and not _maps_input(program, group)


def _rows_of(program: Program, value: Value, row: str) -> tuple[str, str]:
    """Return the array of a product's argument, and the row that belongs to `row`."""
    if value is program.input:
        return "x", row
    if value in program.states:
        return f"state{program.states.index(value)}", row
    if value in program.outputs:
        return f"state{program.outputs.index(value)}", f"{row} + batch"
    return f"kept{program.kept.index(value)}", row


def _gradient_rows_of(text: _Text, value: Value) -> tuple[str, str]:
    """Return the array of the gradient of a product's argument, and its first row."""
    program = text.program
    if value in program.work:
        return f"work{program.work.index(value)}", "low"
    if value in program.ahead and (text.is_after or value not in program.outputs):
        return f"ahead{program.ahead.index(value)}", f"{text.first_row} - start * batch"
    array, row = _rows_of(program, value, text.first_row)
    return f"grad_{array}", row


def _backward(program: Program) -> list[str]:
    has_after = program.last_level > program.depth
    text = _Text(program, depth=1 + has_after)
    text.add(0, "grad_pre, grad_states, grad_vectors, work, ahead, held, gathered = gradients")
    text.unpack("x", "pre", "state", "kept", "grad_pre", "grad_state", "grad_vector", "work", "ahead", "grad_x")
    outside = [f"grad_output[{k}]" for k in range(program.given_out)] if program.given_out > 1 else ["grad_output"]
    text.add(0, *(f"{_grad_output(program, k)} = {array}.ravel()" for k, array in enumerate(outside)))
    text.unpack_more("mask", "held", "gathered")
    text.add(0, "zeros, inputs, panels = weights", "flags = flags.ravel()")
    text.add(0, *(f"vector{k} = vectors[{k}]" for k in range(len(text.vectors) + len(program.fixed))))
    arguments = [product.argument for product in program.products]
    sizes = [value.size or "" for value in (*arguments, *program.states, *text.vectors)]
    writes_input = any(program.input in block.gradients for block in program.blocks)
    sizes += ["input"] * writes_input + [value.size or "" for value in program.totals]
    sizes += [value.arguments[0].size or "" for value in program.spreads]
    text.share([block.size for block in program.blocks] + [group.size for group in program.groups] + sizes)
    text.scratch((block, block.spread_gradients) for block in program.blocks)
    written: set[Value] = set(program.outputs)  # gradients that hold something already: those of the new states do
    if has_after:
        text.add(0, "for stop in range(steps, 0, -stretch):", "    start = max(0, stop - stretch)")
        written.update(text.begin_after_backward())
        written.difference_update(program.ahead)
        text.begin_after()

    def way_of(value: Value) -> str:
        way = "add_to" if value in written else "store"
        written.add(value)
        return way

    for level in reversed(range(program.last_level + 1)):
        if level == program.depth:
            _begin_steps_back(text)
            written.update(program.outputs)
        at_level = [(k, block) for k, block in enumerate(program.blocks) if block.level == level and block.gradients]
        for index, block in reversed(at_level):  # those of rows come last
            loads = [_gradient_load(text, value, block) for value in block.gradient_inputs]
            stores, sums = [], []
            for k, v in enumerate(block.gradients):
                if v.kind == "spread":
                    (few,) = v.arguments
                    if way_of(few) == "store":
                        text.fill(text.gradient_place(few), few.size or "")
                    stores.append("")
                    sums.append((k, v, text.gradient_place(few, "{0}")))
                elif v in block.gathered:
                    place = text.gathered_place(block.gathered.index(v), block.size)
                    stores.append(f"store({{0}}, {place}, width)")
                else:
                    stores.append(f"{way_of(v)}({{0}}, {text.gradient_place(v)}, width)")
            if block.layout(program.trace) is None:
                text.block(f"block{index}_backward", block.size, loads, stores)
            else:
                _Runs(text, block).emit(f"block{index}_backward", loads, stores, sums)
            if block.gathered:
                text.meet()
            for k, value in enumerate(block.gathered):
                sign = "+=" if value in written else "="
                written.add(value)
                source = f"sum_of({text.gathered_place(k, block.size, '0')}, size_{block.size})"
                text.rows_apart(f"{_element(text.gradient_place(value))} {sign} {source}")
            if block.gathered or block.is_of_rows:
                text.meet()
        for group in program.groups:
            if group.level == level:
                for value in _parts(program, group.maps):
                    if value not in written:
                        text.fill(text.gradient_place(value), group.size)
        products = [(k, product) for k, product in enumerate(program.products) if product.group.level == level]
        if products:
            text.meet()
        for k, product in products:
            _emit_product_back(text, k, product, product.argument in written)
            written.add(product.argument)
    for state in program.states:
        if state not in written:
            text.fill(text.gradient_place(state), state.size or "")
    for vector in text.vectors:
        if vector not in written:
            text.fill(text.gradient_place(vector), vector.size or "")
    text.end_flagged_backward(writes_input)
    _emit_input_gradient(text, program.input in written)
    return text.lines


def _begin_steps_back(text: _Text) -> None:
    """Begin the loop over time backwards: over a stretch of steps if something was done for all of it before."""
    if text.is_after:
        text.is_after = False
        text.add(1, "wait(barrier, parts)", "for step in range(stop - start):", "    t = stop - 1 - step")
    else:
        text.add(0, "for step in range(steps):", "    t = steps - 1 - step")
    text.at_step(0, ACTIVE)
    text.begin_flagged_backward()


def _emit_product_back(text: _Text, k: int, product: Product, is_written: bool) -> None:
    group, size = product.group, f"size_{product.argument.size}"
    array, row = _gradient_rows_of(text, product.argument)
    target = array, f"({row}) * {size}"
    call = _Call(
        source=(f"grad_pre{group.index}", f"({text.first_row})"),
        rows=text.rows,
        panels=f"panels[{k}]",
        channels=text.channels_of_product(product.argument.size or ""),
        before=(*target, size) if is_written else ("zeros", "0", "0"),
        target=target,
    )
    _emit_product_of_transposed(text, text.depth, group, product.position, call)


def _emit_input_gradient(text: _Text, is_written: bool) -> None:
    """Add the products that give the gradient of the input, for all steps at once; with padding, step by step."""
    program = text.program
    inputs = [group for group in program.groups if _maps_input(program, group)]

    def products(depth: int, rows: str) -> None:
        target = "grad_x", "row * size_input"
        for k, group in enumerate(inputs):
            call = _Call(
                source=(f"grad_pre{group.index}", "row"),
                rows=rows,
                panels=f"inputs[{k}]",
                channels=None,
                before=(*target, "size_input") if is_written or k > 0 else ("zeros", "0", "0"),
                target=target,
            )
            _emit_product_of_transposed(text, depth, group, group.maps[0].arguments.index(program.input), call)

    text.add(0, "wait(barrier, parts)", "top, bottom = share(steps * batch, part, parts)", "row = top")
    if not inputs:
        if not is_written:
            text.add(0, "repeat(zeros[:size_input], grad_x, top * size_input, bottom - top)")
        return
    text.add(0, "if flags.size:", "    for t in range(part, steps, parts):")
    text.add(2, "row, end = t * batch, active_end(flags, t * batch, 0, batch)")
    if not is_written:
        text.add(2, "repeat(zeros[:size_input], grad_x, (row + end) * size_input, batch - end)")
    products(2, "end")
    text.add(0, "else:")
    products(1, "bottom - top")


def _gradient_load(text: _Text, value: Value, block: Block) -> str:
    """Return what a backward block reads for `value`."""
    if value.kind != "seed":
        return text.load(value, block)
    target = value.arguments[0]
    gradient = text.load_gradient(target, block)
    if target in text.program.outputs and target in text.program.ahead:
        gradient = f"{gradient} + load({text.ahead_place(target)}, width)"
    given_out = text.program.outputs[: text.program.given_out]
    if target in given_out:
        array = _grad_output(text.program, given_out.index(target))
        return f"{gradient} + load({array}, row * size_{target.size} + j, width)"
    return gradient


def _grad_output(program: Program, k: int) -> str:
    """Return the name of the gradient that state k receives from outside; a tuple of such if there are several."""
    return "grad_output" if program.given_out == 1 else f"grad_output{k}"


def _accumulate(program: Program) -> list[str]:
    """Add up the rows' gradients in the order of stepping back: the last row first."""
    text = _Text(program, depth=0)
    text.add(0, "grad_pre, grad_states, grad_vectors, work, ahead, held, gathered = gradients")
    text.unpack("x", "state", "kept", "grad_pre", "grad_vector")
    text.add(0, "rows = steps * batch")
    index = 0
    for group in program.groups:
        size, before = f"size_{group.size}", 0
        for m in group.maps:
            step = f"{group.columns} * {size}"
            source = f"grad_pre{group.index}, (rows - 1) * {step} + {before} * {size}, -{step}"
            before += m.parts
            text.add(0, f"low, high = share({m.parts} * {size}, part, parts)")
            rows = [_rows_of(program, argument, "0") for argument in m.arguments]
            widths = [f"size_{argument.size}" for argument in m.arguments]
            starts = [
                f"(rows - 1{' + batch' if row != '0' else ''}) * {w}" for (_, row), w in zip(rows, widths, strict=True)
            ]
            targets = [f"grad_parameters[{index + k}].ravel()" for k in range(len(rows))]
            index += len(rows)
            sums = f"grad_parameters[{index}]" if m.bias else f"{targets[0]}[:0]"
            whole = [k for k in range(len(rows)) if m.heads[k] == 1]
            if whole:
                text.add(
                    0,
                    "add_products_of_transposed(",
                    f"    {source}, low, high, rows,",
                    f"    ({', '.join(rows[k][0] for k in whole)},),",
                    f"    ({', '.join(starts[k] for k in whole)},),",
                    f"    ({', '.join(widths[k] for k in whole)},),",
                    f"    ({', '.join(widths[k] for k in whole)},), scale,",
                    f"    ({', '.join(targets[k] for k in whole)},), {sums},",
                    ")",
                )
            for k in range(len(rows)):
                if m.heads[k] > 1:
                    place = rows[k][0], starts[k], widths[k]
                    _emit_weights_of_heads(text, m, source, size, place, targets[k].removesuffix(".ravel()"))
            if m.bias and not whole:
                text.add(0, f"add_rows({source}, low, high, rows, scale, {sums})")
            index += m.bias
    for k, vector in enumerate(text.vectors):
        size = f"size_{vector.size}"
        text.add(0, f"low, high = share({size}, part, parts)")
        text.add(
            0,
            f"add_rows(grad_vector{k}, (rows - 1) * {size}, -{size}, low, high, rows, scale, grad_parameters[{index}])",
        )
        index += 1
    return text.lines


def _emit_weights_of_heads(
    text: _Text, m: LinearMap, source: str, size: str, place: tuple[str, str, str], target: str
) -> None:
    """Add the gradient of block-diagonal weights: of each head and part, channels are shared out."""
    (gradient, start, step), (array, first, width) = source.split(", "), place
    text.add(
        0,
        f"heads = len({target})",
        f"own_low, own_high = share({size} // heads, part, parts)",
        "for head in range(heads):",
    )
    text.add(1, f"channel = head * ({width} // heads)", f"for column in range({m.parts}):")
    text.add(
        2,
        "add_products_of_transposed(",
        f"    {gradient}, {start} + column * {size} + head * ({size} // heads), {step}, own_low, own_high, rows,",
        f"    ({array},), ({first} + channel,), ({width},), ({width} // heads,), scale,",
        f"    ({target}[head].ravel()[column * ({size} // heads) * ({width} // heads) :],),",
        f"    {target}[head].ravel()[:0],",
        ")",
    )


def parameter_order(program: Program) -> list[str]:
    """Return the names of the parameters in the order in which `accumulate` wants their gradients."""
    names = []
    for group in program.groups:
        for m in group.maps:
            names += [f"{m.name}_weight_{suffix}" for suffix in m.suffixes]
            names += [f"{m.name}_bias"] if m.bias else []
    return names + list(program.trace.vectors)


def _parts(program: Program, maps: Iterable[LinearMap]) -> list[Value]:
    return [
        program.trace.value("linear", m.name, arguments=m.arguments, size=m.size, part=part)
        for m in maps
        for part in range(m.parts)
    ]
