"""Makes the page of all cells; MkDocs calls it, as a hook.

python docs/cells.py   # measures how fast the cells are, and writes cells.json, from which the page has the figures
"""

import inspect
import json
import platform
import re
import textwrap
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
from llvmlite.binding import get_host_cpu_name

import numrnn as nr
import numrnn.cells
from numrnn.equations.explain import sections
from numrnn.equations.notation import FACTOR, GREEK, Symbol, Text

FIGURES = Path(__file__).with_suffix(".json")
TIME, BATCH, SIZE = 50, 32, 128
SAMPLES = 30


def cells() -> list[type[nr.Cell]]:
    """Return the classes of all cells, by the files in which they are and their order there."""
    found = {value for value in vars(numrnn.cells).values() if isinstance(value, type) and issubclass(value, nr.Cell)}
    return sorted(found, key=lambda cell: (cell.__module__, inspect.getsourcelines(cell)[1]))


def on_page_markdown(markdown: str, page, **_) -> str:
    """Add the table and a part for each cell to the page."""
    return markdown + table() + "".join(map(part, cells())) if page.file.src_uri == "cells.md" else markdown


# ---- the page ------------------------------------------------------------------------------------------------------


def table() -> str:
    """Return a table of what the cells cost."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    lines = [
        f"Sizes and times are those of {SIZE} input features and {SIZE} channels. A run is a sequence of {TIME} steps",
        f"with a batch of {BATCH}, float32, on one thread: the CPU time of the fastest of {SAMPLES} runs",
        f"({figures['machine']}). Training is forward and backward. `python docs/cells.py` measures again.",
        "",
        "| Cell | States | Parameters | Phases | Inference, ms | Training, ms |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for cell in (kind(SIZE, SIZE) for kind in cells()):
        name = type(cell).__name__
        count = sum(array.size for _, array in cell.named_parameters())
        times = [f"{figures['times'][name][what]:.2g}" if name in figures["times"] else "" for what in (0, 1)]
        columns = [
            f"[{name}](#{name.lower()})",
            ", ".join(cell.states),
            f"{count:,}",
            str(cell.program().depth),
            *times,
        ]
        lines.append(f"| {' | '.join(columns)} |")
    return (
        "\n".join(lines)
        + "\n\nThe phases are the products and sums in the loop that wait for each other within a step.\n"
    )


def part(kind: type[nr.Cell]) -> str:
    """Return what the page says of one cell."""
    cell = kind(4, 6)
    forward = [section for section in sections(cell) if section.title.startswith("Forward")]
    rows = "".join(row for section in forward for row in [title(section.title), *map(formula, section.formulas)])
    summary = inspect.getdoc(kind).partition("\n\n")[0].replace("\n", " ")
    summary = summary.replace(":math:", "").rstrip(".")
    return f"""
## {kind.__name__}

