"""Graph: modules wired into a directed acyclic graph.

Calling a module on a node makes a node; a `Graph` made from input and output nodes is a module like any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from numrnn.containers import Apply, Container
from numrnn.drawing import Box, Drawing
from numrnn.errors import complaint, describe
from numrnn.layers import Identity, SelectTable
from numrnn.module import Module
from numrnn.table import add_tables, copy_table, is_table, leaves, map_table

DrawModule = Callable[[Drawing, Module, list[str]], list[str]]


class Node:
    """A module's place in a graph. Calling a module on a node, or on a table of nodes, makes one.

    Parameters
    ----------
    module : Module
        What is computed here.
    source : Node or table of Node
        Where its input comes from.
    """

    def __init__(self, module: Module, source: Any) -> None:
        for leaf in leaves(source):
            if not isinstance(leaf, Node):
                raise TypeError(complaint(module, describe(leaf), "nodes only, when one of its inputs is a node"))
        self.module, self.source, self.name = module, map_table(_itself, source), ""

    def annotate(self, name: str) -> Node:
        """Give the node a name for pictures; return the node."""
        self.name = str(name)
        return self

    def split(self, count: int) -> list[Node]:
        """Return `count` nodes for the elements of this node's table."""
        return [SelectTable(index)(self) for index in range(count)]

    def __repr__(self) -> str:
        return f"Node({self.name or self.module})"


