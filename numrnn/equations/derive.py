"""From a cell's equations to a program: phases, blocks, and the gradient of each block.

A step of a cell runs in phases. A phase is a set of matrix products with values that the step already has (the old
state, or something made from it), followed by element-wise blocks, one for each number of channels. Linear maps of
the input alone do not depend on time: their products are made for all steps at once, before the loop. Sums over the
channels of a row are like products: what they are made of must be there, and they begin a phase. So do sums of groups
of channels, though they are made within the block that has the terms. Functions of parameters alone are computed once,
before everything else.

Products and sums that no later step reads, nor anything made of them, are made after the loop, for many steps at once,
and so are the blocks that need them. Their levels are counted on from those in the loop. The way back begins with them.

Values that outlive their block are stored: new states, arguments of products, and results of costly functions that a
later block or the backward pass reads. Everything else is computed again where it is needed. The backward pass visits
the blocks in reverse; each is differentiated on its own, by reverse mode on the symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from numrnn.equations.functions import OPERATIONS
from numrnn.equations.symbols import ROW, LinearMap, Trace, Value

MOST_COLUMNS = 4
"""Parts of linear maps that are computed as one: each adds to the registers that a product needs."""


@dataclass(eq=False)
class Group:
    """Linear maps with the same arguments, computed as one: `(time, batch, columns * size)`."""

    index: int
    level: int
    size: str
    maps: list[LinearMap]

    @property
    def columns(self) -> int:
        """Number of parts of all maps together."""
        return sum(m.parts for m in self.maps)

    def position(self, value: Value) -> int:
        """Return which column block a part of a map is."""
        before = 0
        for m in self.maps:
            if m.name == value.name:
                return before + value.part
            before += m.parts
        raise KeyError(value.name)


@dataclass(eq=False)
class Product:
    """A matrix product in the loop: group += argument @ weights."""

    group: Group
    argument: Value
    position: int  # of the argument in the maps

    @property
    def heads(self) -> int:
        """Number of blocks of the weights, if they are block-diagonal, or 1."""
        return self.group.maps[0].heads[self.position]


class Ratio(NamedTuple):
    """How many times as many channels one size has as another."""

    many: str
    few: str

    def number(self, trace: Trace) -> int:
        """Return it for the cell at hand."""
        return trace.width(self.many) // trace.width(self.few)


class Grouping(NamedTuple):
    """How a spread, or sums of groups, pair the channels of two sizes.

    Channels of the larger size are a groups of b parts of c channels; those of the smaller one a groups of c channels.
    """

    few: str
    many: str
    groups: str

    @classmethod
    def of(cls, value: Value) -> Grouping:
        """Return that of a spread or total."""
        (argument,) = value.arguments
        few, many = (argument, value) if value.kind == "spread" else (value, argument)
        return cls(few.size or "", many.size or "", value.groups)

    @property
    def is_of_single(self) -> bool:
        """Whether c = 1: many channels beside each other belong to one of the few."""
        return self.groups == self.few

    @property
    def run(self) -> Ratio:
        """How many of the channels, beside each other, belong to one of the few, or to as many beside each other."""
        return Ratio(self.many, self.few) if self.is_of_single else Ratio(self.few, self.groups)

    @property
    def unit(self) -> Ratio:
        """How many of the channels belong to one group."""
        return Ratio(self.many, self.groups)


class Layout(NamedTuple):
    """How a block with spreads or sums of groups goes over its channels: unit by unit, and in each run by run."""

    runs: tuple[Ratio, ...]
    """A run has as many channels, beside each other, as there are without the end of a run of any grouping between
    them: the greatest common divisor of these; mostly there is one."""
    unit: Ratio
    """A unit has a whole number of groups of every grouping."""


@dataclass(eq=False)
class Block:
    """Element-wise work on as many channels as `size` has, after the products and sums of its level."""

    level: int
    size: str
    outputs: list[Value]
    nodes: list[Value] = field(default_factory=list)  # in the order of computation
    inputs: list[Value] = field(default_factory=list)
    gradients: dict[Value, Value] = field(default_factory=dict)  # of the inputs, from seeds and stored values
    node_gradients: dict[Value, Value] = field(default_factory=dict)  # of all nodes and inputs
    gradient_nodes: list[Value] = field(default_factory=list)
    gradient_inputs: list[Value] = field(default_factory=list)
    sums: list[Value] = field(default_factory=list)  # of groups of channels of outputs

    @property
    def spreads(self) -> list[Value]:
        """Inputs that are spread, forward and backward."""
        return [v for v in dict.fromkeys([*self.inputs, *self.gradient_inputs]) if v.kind == "spread"]

    def layout(self, trace: Trace) -> Layout | None:
        """Return how the channels are gone over if there are spreads or sums of groups."""
        groupings = [Grouping.of(value) for value in (*self.spreads, *self.sums)]
        if not groupings:
            return None
        numbers = {ratio: ratio.number(trace) for grouping in groupings for ratio in (grouping.run, grouping.unit)}
        ratios = sorted(numbers.items(), key=itemgetter(1))
        (run, fewest), (unit, most) = ratios[0], ratios[-1]
        runs = (run,) if all(number % fewest == 0 for _, number in ratios) else tuple(ratio for ratio, _ in ratios)
        return Layout(runs, unit if all(most % number == 0 for _, number in ratios) else Ratio(self.size, ROW))

    @property
    def spread_gradients(self) -> list[Value]:
        """Inputs that are spread, whose gradients are sums of groups of this block's channels."""
        return [value for value in self.gradients if value.kind == "spread"]

    @property
    def is_of_rows(self) -> bool:
        """Whether it computes one number a row."""
        return self.size == ROW

    @property
    def gathered(self) -> list[Value]:
        """Inputs with one number a row, whose gradients are sums over this block's channels."""
        return [] if self.is_of_rows else [value for value in self.gradients if value.size == ROW]