{summary}. See [the reference](api/cells.md#numrnn.{kind.__name__}).

```python
{code(kind)}
```

<math display="block"><mtable displaystyle="true">{rows}</mtable></math>

<details markdown>
<summary>{escape(repr(cell))}.explain()</summary>

```text
{cell.explain()}
```

</details>
"""


def code(kind: type[nr.Cell]) -> str:
    """Return the equations of a cell, and the methods that they call, as they are written."""
    names, texts = ["equations"], []
    for name in names:
        text = textwrap.dedent(inspect.getsource(getattr(kind, name)))
        called = dict.fromkeys(re.findall(r"self\.(_\w+)\(", text))
        names += [other for other in called if other not in names]
        texts.append(re.sub(r'\n *"""[^"]*"""', "", text, count=1).strip())
    return "\n\n".join(texts)


# ---- formulas ------------------------------------------------------------------------------------------------------


class MathML(Text):
    """MathML, which browsers draw without a script."""

    times, plus, minus, prefix = "<mo>⊙</mo>", "<mo>+</mo>", "<mo>−</mo>", "<mo>−</mo>"
    transposed, total = "<msup><mrow></mrow><mi>⊤</mi></msup>", "<mo>∑</mo>"

    def symbol(self, symbol: Symbol) -> str:
        """Return a symbol."""
        base = f"<mi>{escape(GREEK.get(symbol.base, symbol.base))}</mi>"
        if symbol.is_gradient:
            base = f'<mover accent="true">{base}<mo>¯</mo></mover>'
        base += "<mo>′</mo>" * symbol.primes
        below = "<mo>,</mo>".join(map(self._below, symbol.below))
        return f"<msub><mrow>{base}</mrow><mrow>{below}</mrow></msub>" if below else f"<mrow>{base}</mrow>"

    def _below(self, name: str) -> str:
        if name == "t-1":
            return "<mi>t</mi><mo>−</mo><mn>1</mn>"
        return f"<mi>{escape(GREEK.get(name, name))}</mi>"

    def number(self, number: float) -> str:
        """Return a number that is not negative."""
        return f"<mn>{super().number(number)}</mn>"

    def parentheses(self, text: str) -> str:
        """Return something in parentheses."""
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def fraction(self, above, below) -> tuple[int, str]:
        """Return the precedence and text of a quotient."""
        return FACTOR, f"<mfrac><mrow>{self.show(above)}</mrow><mrow>{self.show(below)}</mrow></mfrac>"

    def power(self, base: str, power: int) -> str:
        """Return a power."""
        return f"<msup><mrow>{base}</mrow><mn>{power}</mn></msup>"

    def atom(self, kind: str, name: str, parts: list[str]) -> str:
        """Return what needs no parentheses around it."""
        if kind == "absolute":
            return f"<mrow><mo>|</mo>{parts[0]}<mo>|</mo></mrow>"
        if kind == "greater":
            return f"<mrow><mo>[</mo>{parts[0]}<mo>&gt;</mo>{parts[1]}<mo>]</mo></mrow>"
        if name == "sqrt":
            return f"<msqrt>{parts[0]}</msqrt>"
        name = {"sigmoid": "σ", "maximum": "max", "minimum": "min"}.get(name, name)
        return (f"<mi>{name}</mi>" if name else "") + self.parentheses("<mo>,</mo>".join(parts))


def formula(row) -> str:
    """Return a row of a table of formulas."""
    sign = "+=" if row.adds else "="
    lines = MathML().lines(row.value)
    rows = [(MathML().show(row.target), f"<mo>{sign}</mo>{lines[0]}"), *(("", line) for line in lines[1:])]
    return "".join(table_row(left, right) for left, right in rows)


def title(text: str) -> str:
    """Return a row of words."""
    return table_row("", f"<mtext>{escape(text.removeprefix('Forward, '))}:</mtext>")


def table_row(left: str, right: str) -> str:
    """Return a row of a table; things that stand side by side get a space."""
    spaced = right.replace("> <", '><mspace width="0.2em"></mspace><')
    columns = [f'<mtd style="text-align: left">{content}</mtd>' for content in (left, spaced)]
    return f"<mtr>{''.join(columns)}</mtr>"


# ---- figures -------------------------------------------------------------------------------------------------------


def measured(cell: nr.Cell) -> list[float]:
    """Return the milliseconds of an inference and of a training run."""
    x, grad = np.random.default_rng(0).normal(size=(2, TIME, BATCH, SIZE)).astype("float32")

    def infer() -> None:
        cell.forget()
        cell.forward_sequence(x)

    def train() -> None:
        infer()
        cell.backward_sequence(x, grad)

    cell.evaluate()
    inference = fastest(infer)
    cell.training()
    return [inference, fastest(train)]


def fastest(run: Callable[[], None]) -> float:
    """Return the least CPU time, in milliseconds, that a run took, after two that do not count."""
    times = []
    for _ in range(SAMPLES + 2):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return round(1000 * min(times[2:]), 3)


if __name__ == "__main__":
    nr.set_num_threads(1)
    times = {}
    for kind in cells():
        times[kind.__name__] = measured(kind(SIZE, SIZE, rng=0))
        print(kind.__name__, *times[kind.__name__])
    machine = f"{platform.machine()}, {get_host_cpu_name()}"
    FIGURES.write_text(json.dumps({"machine": machine, "times": times}, indent=1) + "\n", encoding="utf-8")