class Input(Node):
    """A place where data enters a graph.

    Parameters
    ----------
    name : str, optional
        Name for pictures and error messages; "input" without it.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(Identity(), [])
        self.name = "input" if name is None else str(name)


class Graph(Container):
    """Modules wired into a directed acyclic graph.

    Parameters
    ----------
    inputs : Input or table of Input
        Where the graph's input, of the same structure, enters.
    outputs : Node or table of Node
        What the graph returns.

    Raises
    ------
    TypeError
        If `inputs` are not `Input` nodes, or `outputs` not nodes.
    ValueError
        If an output depends on an `Input` that is not listed, an `Input` is listed twice, or a recurrent module is used
        in two places.

    Notes
    -----
    A module that is used in several places has one set of parameters. Nodes that no output depends on are left out. The
    gradient of an input that no output depends on is zero (for indices, as everywhere, None).

    A module that draws random numbers and is used in several places draws them place by place. A `Sequencer` has each
    place draw for all steps at once, so there the numbers are distributed in another way over places and steps than in
    stepping.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> x = nr.Input()
    >>> h = nr.Tanh()(nr.Linear(4, 6)(x))
    >>> graph = nr.Graph(x, [nr.Linear(6, 2)(h), nr.Sigmoid()(h)])
    >>> [y.shape for y in graph(np.zeros((3, 4), "float32"))]
    [(3, 2), (3, 6)]
    """

    memory = ("_inputs", "_grad_outputs", "_memories")

    def __init__(self, inputs: Any, outputs: Any) -> None:
        super().__init__()
        for leaf in leaves(inputs):
            if not isinstance(leaf, Input):
                raise TypeError(complaint("Graph", f"{describe(leaf)} as an input", "Input nodes"))
        for leaf in leaves(outputs):
            if not isinstance(leaf, Node):
                raise TypeError(complaint("Graph", f"{describe(leaf)} as an output", "nodes"))
        for leaf, count in Counter(leaves(inputs)).items():
            if count > 1:
                raise ValueError(complaint("Graph", f"the Input {leaf.name!r} {count} times", "each input once"))
        # The sorted nodes come first: a deep copy meets every node after its sources, and is never deep in recursion.
        self._nodes = _sorted_nodes(inputs, outputs)
        self.inputs, self.outputs = map_table(_itself, inputs), map_table(_itself, outputs)
        uses = Counter([*leaves(outputs), *(leaf for node in self._nodes for leaf in leaves(node.source))])
        # What the caller gets must be neither the caller's input, nor what a node reads, nor there twice.
        self._is_copied = map_table(lambda node: isinstance(node, Input) or uses[node] > 1, outputs)
        self._is_shared = self._shared_nodes()
        self._memories: list[Any] = []
        for module in {id(node.module): node.module for node in self._nodes}.values():
            self.add_child(str(len(self._children)), module)

    def _shared_nodes(self) -> list[bool]:
        """Return for each node whether its module, or a part of it, is used at another node too."""
        parts = [list(node.module.modules()) for node in self._nodes]
        places = Counter(id(module) for modules in parts for module in modules)
        for module in (module for modules in parts for module in modules):
            if places[id(module)] > 1 and module.keeps_steps:
                got = f"the recurrent module {module} in {places[id(module)]} places"
                raise ValueError(complaint("Graph", got, "each in one place, since it has one state"))
        return [any(places[id(module)] > 1 for module in modules) for modules in parts]

    def add(self, module: Module) -> Container:
        """Raise a TypeError: modules enter a graph with their nodes, when it is made."""
        raise TypeError(complaint("Graph", f"add({module!r})", "modules at its nodes only", "Make a new Graph."))

    def check_input(self, input: Any) -> None:
        """Expect a table of the structure of the graph's inputs."""
        super().check_input(input)
        self._by_input(input)

    def _by_input(self, input: Any) -> dict[int, Any]:
        """Return the data that enters at each Input node, by id."""
        values: dict[int, Any] = {}

        def match(node: Any, value: Any) -> None:
            if is_table(node):
                if not is_table(value) or len(value) != len(node):
                    raise ValueError(complaint(self, describe(value), f"a table of {len(node)} inputs"))
                for inner, element in zip(node, value, strict=True):
                    match(inner, element)
            else:
                values[id(node)] = value

        match(self.inputs, input)
        return values

    def route(self, input: Any, apply: Apply) -> Any:
        """Run every node on what its sources gave."""
        values = self._by_input(input)
        self._inputs, self._memories = [], [None] * len(self._nodes)
        for k, node in enumerate(self._nodes):
            given = map_table(lambda source: values[id(source)], node.source)
            self._inputs.append(given)
            values[id(node)] = apply(node.module, given)
            self._keep_memory(k)

        def hand_out(node: Node, is_copied: bool) -> Any:
            return copy_table(values[id(node)]) if is_copied else values[id(node)]

        return map_table(hand_out, self.outputs, self._is_copied)

    def _keep_memory(self, index: int) -> None:
        """Remember what a module used in several places leaves at this one."""
        if self._is_shared[index]:
            self._memories[index] = _memory_of(self._nodes[index].module)

    def _restore_memory_at(self, index: int) -> None:
        if self._is_shared[index]:
            for module, taken in self._memories[index]:
                module.__dict__.update(taken)

    def route_back(self, input: Any, grad_output: Any, apply: Apply) -> Any:
        """Run every node back, on the sum of the gradients that come from where its output went."""
        grads: dict[int, Any] = {}

        def give(target: Any, grad: Any) -> None:
            if is_table(target):
                for inner, element in zip(target, [None] * len(target) if grad is None else grad, strict=True):
                    give(inner, element)
            else:
                grads[id(target)] = add_tables(grads.get(id(target)), grad)

        give(self.outputs, grad_output)
        inputs = self._inputs_for(input)
        self._grad_outputs = [None] * len(self._nodes)
        for k in reversed(range(len(self._nodes))):
            node, grad = self._nodes[k], grads.get(id(self._nodes[k]))
            if grad is None:  # what follows takes indices, which have no gradient
                continue
            self._restore_memory_at(k)
            self._grad_outputs[k] = grad
            give(node.source, apply(node.module, inputs[k], grad))
            self._keep_memory(k)
        values, given = self._by_input(input), {id(grad) for grad in leaves(grad_output) if grad is not None}
        gradients = map_table(lambda node: _gradient_or_zeros(grads.get(id(node)), values[id(node)]), self.inputs)
        return map_table(lambda grad: np.array(grad) if id(grad) in given else grad, gradients)

    def _visits(self, input: Any) -> Iterator[tuple[Module, Any, Any]]:
        inputs = self._inputs_for(input)
        for k in reversed(range(len(self._nodes))):
            if self._grad_outputs[k] is None:
                continue
            self._restore_memory_at(k)
            yield self._nodes[k].module, inputs[k], self._grad_outputs[k]

    def _inputs_for(self, input: Any) -> list[Any]:
        """Return the nodes' inputs, where those that come straight from the graph's input are the caller's."""
        values = self._by_input(input)

        def fresh(source: Any, kept: Any) -> Any:
            if is_table(source):
                return [fresh(inner, element) for inner, element in zip(source, kept, strict=True)]
            return values.get(id(source), kept)

        return [fresh(node.source, kept) for node, kept in zip(self._nodes, self._inputs, strict=True)]

    def as_equations(self, recorder: Any, input: Any) -> Any:
        """Run every node on the symbols that its sources gave."""
        values = {id(node): value for node, value in zip(*_matched(recorder, self.inputs, input), strict=True)}
        for node in self._nodes:
            given = map_table(lambda source: values[id(source)], node.source)
            values[id(node)] = recorder.run(node.module, given)
        return map_table(lambda node: values[id(node)], self.outputs)

    # ---- pictures ------------------------------------------------------------------------------------------------

    def drawing(self) -> Drawing:
        """Return the graph as boxes and arrows."""
        picture = Drawing()
        names = []
        for k, leaf in enumerate(leaves(self.inputs)):
            names.append(f"input{k}")
            picture.boxes.append(Box(names[-1], leaf.name, "input"))
        ends = self.draw_into(picture, names, _draw_module)
        for k, end in enumerate(ends):
            picture.boxes.append(Box(f"output{k}", "output" if len(ends) == 1 else f"output {k}", "output"))
            picture.arrows.append((end, f"output{k}", ""))
        return picture

    def draw_into(self, picture: Drawing, sources: list[str], draw_module: DrawModule) -> list[str]:
        """Add the nodes to a picture with `draw_module(picture, module, sources)`; return where the outputs come from.

        `sources` are the names of the boxes that the graph reads from: one for each input, or else all for all.
        """
        inputs = leaves(self.inputs)
        is_one_each = len(sources) == len(inputs)
        names = {id(leaf): [sources[k]] if is_one_each else sources for k, leaf in enumerate(inputs)}
        for node in self._nodes:
            reads = [name for source in leaves(node.source) for name in names[id(source)]]
            boxes = len(picture.boxes)
            names[id(node)] = draw_module(picture, node.module, reads)
            if node.name and len(picture.boxes) > boxes:
                picture.boxes[-1] = replace(picture.boxes[-1], label=f"{node.name}\n{picture.boxes[-1].label}")
        return [name for leaf in leaves(self.outputs) for name in names[id(leaf)]]

    def to_mermaid(self) -> str:
        """Return a picture of the graph as Mermaid text."""
        return self.drawing().to_mermaid()

    def to_dot(self) -> str:
        """Return a picture of the graph as Graphviz text."""
        return self.drawing().to_dot()

    def draw(self, path: str | Path | None = None) -> str:
        """Return a picture of the graph as Mermaid text; with a path, write it there, too.

        Parameters
        ----------
        path : str or Path, optional
            A file name ending in .mmd or .dot, or in .svg, .png or .pdf if Graphviz is installed.
        """
        picture = self.drawing()
        if path is not None:
            picture.write(path)
        return picture.to_mermaid()


