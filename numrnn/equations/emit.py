"""Writes a program out as Python that Numba compiles: scalar blocks, and the loops over time around them.

The blocks are plain functions of scalars (the same text serves any target). The loops move channels, `LANES` at a
time, from the arrays of the tape into a small scratch array, run a block on each lane, and move the results back: in
the scratch array every address is known, so the compiler can turn the block into vector code.
"""

from __future__ import annotations

import keyword
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from numrnn.equations.derive import Block, Program
from numrnn.equations.functions import OPERATIONS
from numrnn.equations.symbols import Value

FUNCTIONS = ("exp", "log", "sigmoid", "softplus", "sqrt", "tanh")
RESERVED = {*FUNCTIONS, *keyword.kwlist, "abs", "max", "min", "float32", "float64"}
"""What no variable of a block may be called."""


def emit_blocks(program: Program, dtype: str) -> str:
    """Return the text of the scalar functions, forward and backward, of every block.

    They call the functions of `FUNCTIONS` and `dtype` (a conversion), which the surrounding module provides.
    """
    texts = []
    for index, block in enumerate(program.blocks):
        texts.append(_block_text(f"block{index}", block.inputs, block.nodes, block.outputs, dtype))
        if block.gradients:
            names = _Names()
            text = _block_text(
                f"block{index}_backward",
                block.gradient_inputs,
                block.gradient_nodes,
                list(block.gradients.values()),
                dtype,
                [f"gradient of {names[value]}" for value in block.gradients],
            )
            texts.append(text)
    return "\n\n".join(texts)


class _Names:
    """Gives every value a readable name, unique within one function."""

    def __init__(self) -> None:
        self._names: dict[Value, str] = {}
        self._used: set[str] = set()

    def __getitem__(self, value: Value) -> str:
        if value not in self._names:
            if value.kind == "linear":
                parts = max(v.parts for v in value.trace.maps.values() if v.name == value.name)
                name = value.name if parts == 1 else f"{value.name}{value.part}"
            elif value.kind == "vector":
                name = f"w_{value.name}"
            elif value.kind == "seed":
                name = f"grad_{self[value.arguments[0]]}"
            else:
                name = value.name
            unique, count = name, 2
            while unique in self._used or unique in RESERVED:
                unique, count = f"{name}_{count}", count + 1
            self._used.add(unique)
            self._names[value] = unique
        return self._names[value]


def _block_text(
    name: str,
    inputs: list[Value],
    nodes: list[Value],
    outputs: list[Value],
    dtype: str,
    remarks: list[str] | None = None,
) -> str:
    names = _Names()
    number = {"zero": f"{dtype}(0.0)", "one": f"{dtype}(1.0)"}
    uses = Counter(argument for value in nodes for argument in value.arguments)
    uses.update(outputs)
    repeated = {a for value in nodes if OPERATIONS[value.name].text.count("{0}") > 1 for a in value.arguments}
    inlined: dict[Value, str] = {}  # results used once, as the text that computes them

    def term(value: Value) -> str:
        if value.kind == "constant":
            return f"{dtype}({value.number!r})"
        return inlined[value] if value in inlined else names[value]

    lines = [f"def {name}({', '.join(names[value] for value in inputs)}):"]
    for value in nodes:
        template = OPERATIONS[value.name].text
        text = template.format(*map(term, value.arguments), **number)
        is_call = template[0].isalpha()
        if uses[value] == 1 and value not in repeated and value not in outputs:
            inlined[value] = text if is_call else f"({text})"
        else:
            lines.append(f"    {names[value]} = {text}")
    if remarks:
        lines.append(f"    # {', '.join(remarks)}")
    lines.append(f"    return ({', '.join(term(value) for value in outputs)},)")
    return "\n".join(lines)


@dataclass
class _Loop:
    """Lines of a kernel, with the place of every value in its arrays."""

    program: Program
    lines: list[str] = field(default_factory=list)
    lanes: int = 0

    def add(self, depth: int, *texts: str) -> None:
        self.lines += ["    " * depth + text for text in texts]

    def place(self, value: Value) -> str:
        """Return 'array, offset' of a value at step t, row n, channel j."""
        p = self.program
        if value.kind == "seed":
            raise KeyError(value)
        if value is p.input:
            return "x, row * size_input + j"
        if value in p.states:
            return f"state{p.states.index(value)}, row * size_{value.size} + j"
        if value in p.outputs:
            return f"state{p.outputs.index(value)}, (row + batch) * size_{value.size} + j"
        if value.kind == "linear":
            return f"pre{self._in_group(value)}"
        if value.kind == "vector":
            return f"vector{self.vectors.index(value)}, j"
        if value in p.kept_in_group:
            return f"pre{self._in_group(p.kept_in_group[value])}"
        return f"kept{p.kept.index(value)}, row * size_{value.size} + j"

    def gradient_place(self, value: Value) -> str:
        """Return 'array, offset' of the gradient of a value."""
        p = self.program
        if value in p.work:
            return f"work{p.work.index(value)}, n * size_{value.size} + j"
        if value.kind == "vector":
            return f"grad_vector{self.vectors.index(value)}, row * size_{value.size} + j"
        return f"grad_{self.place(value)}"

    def _in_group(self, value: Value) -> str:
        group = self.program.group_of(value)
        column = f"(row * {group.columns} + {group.position(value)})"
        return f"{group.index}, {column} * size_{group.size} + j"

    @property
    def vectors(self) -> list[Value]:
        return list(self.program.trace.vectors.values())


