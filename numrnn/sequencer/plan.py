"""The plan of a sequence: what is done with each part of a module of one step.

A module of one step is a graph, and feedback through time closes cycles in it. Every cycle lies inside one recurrent
module, so the strongly connected components are the modules themselves, and containers give their topological order.
"""

from __future__ import annotations

from dataclasses import dataclass

from numrnn.containers import Container
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
    """The stages in the order in which they run."""

    stages: tuple[Stage, ...]

    def __str__(self) -> str:
        rows = [(stage.name, repr(stage.module), stage.way) for stage in self.stages]
        widths = [max(len(row[k]) for row in rows) for k in range(2)]
        return "\n".join(f"{name:{widths[0]}}  {module:{widths[1]}}  {way}" for name, module, way in rows)


def plan_of(module: Module) -> Plan:
    """Return the plan for a module of one step."""
    return Plan(tuple(_stages("", module)))


def _stages(name: str, module: Module) -> list[Stage]:
    if isinstance(module, Recursor):
        return _stages(name, module.children()[0])
    if isinstance(module, Container) and len(module):
        parts = module.named_children()
        return [stage for key, child in parts for stage in _stages(f"{name}.{key}" if name else key, child)]
    return [Stage(name or "0", module, isinstance(module, AbstractRecurrent))]
