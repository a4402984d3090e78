"""Graphs as the original's nngraph builds them, and torch.save writes them."""

from __future__ import annotations

from typing import Any

from tests.interop.torch7_files import Entries, Object


class Node:
    """A node of the backward graph, which points to the nodes it reads."""

    def __init__(self, *sources: Node, module: Object | None = None, **data: Any) -> None:
        self.sources = sources
        self.mapindex, self.reverse_map = Entries(), Entries()
        own = {"module": module, "annotations": {"_debugLabel": "[net.lua]:7"}, "mapindex": self.mapindex, **data}
        self.data = Entries([*((name, value) for name, value in own.items() if value is not None)])
        self.data.pairs.append(("reverseMap", self.reverse_map))
        self.object = node_object(self.data)
        for k, source in enumerate(sources):
            self.mapindex.pairs += [(k + 1, source.data), (source.data, k + 1)]
            source.reverse_map.pairs.append((self.object, True))
        point_to(self.object, [source.object for source in sources])

    def split(self, count: int) -> list[Node]:
        both = Node(self, nSplitOutputs=count)
        return [Node(both, selectindex=k + 1, input=[]) for k in range(count)]


def node_object(data: Entries) -> Object:
    return Object("nngraph.Node", {"data": data, "children": Entries(), "visited": False, "marked": False, "id": 7})


def point_to(node: Object, children: list[Object]) -> None:
    for child in children:
        pairs = node.fields["children"].pairs
        pairs += [(len(pairs) // 2 + 1, child), (child, len(pairs) // 2 + 1)]


def graph(nodes: list[Object]) -> Object:
    edges = Entries()
    for node in nodes:
        for key, child in node.fields["children"].pairs:
            if isinstance(key, int):
                edge = Object("graph.Edge", {"from": node, "to": child})
                edges.pairs += [(len(edges.pairs) // 2 + 1, edge), (edge, len(edges.pairs) // 2 + 1)]
    numbers = range(1, len(nodes) + 1)
    listed = Entries([*zip(numbers, nodes, strict=True), *zip(nodes, numbers, strict=True)])
    return Object("graph.Graph", {"nodes": listed, "edges": edges})


def layer(module: Object | str, *sources: Node, **data: Any) -> Node:
    return Node(*sources, module=Object(f"nn.{module}") if isinstance(module, str) else module, **data)


def enter(node: Node, source: Node) -> Node:
    """Let an input node read what enters the graph."""
    node.sources = (source,)
    node.mapindex.pairs += [(1, source.data), (source.data, 1)]
    source.reverse_map.pairs.append((node.object, True))
    point_to(node.object, [source.object])
    return node


def sorted_nodes(ends: list[Node]) -> list[Node]:
    found: dict[Node, None] = {}
    waiting = [(node, False) for node in ends]
    while waiting:
        node, is_ready = waiting.pop()
        if is_ready:
            found[node] = None
        elif node not in found:
            waiting.append((node, True))
            waiting += [(source, False) for source in node.sources]
    return list(found)


def gmodule(inputs: list[Node], outputs: list[Node]) -> Object:
    """Return the nn.gModule of nodes without sources, and nodes that depend on them."""
    end, start = Node(*outputs, input=[]), Node(input=[])
    for node, source in zip(inputs, [start] if len(inputs) == 1 else start.split(len(inputs)), strict=True):
        enter(node, source)
    nodes = sorted_nodes([end])
    ahead = {node: node_object(node.data) for node in nodes}
    for node in nodes:
        for source in node.sources:
            point_to(ahead[source], [ahead[node]])
    modules = [dict(node.data.pairs).get("module") for node in nodes]
    return Object(
        "nn.gModule",
        {
            "bg": graph([node.object for node in nodes[::-1]]),
            "fg": graph(list(ahead.values())),
            "innode": ahead[start],
            "outnode": end.object,
            "forwardnodes": list(ahead.values()),
            "backwardnodes": [node.object for node in nodes[::-1]],
            "modules": [module for module in modules if module is not None],
            "nInputs": len(inputs),
            "verbose": False,
            "train": True,
        },
    )


def old_gmodule(inputs: list[Node], outputs: list[Node]) -> Object:
    """Return the same as the first versions of nngraph did, in which the nodes that inputs enter at are listed."""
    end, start = Node(*outputs, input=[]), Node(data=[], gradOutput=[])
    for k, node in enumerate(inputs):
        enter(node, start)
        start.mapindex.pairs += [(k + 1, node.data), (node.data, k + 1)]
    return Object("nn.gModule", {"innode": node_object(start.data), "outnode": end.object, "verbose": False})
