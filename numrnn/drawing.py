"""Pictures of graphs: boxes and arrows, as Mermaid text or as Graphviz text and what `dot` makes of it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

STYLES = {
    "input": ("stadium", "#f4f4f4", "#8a8a8a"),
    "output": ("stadium", "#f4f4f4", "#8a8a8a"),
    "module": ("box", "#e8f0fa", "#5b84b1"),
    "all steps at once": ("box", "#e8f0fa", "#5b84b1"),
    "one fused loop": ("box", "#fbe9dd", "#b3441e"),
    "step by step": ("box", "#f6edc9", "#a58a1a"),
}
"""Kind of a box: (shape, fill, border)."""


@dataclass(frozen=True)
class Box:
    """A box of a drawing; `kind` is one of `STYLES`."""

    name: str
    label: str
    kind: str = "module"


@dataclass
class Drawing:
    """Boxes, and arrows (from, to, label) between their names."""

    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[str, str, str]] = field(default_factory=list)

    def to_mermaid(self) -> str:
        """Return the drawing as Mermaid text."""
        lines = ["flowchart TD"]
        for box in self.boxes:
            shape, fill, border = STYLES[box.kind]
            left, right = ("([", "])") if shape == "stadium" else ("[", "]")
            lines.append(f'    {box.name}{left}"{_mermaid_text(box.label)}"{right}')
            lines.append(f"    style {box.name} fill:{fill},stroke:{border},color:#222")
        for start, end, label in self.arrows:
            middle = f'-->|"{_mermaid_text(label)}"|' if label else "-->"
            lines.append(f"    {start} {middle} {end}")
        return "\n".join(lines) + "\n"

    def to_dot(self) -> str:
        """Return the drawing as Graphviz text."""
        lines = [
            "digraph {",
            '    node [fontname="sans-serif", fontsize=11]',
            '    edge [fontname="sans-serif", fontsize=9]',
        ]
        for box in self.boxes:
            shape, fill, border = STYLES[box.kind]
            style = "rounded,filled" if shape == "stadium" else "filled"
            label = _dot_text(box.label)
            lines.append(
                f'    {box.name} [shape=box, style="{style}", label="{label}", fillcolor="{fill}", color="{border}"]'
            )
        for start, end, label in self.arrows:
            lines.append(f'    {start} -> {end} [label="{_dot_text(label)}"]' if label else f"    {start} -> {end}")
        return "\n".join([*lines, "}"]) + "\n"

    def write(self, path: str | Path) -> None:
        """Write the drawing to a file: .mmd and .dot as text, .svg, .png and .pdf with the `dot` program of Graphviz.

        Raises
        ------
        ValueError
            If the file name has another ending.
        RuntimeError
            If Graphviz is needed and not installed, or cannot write the file.
        """
        path = Path(path)
        kind = path.suffix.lower().removeprefix(".")
        if kind in ("mmd", "dot"):
            path.write_text(self.to_mermaid() if kind == "mmd" else self.to_dot(), encoding="utf-8")
        elif kind in ("svg", "png", "pdf"):
            program = shutil.which("dot")
            if program is None:
                raise RuntimeError(f"draw: {path.name} needs the program `dot` of Graphviz; .mmd and .dot do not")
            command = [program, f"-T{kind}", "-o", str(path)]
            done = subprocess.run(command, input=self.to_dot(), encoding="utf-8", capture_output=True)
            if done.returncode:
                raise RuntimeError(f"draw: `dot` could not write {path}: {done.stderr.strip()}")
        else:
            raise ValueError(f"draw: got {path.name!r}; expects a name ending in .svg, .png, .pdf, .mmd or .dot")


def _mermaid_text(label: str) -> str:
    # What is quoted may still hold entities (& and #), HTML (<), Markdown (`) and line ends (a backslash and an n).
    for character, code in (
        ("#", "#35;"),
        ("&", "#amp;"),
        ('"', "#quot;"),
        ("<", "#lt;"),
        (">", "#gt;"),
        ("`", "#96;"),
        ("\\", "#92;"),
    ):
        label = label.replace(character, code)
    return label.replace("\n", "<br/>")


def _dot_text(label: str) -> str:
    # Graphviz reads HTML entities in quoted labels, too.
    for character, code in (("&", "&amp;"), ("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        label = label.replace(character, code)
    return label