def emit_module(program: Program, dtype: str, origin: str, options: str = "OPTIONS") -> str:
    """Return the text of a module with the compiled `forward` and `backward` of a program.

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
    forward, backward = _emit_forward(program), _emit_backward(program)
    lanes = max(forward.lanes, backward.lanes)
    blocks = "\n\n".join(
        f"@njit(forceinline=True, **{options})\n{text}" for text in emit_blocks(program, dtype).split("\n\n")
    )
    bits = dtype.removeprefix("float")
    return "\n".join(
        [
            f'"""{origin}"""',
            "import numpy as np",
            "from numba import njit",
            f"from numpy import {dtype}",
            f"from numrnn.kernels.cpu.functions{bits} import {', '.join(FUNCTIONS)}",
            "from numrnn.kernels.cpu.lanes import LANES, accumulate, add, load, store",
            f"from numrnn.kernels.cpu.machine import {options}",
            "from numrnn.kernels.cpu.matmul import add_product",
            "",
            "",
            blocks,
            "",
            "",
            f"@njit(**{options})",
            "def forward(tape, weights, vectors):",
            *_prologue(program, lanes, dtype, backward=False),
            *forward.lines,
            "",
            "",
            f"@njit(**{options})",
            "def backward(tape, gradients, weights, vectors):",
            *_prologue(program, lanes, dtype, backward=True),
            *backward.lines,
            "",
        ]
    ).replace("\n\n@njit", "\n\n\n@njit")


def _prologue(program: Program, lanes: int, dtype: str, backward: bool) -> list[str]:
    """Return lines that unpack the arrays, flat, and the sizes."""
    lines = ["x, pre, states, kept = tape"]
    if backward:
        lines.append("grad_output, grad_x, grad_pre, grad_states, grad_vectors, work = gradients")
    lines.append("steps, batch, size_input = x.shape")
    sizes: dict[str, str] = {}
    for k, state in enumerate(program.states):
        sizes.setdefault(state.size or "", f"states[{k}].shape[2]")
    for group in program.groups:
        sizes.setdefault(group.size, f"pre[{group.index}].shape[2] // {group.columns}")
    lines += [f"size_{size} = {text}" for size, text in sizes.items() if size != "input"]
    flat = {
        "pre": [f"pre{g.index}" for g in program.groups],
        "states": [f"state{k}" for k in range(len(program.states))],
    }
    flat["kept"] = [f"kept{k}" for k in range(len(program.kept))]
    for array, names in list(flat.items()):
        for k, name in enumerate(names):
            parts = program.groups[k].maps if array == "pre" else []
            remark = "  # " + ", ".join(m.name for m in parts) if parts else ""
            lines.append(f"{name} = {array}[{k}].ravel(){remark}")
            if backward and array != "kept":
                lines.append(f"grad_{name} = grad_{array}[{k}].ravel()")
    for k in range(len(program.trace.vectors)):
        lines.append(f"vector{k} = vectors[{k}]")
        if backward:
            lines.append(f"grad_vector{k} = grad_vectors[{k}].ravel()")
    lines.append("x = x.ravel()")
    if backward:
        lines += [f"work{k} = work[{k}].ravel()" for k in range(len(program.work))]
        lines += ["grad_x = grad_x.ravel()", "grad_output = grad_output.ravel()"]
    lines.append(f"lanes = np.zeros({lanes} * LANES, {dtype})")
    return ["    " + line for line in lines]


def _emit_forward(program: Program) -> _Loop:
    loop = _Loop(program)
    loop.add(1, "for t in range(steps):")
    for level in range(program.depth + 1):
        for k, product in enumerate(program.products):
            if product.group.level == level:
                loop.add(
                    2,
                    f"add_product({_step_of(program, product.argument)}, weights[{k}], pre[{product.group.index}][t])",
                )
        for index, block in enumerate(program.blocks):
            if block.level == level:
                _emit_call(loop, f"block{index}", block, block.inputs, block.outputs)
    return loop


def _emit_call(loop: _Loop, name: str, block: Block, inputs: list[Value], outputs: list[Value]) -> None:
    """Add the loops over rows and channels that run one block forward."""
    loads = [(loop.place(value),) for value in inputs]
    _emit_lanes(loop, name, block.size, loads, [("store", loop.place(value)) for value in outputs])


def _emit_lanes(loop: _Loop, name: str, size: str, loads: list[tuple[str, ...]], stores: list[tuple[str, str]]) -> None:
    """Add loops over rows and channels: load inputs (sums of several arrays), run the block, store or add results."""
    loop.lanes = max(loop.lanes, len(loads) + len(stores))
    loop.add(2, "for n in range(batch):")
    loop.add(
        3, "row = t * batch + n", f"for j in range(0, size_{size}, LANES):", f"    width = min(LANES, size_{size} - j)"
    )
    for slot, places in enumerate(loads):
        loop.add(4, f"load(lanes, {slot}, {places[0]}, width)")
        loop.add(4, *(f"add(lanes, {slot}, {place}, width)" for place in places[1:]))
    loop.add(4, "for lane in range(LANES):", "    (")
    loop.add(6, *(f"lanes[{len(loads) + k} * LANES + lane]," for k in range(len(stores))))
    loop.add(5, f") = {name}(")
    loop.add(6, *(f"lanes[{slot} * LANES + lane]," for slot in range(len(loads))))
    loop.add(5, ")")
    for k, (way, place) in enumerate(stores):
        loop.add(4, f"{way}(lanes, {len(loads) + k}, {place}, width)")


def _emit_backward(program: Program) -> _Loop:
    loop = _Loop(program)
    written: set[Value] = set(program.outputs)  # gradients that hold something already: those of the new states do
    loop.add(1, "for step in range(steps):", "    t = steps - 1 - step")

    def way_of(value: Value) -> str:
        way = "accumulate" if value in written else "store"
        written.add(value)
        return way

    for level in reversed(range(program.depth + 1)):
        for index, block in reversed(list(enumerate(program.blocks))):
            if block.level == level and block.gradients:
                loads = [_gradient_loads(loop, value) for value in block.gradient_inputs]
                stores = [(way_of(value), loop.gradient_place(value)) for value in block.gradients]
                _emit_lanes(loop, f"block{index}_backward", block.size, loads, stores)
        for group in program.groups:
            missing = [v for v in _parts(program, group.maps) if v not in written] if group.level == level else []
            if missing and len(missing) == group.columns:
                loop.add(2, f"grad_pre[{group.index}][t] = 0")
            else:
                for value in missing:
                    column = f"{group.position(value)} * size_{group.size}"
                    loop.add(2, f"grad_pre[{group.index}][t, :, {column} : {column} + size_{group.size}] = 0")
        for k, product in enumerate(program.products):
            if product.group.level == level:
                target = _gradient_step_of(program, product.argument)
                if product.argument not in written:
                    loop.add(2, f"{target}[:] = 0")
                    written.add(product.argument)
                loop.add(2, f"add_product(grad_pre[{product.group.index}][t], weights[{k}], {target})")
    for state in program.states:
        if state not in written:
            loop.add(2, f"{_gradient_step_of(program, state)}[:] = 0")
    for k, vector in enumerate(loop.vectors):
        if vector not in written:
            loop.add(2, f"grad_vectors[{k}][t] = 0")
    return loop


def _gradient_loads(loop: _Loop, value: Value) -> tuple[str, ...]:
    """Return the places whose sum a backward block reads for `value`."""
    if value.kind != "seed":
        return (loop.place(value),)
    target = value.arguments[0]
    if target is loop.program.outputs[0]:
        return loop.gradient_place(target), f"grad_output, row * size_{target.size} + j"
    return (loop.gradient_place(target),)


def _parts(program: Program, maps: Iterable) -> list[Value]:
    return [
        program.trace.value("linear", m.name, arguments=m.arguments, size=m.size, part=part)
        for m in maps
        for part in range(m.parts)
    ]


def _step_of(program: Program, value: Value) -> str:
    """Return the 2-D array of a product's argument at step t."""
    if value in program.states:
        return f"states[{program.states.index(value)}][t]"
    if value in program.outputs:
        return f"states[{program.outputs.index(value)}][t + 1]"
    return f"kept[{program.kept.index(value)}][t]"


def _gradient_step_of(program: Program, value: Value) -> str:
    """Return the 2-D array of the gradient of a product's argument at step t."""
    if value in program.work:
        return f"work[{program.work.index(value)}]"
    return f"grad_{_step_of(program, value)}"