def _matched(recorder: Any, nodes: Any, values: Any) -> tuple[list[Node], list[Any]]:
    """Return the input nodes, and the symbols that enter there."""
    if not is_table(nodes):
        return [nodes], [values]
    elements = recorder.table(values, len(nodes))
    pairs = [_matched(recorder, *pair) for pair in zip(nodes, elements, strict=True)]
    return [node for found, _ in pairs for node in found], [value for _, found in pairs for value in found]


def _itself(value: Any) -> Any:
    return value


def _sorted_nodes(inputs: Any, outputs: Any) -> list[Node]:
    """Return the nodes that the outputs depend on, each after what it depends on, without the inputs."""
    found: dict[Node, None] = {}
    listed = set(leaves(inputs))
    for output in leaves(outputs):
        waiting: list[tuple[Node, bool]] = [(output, False)]
        while waiting:
            node, is_ready = waiting.pop()
            if node in found:
                continue
            if isinstance(node, Input):
                if node not in listed:
                    got = f"an output that depends on the Input {node.name!r}"
                    raise ValueError(complaint("Graph", got, "it among the inputs"))
            elif is_ready:
                found[node] = None
            else:
                waiting.append((node, True))
                waiting += [(leaf, False) for leaf in reversed(leaves(node.source))]
    return list(found)


def _draw_module(picture: Drawing, module: Module, sources: list[str]) -> list[str]:
    name = f"node{len(picture.boxes)}"
    picture.boxes.append(Box(name, repr(module)))
    picture.arrows += [(source, name, "") for source in sources]
    return [name]


def _memory_of(module: Module) -> list[tuple[Module, dict[str, Any]]]:
    """Return what the last forward left in a module and all that is in it."""
    names = ("_step_memories",)
    return [
        (m, {name: m.__dict__[name] for name in (*m.memory, *names) if name in m.__dict__}) for m in module.modules()
    ]


def _gradient_or_zeros(grad: Any, value: Any) -> Any:
    if is_table(value):
        return [_gradient_or_zeros(None if grad is None else grad[k], element) for k, element in enumerate(value)]
    if value.dtype.kind != "f":
        return None
    return np.zeros_like(value) if grad is None else grad
