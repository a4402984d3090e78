"""Writes the blocks of a program out as plain Python functions, which serve any target.

Their arguments are numbers, one channel of one row each, or whatever else the functions and operators in them work on.
"""

from __future__ import annotations

import keyword
from collections import Counter

from numrnn.equations.derive import Program, schedule
from numrnn.equations.functions import OPERATIONS
from numrnn.equations.symbols import Value

FUNCTIONS = (
    *("cos", "exp", "greater", "log", "maximum", "minimum", "relu", "sigmoid", "sin", "softplus", "sqrt", "tanh"),
)
RESERVED = {*FUNCTIONS, *keyword.kwlist, "abs", "float32", "float64"}
"""What no variable of a block may be called."""


def emit_blocks(program: Program, dtype: str) -> str:
    """Return the text of the scalar functions, forward and backward, of every block, and for functions of parameters.

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
    for index, (inputs, nodes, outputs) in enumerate(fixed_blocks(program)):
        texts.append(_block_text(f"fixed{index}", inputs, nodes, outputs, dtype))
    return "\n\n".join(texts)


def fixed_blocks(program: Program) -> list[tuple[list[Value], list[Value], list[Value]]]:
    """Return what computes the functions of parameters alone, for each number of channels: inputs, nodes, outputs."""
    widths: dict[int, list[Value]] = {}
    for value in program.fixed:
        widths.setdefault(program.trace.width(value.size), []).append(value)
    return [(*schedule(outputs, lambda v: False)[::-1], outputs) for outputs in widths.values()]


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
            elif value.kind in ("mask", "noise"):
                name = f"{value.kind}_{value.name}"
            elif value.kind == "seed":
                name = f"grad_{self[value.arguments[0]]}"
            elif value.kind == "spread":
                name = f"spread_{self[value.arguments[0]]}"
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
        text = template.format(*map(term, value.arguments))
        is_call = template[0].isalpha()
        if uses[value] == 1 and value not in repeated and value not in outputs:
            inlined[value] = text if is_call else f"({text})"
        else:
            lines.append(f"    {names[value]} = {text}")
    if remarks:
        lines.append(f"    # {', '.join(remarks)}")
    lines.append(f"    return ({', '.join(term(value) for value in outputs)},)")
    return "\n".join(lines)