class Program:
    """A cell's equations, taken apart.

    Attributes
    ----------
    groups : list of Group
        Linear maps, merged; each has an array of its own.
    products : list of Product
        The matrix products inside the loop, and those after it.
    totals : list of Value
        Sums over the channels of a row, or of groups of them, in the order of computation.
    spreads : list of Value
        What is spread.
    blocks : list of Block
        In the order in which they run.
    fixed : list of Value
        Functions of parameters alone that blocks read.
    kept : list of Value
        Values with an array of their own on the tape.
    kept_in_group : dict
        Stored values that take the place of a linear map's result nobody needs any more: value to that result.
    given_out : int
        How many of the states, the first ones, receive gradients from outside at every step.
    passing : list of Value
        Values that are stored only until the end of their step.
    work : list of Value
        Values whose gradient is gathered from several places within a step.
    ahead : list of Value
        Values whose gradient, or a part of it, is made for many steps at once before the loop over time backwards.
    depth, last_level : int
        The last level of the loop, and of all; the levels in between are those after the loop.
    placed : set of Value
        What blocks store; what they only add up is not stored.
    wide : list of Value
        States that others are spread to, and no map sees: they tend to be large, and of the gradients that they receive
        only those of the step at hand and of the one before are there at a time.
    """

    def __init__(
        self, trace: Trace, input: Value, states: list[Value], outputs: list[Value], given_out: int = 1
    ) -> None:
        self.trace, self.input, self.states, self.given_out = trace, input, states, given_out
        self.outputs = self._as_outputs(outputs)
        self._levels: dict[Value, int] = {}
        self._are_fixed: dict[Value, bool] = {}
        every = _ancestors([*self.outputs, *self._map_arguments()])
        self.totals = [v for v in every if v.kind == "total"]
        self.spreads = [v for v in every if v.kind == "spread"]
        read = [new for state, new in zip(states, self.outputs, strict=True) if state in every]
        read = every if self.has_groups else read  # all in the loop: groups are added up in its blocks
        self._read_later = {v.name if v.kind == "linear" else v for v in _ancestors(read)}  # a map is so as a whole
        self.depth = max(map(self.level, read), default=0)
        self.groups = self._make_groups()
        self.products = [
            Product(group, argument, position)
            for group in self.groups
            for position, argument in enumerate(group.maps[0].arguments)
            if argument is not input
        ]
        self.products.sort(key=lambda product: product.group.level)
        levels = [group.level for group in self.groups] + [self.level(value) for value in self.totals]
        self.last_level = max(levels, default=0)
        first = [p.argument for p in self.products if p.group.level == 1]
        first += [value.arguments[0] for value in self.totals if self.level(value) == 1]
        self._before_products = set(_ancestors(first))
        self._stored = self._storable()
        self.blocks = self._make_blocks()
        self._differentiate_blocks()
        self._place_stored()
        self.wide = self._find_wide()
        read = [value for block in self.blocks for value in (*block.inputs, *block.gradient_inputs)]
        self.fixed = list(dict.fromkeys(value for value in read if self.is_fixed(value)))

    @property
    def groupings(self) -> list[Value]:
        """What is spread, and sums of groups."""
        return [*self.spreads, *(value for value in self.totals if value.size != ROW)]

    @property
    def has_groups(self) -> bool:
        """Whether anything is spread or added up in groups."""
        return bool(self.groupings)

    def _find_wide(self) -> list[Value]:
        targets = {self.trace.width(value.size) for value in self.spreads} - {self.trace.width(self.outputs[0].size)}
        maps = {product.argument for product in self.products}
        pairs = zip(self.states, self.outputs, strict=True)
        return [old for old, new in pairs if self.trace.width(old.size) in targets and not maps & {old, new}]

    def _map_arguments(self) -> list[Value]:
        return [argument for m in self.trace.maps.values() for argument in m.arguments]

    def _as_outputs(self, outputs: list[Value]) -> list[Value]:
        """Return the new states as operations of their own, so that each has a place where it is computed."""
        distinct: list[Value] = []
        for state, value in zip(self.states, outputs, strict=True):
            is_own = value.kind == "operation" and value not in distinct
            distinct.append(value if is_own else Value(self.trace, "operation", "copy", (value,), size=state.size))
        return distinct

    def level(self, value: Value) -> int:
        """Return how many products lie between the old state and `value`, one after the other.

        If no later step reads any of it, it comes after all that is read.
        """
        if value not in self._levels:
            if value.kind in ("linear", "total"):
                recurrent = [argument for argument in value.arguments if argument is not self.input]
                result = 1 + max(map(self.level, recurrent)) if recurrent else 0
                if result and (value.name if value.kind == "linear" else value) not in self._read_later:
                    result = max(result, self.depth + 1)
            else:
                result = max(map(self.level, value.arguments), default=0)
            self._levels[value] = result
        return self._levels[value]

    def is_after(self, value: Value) -> bool:
        """Whether a value is made of products or sums after the loop."""
        return self.level(value) > self.depth

    def is_fixed(self, value: Value) -> bool:
        """Whether a value is a function of parameters alone."""
        if value not in self._are_fixed:
            parts = [argument for argument in value.arguments if argument.kind != "constant"]
            self._are_fixed[value] = (
                value.kind == "operation"
                and bool(parts)
                and all(argument.kind == "vector" or self.is_fixed(argument) for argument in parts)
            )
        return self._are_fixed[value] and value not in self._chosen

    def _make_groups(self) -> list[Group]:
        groups: list[Group] = []
        newest: dict[tuple, Group] = {}
        for m in self.trace.maps.values():
            level = self.level(self.trace.value("linear", m.name, arguments=m.arguments, size=m.size, part=0))
            key = (level, m.size, m.heads, *map(id, m.arguments))
            if key not in newest or newest[key].columns + m.parts > MOST_COLUMNS:
                newest[key] = Group(len(groups), level, m.size, [])
                groups.append(newest[key])
            newest[key].maps.append(m)
        return groups

    def group_of(self, value: Value) -> Group:
        """Return the group that computes a part of a linear map."""
        return next(group for group in self.groups if any(m.name == value.name for m in group.maps))

    def products_of(self, group: Group) -> list[Product]:
        """Return the products that make up a group's results, besides the map of the input."""
        return [product for product in self.products if product.group is group]

    # ---- blocks --------------------------------------------------------------------------------------------------

    def _storable(self) -> list[Value]:
        """Return all values that may be stored, in the order of computation."""
        arguments = [product.argument for product in self.products if product.argument.kind == "operation"]
        arguments += [value.arguments[0] for value in self.totals]
        arguments += [value.arguments[0] for value in self.spreads if value.arguments[0].kind == "operation"]
        every = _ancestors([*self.outputs, *arguments])
        self._chosen = {*self.outputs, *arguments}
        self._in_loop = set(_ancestors(value for value in self._chosen if not self.is_after(value)))
        may_be = [v for v in every if v.kind == "operation" and not self.is_fixed(v)]
        return [v for v in may_be if v in self._chosen or (OPERATIONS[v.name].costly and v.size is not None)]

    def _home(self, value: Value) -> tuple[int, int]:
        """Return the (level, channels) of the block that computes a stored value.

        Values of as many channels may depend on each other even if their sizes have different names.
        """
        level = self.level(value)
        if self.last_level > self.depth and value not in self._in_loop:
            level = max(level, self.depth + 1)  # only what comes after the loop reads it
        elif level == 0 and self.depth > 0 and value not in self._before_products:
            level = 1
        if value.size is None:
            raise ValueError(
                "equations: got a constant as a state or as the argument of a map; expects something with channels"
            )
        return level, 0 if value.size == ROW else self.trace.sizes[value.size]

    def _make_blocks(self) -> list[Block]:
        homes: dict[tuple[int, int], list[Value]] = {}
        for value in self._stored:
            homes.setdefault(self._home(value), []).append(value)
        blocks = [
            Block(level, outputs[0].size or "", outputs)
            for (level, _), outputs in sorted(homes.items(), key=lambda item: (item[0][0], item[0][1] > 0))
        ]
        stored = set(self._stored)
        for block in blocks:
            own = set(block.outputs)
            # a costly value is computed here only if something that lives here or later needs it
            block.nodes, block.inputs = schedule(
                block.outputs, lambda v, own=own: (v in stored and v not in own) or self.is_fixed(v)
            )
            block.sums = [v for v in self.totals if v.size != ROW and v.arguments[0] in own]
        # what is spread comes from fewer channels
        width = self.trace.width
        return sorted(blocks, key=lambda b: (b.level, b.size != ROW, width(b.size) if b.spreads else 0))

    def _differentiate_blocks(self) -> None:
        wanted = {*self.outputs, *(product.argument for product in self.products)}  # what has a gradient from elsewhere
        stored = set(self._stored)
        for block in reversed(self.blocks):
            gradients: dict[Value, Value] = {}
            for v in block.outputs:
                sources = [v] if v in wanted else []
                sources += [t for t in self.totals if t.arguments[0] is v and t in wanted]
                for source in sources:
                    seed = self.trace.value("seed", source.name, arguments=(source,), size=source.size)
                    if source is not v and source.size != ROW:
                        seed = self.trace.of_groups("spread", seed, v.size or "", source.groups, source.size or "")
                    gradients[v] = gradients[v] + seed if v in gradients else seed
            for value in reversed(block.nodes):
                _pass_on(value, gradients)
            for value in reversed(schedule(filter(self.is_fixed, block.inputs), lambda v: False)[0]):
                _pass_on(value, gradients)
            block.node_gradients = gradients
            parameters = self.trace.vectors.values()
            inputs = dict.fromkeys((*(v for v in block.inputs if not self.is_fixed(v)), *parameters))
            block.gradients = {v: gradients[v] for v in inputs if v in gradients}
            block.gradient_nodes, block.gradient_inputs = schedule(
                block.gradients.values(), lambda v: v in stored or self.is_fixed(v)
            )
            wanted |= {v for v in unspread(block.gradients) if v in stored or v.kind == "total"}
        after = [block for block in self.blocks if block.level > self.depth]
        given = {value for block in after for value in block.gradients}
        given |= {product.argument for product in self.products if product.group.level > self.depth}
        gathered = [v for v in (*self._stored, *self.totals) if v in wanted]
        self.ahead = [v for v in gathered if v in given and not (v in self.outputs and self.is_after(v))]
        self.work = [v for v in gathered if v not in self.outputs and v not in self.ahead]

    def _place_stored(self) -> None:
        read_later = {value for block in self.blocks for value in unspread(block.inputs)}
        read_back = {value for block in self.blocks for value in unspread(block.gradient_inputs)}
        arguments = {product.argument for product in self.products}
        summed = {value.arguments[0] for value in self.totals if value.size == ROW}
        kept_sums = {value.arguments[0] for value in self.totals if self.is_after(value)}
        self.passing: list[Value] = []
        self.kept: list[Value] = list(self.totals)
        self.kept_in_group: dict[Value, Value] = {}
        for block in self.blocks:
            maps = [v for v in block.inputs if v.kind == "linear"]
            readers = {v: [b for b in self.blocks if v in unspread(b.inputs)] for v in maps}
            free = [v for v, blocks in readers.items() if blocks == [block] and v not in read_back]
            for value in block.outputs:
                if value in self.outputs:
                    continue
                if value in arguments or value in kept_sums:
                    self.kept.append(value)
                elif value in read_later or value in read_back:
                    if free:
                        self.kept_in_group[value] = free.pop(0)
                    else:
                        self.kept.append(value)
                elif value in summed:
                    self.passing.append(value)
        kept = {*self.outputs, *self.kept, *self.passing, *self.kept_in_group}
        for block in self.blocks:
            added_up = {v.arguments[0] for v in block.sums}
            block.outputs = [v for v in block.outputs if v in kept or v in added_up]
        self.placed = kept


