"""The plan of a sequence: what is done with each part of a module of one step.

A module of one step is a graph, and feedback through time closes cycles in it. Every cycle lies inside one recurrent
module, so the strongly connected components are the modules themselves, and containers give their topological order.
"""

from __future__ import annotations

from dataclasses import dataclass

from numrnn.containers import ConcatTable, Container, ParallelTable, Sequential
from numrnn.drawing import Box, Drawing
from numrnn.graph import Graph
from numrnn.module import Module
from numrnn.recurrent import AbstractRecurrent, Recursor


@dataclass(frozen=True)
class Stage:
    """One part of a module and how it is run over time."""

    name: str
    module: Module
    has_feedback: bool

    @property
    def way(self) -> str:
        """How all steps are computed."""
        return self.module.over_time


@dataclass(frozen=True)
class Plan:
    """The stages of a module in the order in which they run."""

    module: Module
    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        rows = [(stage.name, repr(stage.module), stage.way) for stage in self.stages]
        widths = [max(len(row[k]) for row in rows) for k in range(2)]
        return "\n".join(f"{name:{widths[0]}}  {module:{widths[1]}}  {way}" for name, module, way in rows)

    def drawing(self) -> Drawing:
        """Return the stages as boxes, with a loop at those that have feedback."""
        picture = Drawing([Box("input", "sequence", "input")])
        last = _draw(picture, self.module, ["input"])
        picture.boxes.append(Box("output", "sequence", "output"))
        picture.arrows += [(name, "output", "") for name in last]
        return picture


def _draw(picture: Drawing, module: Module, sources: list[str]) -> list[str]:
    """Add a module that reads from the boxes `sources`; return the boxes that its output comes from."""
    if isinstance(module, Recursor):
        return _draw(picture, module.children()[0], sources)
    if isinstance(module, Graph):
        return module.draw_into(picture, sources, _draw)
    if isinstance(module, Sequential) and len(module):
        for child in module.children():
            sources = _draw(picture, child, sources)
        return sources
    if isinstance(module, ConcatTable) and len(module):
        return [name for child in module.children() for name in _draw(picture, child, sources)]
    if isinstance(module, ParallelTable) and len(sources) == len(module):
        pairs = zip(module.children(), sources, strict=True)
        return [name for child, source in pairs for name in _draw(picture, child, [source])]
    name, way = f"stage{len(picture.boxes)}", module.over_time
    kind = next(kind for kind in ("step by step", "one fused loop", "all steps at once") if kind in way)
    picture.boxes.append(Box(name, f"{module!r}\n{way}", kind))
    picture.arrows += [(source, name, "") for source in sources]
    if isinstance(module, AbstractRecurrent):
        picture.arrows.append((name, name, "next step"))
    return [name]


def plan_of(module: Module) -> Plan:
    """Return the plan for a module of one step."""
    return Plan(module, tuple(_stages("", module)))


def _stages(name: str, module: Module) -> list[Stage]:
    if isinstance(module, Recursor):
        return _stages(name, module.children()[0])
    if isinstance(module, Container) and len(module):
        parts = module.named_children()
        return [stage for key, child in parts for stage in _stages(f"{name}.{key}" if name else key, child)]
    return [Stage(name or "0", module, isinstance(module, AbstractRecurrent))]