def _pass_on(value: Value, gradients: dict[Value, Value]) -> None:
    """Add what the arguments of an operation receive from its gradient, if it has one."""
    if value not in gradients:
        return
    partials = OPERATIONS[value.name].derivative(value, *value.arguments)
    for argument, partial in zip(value.arguments, partials, strict=True):
        contribution = gradients[value] * partial
        if argument.kind not in ("constant", "share", "mask", "noise") and not contribution.is_number(0.0):
            known = gradients.get(argument)
            gradients[argument] = contribution if known is None else known + contribution


def unspread(values: Iterable[Value]) -> list[Value]:
    """Return values, and in the place of what is spread what it is spread from."""
    return [value.arguments[0] if value.kind == "spread" else value for value in values]


def _ancestors(roots: Iterable[Value]) -> list[Value]:
    """Return the roots and everything they are made of by operations, arguments first."""
    found: dict[Value, None] = {}

    def visit(value: Value) -> None:
        if value not in found:
            if value.kind in ("operation", "linear", "total", "spread"):
                for argument in value.arguments:
                    visit(argument)
            found[value] = None

    for root in roots:
        visit(root)
    return list(found)


def schedule(roots: Iterable[Value], is_given: Callable[[Value], bool]) -> tuple[list[Value], list[Value]]:
    """Return the operations that compute `roots`, in order, and the values they start from."""
    nodes: dict[Value, None] = {}
    inputs: dict[Value, None] = {}

    def visit(value: Value) -> None:
        if value in nodes or value in inputs or value.kind == "constant":
            return
        if value.kind != "operation" or is_given(value):
            inputs[value] = None
            return
        for argument in value.arguments:
            visit(argument)
        nodes[value] = None

    for root in roots:
        visit(root)
    return list(nodes), list(inputs)
