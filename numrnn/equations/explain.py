"""Explains a cell: what its program computes when, as formulas, forward and backward.

The names are those of the equations: of states, linear maps, peepholes, and of the variables in the equations' code.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Any

from numrnn.equations.derive import Block, Group, Program, schedule, unspread
from numrnn.equations.notation import (
    WIDTH,
    Expression,
    Formula,
    Latex,
    Symbol,
    Text,
    combined,
    expression,
    of_groups,
    total,
)
from numrnn.equations.symbols import ROW, LinearMap, Value
from numrnn.errors import complaint

ACTIVATIONS = ("relu", "sigmoid", "softplus", "tanh")
MOST_LEAVES = 12
"""Symbols in an expression; of larger ones, parts get names. Sums have as many terms as they like."""
NOTATIONS = {"text": Text(), "latex": Latex()}


@dataclass
class Section:
    """A part of an explanation: formulas and other rows under a title."""

    title: str
    rows: list[tuple[str, Any]] = field(default_factory=list)
    """(label, content): a formula, or words and symbols in a tuple."""

    def add(self, label: str, contents: Iterable[Any]) -> None:
        """Add rows, the first of which is labelled."""
        for k, content in enumerate(contents):
            self.rows.append(("" if k else label, content))

    @property
    def formulas(self) -> list[Formula]:
        """The rows that are formulas."""
        return [content for _, content in self.rows if isinstance(content, Formula)]


def explain(cell: Any, format: str = "text") -> str:
    """Return what a cell computes; see `Cell.explain`."""
    if format not in NOTATIONS:
        raise ValueError(complaint(cell, f"format = {format!r}", f"one of {', '.join(map(repr, NOTATIONS))}"))
    lines = []
    for section in sections(cell):
        lines += (_latex if format == "latex" else _text)(section)
    return "\\\\\n".join(lines) if format == "latex" else "\n".join(lines).strip("\n")


def _text(section: Section) -> list[str]:
    notation = NOTATIONS["text"]
    indent = 2 + max((len(label) + 2 for label, _ in section.rows if label), default=0)
    lines = ["", section.title]
    for label, content in section.rows:
        is_formula = isinstance(content, Formula)
        shown = notation.formula(content) if is_formula else wrap(_words(content, notation, str), WIDTH)
        start = f"  {label}".ljust(indent)
        lines += [(" " * indent if k else start) + line for k, line in enumerate(shown)]
    return lines


def _latex(section: Section) -> list[str]:
    notation = NOTATIONS["latex"]
    lines = [rf"&\text{{{_escaped(section.title)}}}"]
    for label, content in section.rows:
        if isinstance(content, Formula):
            lines += notation.formula(content)
        else:
            words = _words(content, notation, lambda text: rf"\text{{{_escaped(text)}}}")
            start = rf"\text{{{label}: }} " if label else ""
            lines.append(rf"&\quad {start}{words}")
    return lines


def _escaped(text: str) -> str:
    for sign, command in (("->", r"\to"), ("×", r"\times"), ("Σ", r"\sum")):
        text = text.replace(sign, rf"}} {command} \text{{")
    return text.replace("ᵀ", r"}^{\top}\text{").replace("_", r"\_")


def _words(content: tuple[Any, ...], notation: Text, words: Any) -> str:
    return "".join(words(part) if isinstance(part, str) else notation.show(part) for part in content)


def _listed(parts: Iterable[Any]) -> tuple[Any, ...]:
    """Return expressions with commas between them."""
    return tuple(piece for part in parts for piece in (", ", part))[1:]


# ---- names ---------------------------------------------------------------------------------------------------------


def observed(cell: Any) -> tuple[Program, dict[Value, tuple[str, ...]]]:
    """Return the program of a cell, made anew, and what its code calls the values in it."""
    fresh = object.__new__(type(cell))
    fresh.__dict__.update({name: value for name, value in cell.__dict__.items() if name != "_program"})
    code = getattr(inspect.unwrap(type(cell).equations), "__code__", None)
    returns: list[tuple[Any, dict[str, Any], Any]] = []

    def note(frame: Any, event: str, result: Any) -> None:
        if event == "return" and not frame.f_globals.get("__name__", "").startswith("numrnn.equations."):
            returns.append((frame.f_code, dict(frame.f_locals), result))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        program = fresh.program()
    finally:
        sys.setprofile(before)
    own = [result for ran, _, result in returns if ran is code]
    names: dict[Value, tuple[str, ...]] = {}
    for ran, variables, result in reversed(returns):  # outer functions first
        if own and result is own[-1] and not ran.co_name.startswith("<"):
            names = _variables(variables) | names
    return program, names


def _variables(variables: dict[str, Any]) -> dict[Value, tuple[str, ...]]:
    """Return the values among a function's variables, and those in lists, by their best names."""
    single: dict[Value, tuple[str, ...]] = {}
    for name, value in sorted(variables.items(), key=lambda item: (len(item[0]), item[0])):
        if isinstance(value, Value):
            single.setdefault(value, (name,))
    listed: dict[Value, tuple[str, ...]] = {}
    lists = [(name, value) for name, value in variables.items() if isinstance(value, list | tuple)]
    for name, values in sorted(lists, key=lambda item: (-len(item[1]), item[0])):
        if not all(isinstance(value, Value) for value in values) or all(value in single for value in values):
            continue
        for k, value in enumerate(values, 1):
            is_of_a_loop = k == len(values)  # what a loop variable still holds
            if value not in single or is_of_a_loop:
                listed.setdefault(value, (name, str(k)) if len(values) > 1 else (name,))
    return single | listed


class Names:
    """The symbols of an explanation, each for one thing only."""

    def __init__(self, program: Program, variables: dict[Value, tuple[str, ...]]) -> None:
        self.program = program
        self._counts: Counter[str] = Counter()
        self._gradients: dict[Value, Symbol] = {}
        self._used = {NOTATIONS["text"].symbol(symbol) for symbol in self._of_maps()}
        self.arriving = self._free(Symbol("y", ("t",), is_gradient=True))
        """The gradient that the output receives."""
        self.of: dict[Value, Symbol] = {}
        """Symbols of inputs, states, parts of maps, and of operations that have a name in the code."""
        self._name_inputs()
        self._variables = {v: name for v, name in variables.items() if v not in self.of}
        self._users = self._find_users()
        self._name_maps()
        self.in_code = {v: self._free(_symbol(*name)) for v, name in self._named_operations()}
        self.of |= self.in_code

    def _free(self, symbol: Symbol) -> Symbol:
        """Return the symbol, with as many primes as it takes to be the only one."""
        while (text := NOTATIONS["text"].symbol(symbol)) in self._used:
            symbol = replace(symbol, primes=symbol.primes + 1)
        self._used.add(text)
        return symbol

    def _of_maps(self) -> Iterator[Symbol]:
        """Yield the symbols that parameters and whole maps have, whatever else there is."""
        for m in self.program.trace.maps.values():
            yield from (Symbol("W", (m.name, suffix)) for suffix in m.suffixes)
            yield from (Symbol(letter, (m.name,)) for letter in ("b", "u", *("a" * (m.parts > 1))))

    def _name_inputs(self) -> None:
        p = self.program
        self._used |= {"σ", p.input.name, *(state.name for state in p.states)}  # without an index they would mislead
        for value, time in [(p.input, "t"), *((s, "t-1") for s in p.states)]:
            self.of[value] = self._free(_symbol(value.name, time))
        for state, value in zip(p.states, p.outputs, strict=True):
            self.of[value] = self._free(_symbol(state.name, "t"))
        for name, value in p.trace.vectors.items():
            base, _, rest = name.rpartition("_peephole")
            self.of[value] = self._free(Symbol("w", (base,)) if base and not rest else Symbol(name))
        for name, value in p.trace.masks.items():
            self.of[value] = self._free(Symbol("m", (name,)))
        for name, value in p.trace.noise.items():
            self.of[value] = self._free(Symbol("epsilon", (name, "t")))

    def _find_users(self) -> dict[Value, list[Value]]:
        users: dict[Value, list[Value]] = {}
        roots = [*self.program.outputs, *(a for m in self.program.trace.maps.values() for a in m.arguments)]
        seen: set[Value] = set()
        while roots:
            value = roots.pop()
            if value not in seen:
                seen.add(value)
                for argument in value.arguments:
                    users.setdefault(argument, []).append(value)
                roots += value.arguments
        return users

    def _activation(self, value: Value) -> Value | None:
        """Return the function of a value that is all that the value is there for."""
        users = self._users.get(value, [])
        if len(users) != 1 or users[0].kind != "operation" or users[0] in self.of:
            return None
        if users[0].name == "add" and users[0] not in self._variables:
            return self._activation(users[0])
        return users[0] if users[0].name in ACTIVATIONS else None

    def _name_maps(self) -> None:
        for m in self.program.trace.maps.values():
            for part in parts(self.program, m):
                name, activation = self._variables.get(part), self._activation(part)
                known = self._variables.get(activation) if activation is not None else None
                if m.parts == 1:
                    symbol = Symbol("a", (m.name,))
                elif known:
                    symbol = Symbol("a", ("_".join(known),))
                elif activation is not None and name:
                    symbol = Symbol("a", ("_".join(name),))
                    self._variables[activation] = name
                elif name:
                    symbol = _symbol(*name)
                else:
                    symbol = Symbol("a", (m.name, str(part.part + 1)))
                self.of[part] = self._free(symbol)

    def _named_operations(self) -> Iterator[tuple[Value, tuple[str, ...]]]:
        named = {v: name for v, name in self._variables.items() if v.kind == "operation" and v not in self.of}
        for value, name in list(named.items()):
            activation = self._activation(value)
            is_of_maps = value.name == "add" and any(argument.kind == "linear" for argument in value.arguments)
            if activation is not None and is_of_maps and activation not in named:
                named |= {activation: name, value: ("a", "_".join(name))}
        return iter(named.items())

    def whole(self, m: LinearMap) -> Symbol:
        """Return the symbol of all parts of a map together."""
        return self.of[parts(self.program, m)[0]] if m.parts == 1 else Symbol("a", (m.name,))

    def scratch(self, letter: str) -> Symbol:
        """Return the next of the symbols for what has no name."""
        self._counts[letter] += 1
        return self._free(Symbol(letter, (str(self._counts[letter]),)))

    def gradient_of(self, value: Value) -> Symbol:
        """Return the symbol of the gradient with respect to a value, for a peephole that of one step."""
        if value not in self._gradients:
            symbol = self.of[value]
            symbol = replace(symbol, below=(*symbol.below, "t")) if value.kind == "vector" else symbol
            self._gradients[value] = self._free(symbol.gradient)
        return self._gradients[value]


def _symbol(name: str, *below: str) -> Symbol:
    """Return the symbol for a name in code: what follows the first underscore, or digits at the end, go below."""
    base, _, rest = name.strip("_").partition("_")
    letters = base.rstrip("0123456789")
    if not rest and letters and letters != base:
        base, rest = letters, base[len(letters) :]
    return Symbol(base or name, (*([rest] if rest else []), *below))


def parts(program: Program, m: LinearMap) -> list[Value]:
    """Return the parts of a linear map."""
    return [
        program.trace.value("linear", m.name, arguments=m.arguments, size=m.size, part=part) for part in range(m.parts)
    ]


# ---- formulas ------------------------------------------------------------------------------------------------------


def sections(cell: Any) -> list[Section]:
    """Return an explanation of a cell, part by part."""
    program, variables = observed(cell)
    return list(_Explanation(cell, program, Names(program, variables)).sections())


class _Explanation:
    def __init__(self, cell: Any, program: Program, names: Names) -> None:
        self.cell, self.program, self.names = cell, program, names
        self.symbols = names.of  # grows: of operations that are named in a block
        self.shapes = dict(program.trace.parameters)
        self.written = set(program.outputs)  # gradients that hold something already

    def sections(self) -> Iterator[Section]:
        p = self.program
        yield self._parameters()
        phases = range(p.depth + 1)
        forward = [self._before_loop(), *(self._forward(level) for level in phases), self._forward_after()]
        stored = self._stored()  # before the way back names more
        backward = [self._backward_after(), self._arriving(), *(self._backward(level) for level in reversed(phases))]
        yield from (section for section in (*forward, stored, *backward, self._after_loop()) if section.rows)

    def _phase(self, level: int) -> str:
        if level == 0 and self.program.depth:
            return f"before the first {'product' if self.program.products else 'sum'}"
        if level == 0:
            return "without a product"
        return f"phase {level} of {self.program.depth}"

    @property
    def _levels_after(self) -> range:
        """The levels after the loop."""
        return range(self.program.depth + 1, self.program.last_level + 1)

    # ---- what there is -------------------------------------------------------------------------------------------

    def _parameters(self) -> Section:
        sizes = ", ".join(f"{name} {size}" for name, size in self.cell.sizes().items())
        count = sum(parameter.size for _, parameter in self.cell.named_parameters())
        section = Section(f"{self.cell!r}: {count} parameters; channels: {sizes}")
        origins = {part: joint.origin(name) for name, joint in self.cell.joint.items() for part in joint.parts}
        for m in self.program.trace.maps.values():
            for suffix in m.suffixes:
                self._parameter(section, self._weight(m, suffix), f"{m.name}_weight_{suffix}", origins)
            if m.bias:
                self._parameter(section, Symbol("b", (m.name,)), f"{m.name}_bias", origins)
        for name, value in self.program.trace.vectors.items():
            self._parameter(section, self.symbols[value], name, origins)
        if self.cell.learns_start_state:
            widths = zip(self.cell.states, self.cell.state_widths(), strict=True)
            section.add("", [(_symbol(name, "0"), f": start_{name}, {width}") for name, width in widths])
        return section

    def _parameter(self, section: Section, symbol: Symbol, name: str, origins: dict[str, str]) -> None:
        shape = " × ".join(map(str, self.shapes[name]))
        kind = ", block-diagonal" if len(self.shapes[name]) > 2 else ""
        section.add("", [(symbol, f": {name}{origins.get(name, '')}, {shape}{kind}")])

    def _weight(self, m: LinearMap, suffix: str) -> Symbol:
        return Symbol("W", (m.name, suffix))

    # ---- forward -------------------------------------------------------------------------------------------------

    def _before_loop(self) -> Section:
        section = Section("Forward, before the loop over time, for all steps at once")
        for value in schedule(self.program.fixed, lambda v: False)[0]:
            if value in self.program.fixed:
                self._name(value)
                section.add("", [Formula(self.symbols[value], expression(value, self.symbols, is_root=True))])
        for group in self.program.groups:
            for m in group.maps:
                if self.program.input in m.arguments:
                    terms = [self._mapped(m, m.arguments.index(self.program.input))]
                    value = total([*terms, *([Symbol("b", (m.name,))] if m.bias else [])])
                    if self.program.products_of(group):
                        section.add("", [Formula(Symbol("u", (m.name,)), value)])
                    else:
                        section.add("", self._map_formulas(m, value))
        return section

    def _mapped(self, m: LinearMap, position: int) -> Expression:
        argument = self.symbols[m.arguments[position]]
        return Expression("matrix product", (self._weight(m, m.suffixes[position]), argument))

    def _map_formulas(self, m: LinearMap, value: Any) -> list[Formula]:
        whole = self.names.whole(m)
        apart = Expression("tuple", tuple(self.symbols[part] for part in parts(self.program, m)))
        return [Formula(whole, value), *([Formula(apart, whole)] if m.parts > 1 else [])]

    def _forward(self, level: int) -> Section:
        section = Section(f"Forward, step t, {self._phase(level)}")
        self._add_level(section, level)
        return section

    def _forward_after(self) -> Section:
        section = Section("Forward, after the loop over time, for all steps at once")
        for level in self._levels_after:
            self._add_level(section, level)
        return section

    def _add_level(self, section: Section, level: int) -> None:
        for group in self.program.groups:
            products = self.program.products_of(group)
            if group.level == level and products:
                formulas = []
                for m in group.maps:
                    start = [Symbol("b", (m.name,))] if m.bias else []
                    start = [Symbol("u", (m.name,))] if self.program.input in m.arguments else start
                    terms = [*start, *(self._mapped(m, product.position) for product in products)]
                    formulas += self._map_formulas(m, total(terms))
                section.add("product" if len(products) == 1 else f"{len(products)} products", formulas)
        totals = [value for value in self.program.totals if self.program.level(value) == level]
        for value in totals:
            self._name(value)
        sums = [Formula(self.symbols[v], _sum_of_channels(self.symbols[v.arguments[0]], v)) for v in totals]
        section.add("sum" if len(totals) == 1 else f"{len(totals)} sums", sums)
        for block in self.program.blocks:
            if block.level == level:
                section.add(self._block_label(block), self._block(block))

    def _block_label(self, block: Block) -> str:
        width = self.program.trace.width
        return (
            "block"
            if len({width(other.size) for other in self.program.blocks}) == 1
            else f"block of {width(block.size)}"
        )

    def _block(self, block: Block) -> list[Formula]:
        forced = {v for v in block.nodes if v in self.symbols or v in block.outputs}
        formulas = []
        for value in named(block.nodes, block.outputs, forced):
            self._name(value)
            formulas.append(Formula(self.symbols[value], expression(value, self.symbols, is_root=True)))
        return formulas

    def _name(self, value: Value, letter: str = "s") -> None:
        if value not in self.symbols:
            self.symbols[value] = self.names.scratch(letter)

    # ---- what is kept --------------------------------------------------------------------------------------------

    def _stored(self) -> Section:
        p = self.program
        columns = [(group.columns, group.size) for group in p.groups] + [(1, v.size) for v in (*p.states, *p.kept)]
        numbers = sum(count * p.trace.width(size) for count, size in columns)
        section = Section(f"Stored for the way back, {numbers} numbers for each step and row")
        section.add("states", [_listed(self.symbols[v] for v in p.outputs)])
        lodgers = {place: value for value, place in p.kept_in_group.items()}
        pieces: list[Any] = []
        for value in (v for group in p.groups for m in group.maps for v in parts(p, m)):
            lodger = lodgers.get(value)
            pieces += [", "] if lodger is None else [", ", self.symbols[lodger], " in place of "]
            pieces.append(self.symbols[value])
        section.add("maps", [tuple(pieces[1:])] if pieces else [])
        section.add("values", [_listed(self.symbols[v] for v in p.kept)] if p.kept else [])
        section.add("computed once", [_listed(self.symbols[v] for v in p.fixed)] if p.fixed else [])
        again = self._computed_again()
        section.add("computed again", [_listed(again)] if again else [])
        return section

    def _computed_again(self) -> list[Any]:
        """Return what both the forward and the backward pass compute, without what that is made of."""
        forward = {value for block in self.program.blocks for value in block.nodes}
        found: dict[Value, None] = {}
        for block in self.program.blocks:
            own = [value for value in block.gradient_nodes if value in forward]
            inner = {a for value in own for a in value.arguments}
            found |= dict.fromkeys(value for value in own if value not in inner)
        return [expression(value, self.symbols) for value in found if value.name != "negate"]

    # ---- backward ------------------------------------------------------------------------------------------------

    def _arriving(self) -> Section:
        p = self.program
        section = Section("Backward, step t, from the last to the first")
        new = [v for v in p.outputs if not p.is_after(v)]
        if new:
            states, came = _listed(self.symbols[v] for v in new), _listed(map(self._gradient, new))
            left = ", as step t + 1 left them"
            left += ", with what was added before the loop" if any(v in p.ahead for v in new) else ""
            section.add("", [(*came, ": the gradients of the loss with respect to ", *states, left)])
        if p.outputs[0] in new:
            self._add_arriving(section)
        return section

    def _add_arriving(self, section: Section) -> None:
        output, arriving = self._gradient(self.program.outputs[0]), self.names.arriving
        section.add("", [(arriving, ": the gradient that the output receives at step t")])
        section.add("", [Formula(output, arriving, adds=True)])

    def _gradient(self, value: Value) -> Symbol:
        """Return the symbol of a value's gradient."""
        return self.names.gradient_of(value)

    def _adds(self, value: Value) -> bool:
        """Whether a contribution to a value's gradient is added to something. From now on, there is something."""
        adds = value in self.written
        self.written.add(value)
        return adds

    def _backward_after(self) -> Section:
        p = self.program
        section = Section("Backward, before the loop over time, for all steps at once")
        new = [v for v in p.outputs if p.is_after(v)]
        if new:
            states, came = _listed(self.symbols[v] for v in new), _listed(map(self._gradient, new))
            rest = ", which no later step reads: zero, or what the last state receives from outside"
            section.add("", [(*came, ": the gradients of the loss with respect to ", *states, rest)])
        if p.outputs[0] in new:
            self._add_arriving(section)
        for level in reversed(self._levels_after):
            self._add_level_back(section, level)
        return section

    def _backward(self, level: int) -> Section:
        section = Section(f"Backward, step t, {self._phase(level)}")
        self._add_level_back(section, level)
        return section

    def _add_level_back(self, section: Section, level: int) -> None:
        p = self.program
        for block in reversed(p.blocks):
            if block.level == level and block.gradients:
                section.add(self._block_label(block), self._block_back(block))
        for group in p.groups:
            if group.level == level:
                section.add("", self._gathered(group))
        for product in p.products:
            if product.group.level == level:
                adds = self._adds(product.argument)
                value = self._transposed(product.group, product.argument)
                section.add("product", [Formula(self._gradient(product.argument), value, adds)])
        if level == 0:
            left = [v for v in (*p.states, *p.trace.vectors.values()) if v not in self.written]
            section.add("", [Formula(self._gradient(v), 0.0) for v in left])

    def _gathered(self, group: Group) -> list[Formula]:
        """Return the gradients of maps, of all their parts together."""
        formulas = []
        for m in group.maps:
            own = parts(self.program, m)
            formulas += [Formula(self._gradient(v), 0.0) for v in own if v not in self.written]
            if m.parts > 1:
                apart = Expression("tuple", tuple(map(self._gradient, own)))
                formulas.append(Formula(self.names.whole(m).gradient, apart))
        return formulas

    def _whole_gradient(self, m: LinearMap) -> Symbol:
        return self.names.whole(m).gradient if m.parts > 1 else self._gradient(parts(self.program, m)[0])

    def _transposed(self, group: Group, argument: Value) -> Any:
        """Return the gradient that an argument of a group of maps receives from it."""
        position = group.maps[0].arguments.index(argument)
        return total(
            Expression("transposed product", (self._weight(m, m.suffixes[position]), self._whole_gradient(m)))
            for m in group.maps
        )

    def _block_back(self, block: Block) -> list[Formula]:
        symbols, gradients = self.symbols, block.node_gradients
        symbols |= {v: self._gradient(v.arguments[0]) for v in unspread(block.gradient_inputs) if v.kind == "seed"}
        updates = self._updates(block)
        symbols |= {gradients[value]: self._gradient(value) for value in updates}
        own = dict(zip(block.gradients, unspread(block.gradients), strict=True))
        stays = {value: not self._adds(own[value]) for value in block.gradients}
        whole = [value for value in block.gradients if value not in block.gathered and value.kind != "spread"]
        for value in [*whole, *reversed(block.nodes)]:
            gradient = gradients.get(value)
            if (
                gradient in block.gradient_nodes
                and gradient not in symbols
                and stays.get(value, self._is_inside(value))
            ):
                symbols[gradient] = self._gradient(value)
        terms = {gradients[value]: rest for value, rest in updates.items()}
        formulas, told = [], set()
        for node in named(block.gradient_nodes, block.gradients.values(), symbols.keys(), terms):
            self._name(node, "g" if self._is_gradient(node) else "s")
            value = combined(terms[node], symbols) if node in terms else expression(node, symbols, is_root=True)
            formulas.append(Formula(symbols[node], value, adds=node in terms))
            told.add(symbols[node])
        for value, gradient in block.gradients.items():
            if self._gradient(own[value]) not in told:
                source = expression(gradient, symbols)
                if value.kind == "spread" or value in block.gathered:
                    source = _sum_of_channels(source, value)
                formulas.append(Formula(self._gradient(own[value]), source, adds=not stays[value]))
        return formulas

    def _updates(self, block: Block) -> dict[Value, list[tuple[int, Value]]]:
        """Return what is added to gradients that came from elsewhere, as terms with signs, where nobody else reads it.

        Those are sums that begin with what came.
        """
        uses = Counter(argument for node in block.gradient_nodes for argument in node.arguments)
        uses.update(block.gradients.values())
        updates = {}
        for value in block.outputs:
            node, terms = block.node_gradients.get(value), []
            while node in block.gradient_nodes and node.name in ("add", "subtract"):
                first, second = node.arguments
                terms.insert(0, (1 if node.name == "add" else -1, second))
                node = first
                if uses[node] > 1:
                    break
                if node.kind == "seed" and node.arguments[0] is value:
                    updates[value] = terms
        return updates

    def _is_inside(self, value: Value) -> bool:
        """Whether a value's gradient is a matter of one block, and the value has a name."""
        return value in self.symbols and sum(value in block.nodes for block in self.program.blocks) == 1

    def _is_gradient(self, node: Value) -> bool:
        return node.kind == "seed" or any(map(self._is_gradient, node.arguments))

    def _after_loop(self) -> Section:
        p = self.program
        section = Section("Backward, after the loop, for all steps at once; Σ goes over steps and rows")
        inputs = [group for group in p.groups if p.input in group.maps[0].arguments]
        terms = [self._transposed(group, p.input) for group in inputs]
        flat = [part for term in terms for part in (term.parts if term.kind == "sum" else (term,))]
        if flat or p.input not in self.written:
            section.add("", [Formula(self._gradient(p.input), total(flat), p.input in self.written)])
        for m in p.trace.maps.values():
            gradient = self._whole_gradient(m)
            for suffix, argument in zip(m.suffixes, m.arguments, strict=True):
                value = Expression("total", (Expression("outer product", (gradient, self.symbols[argument])),))
                section.add("", [Formula(self._weight(m, suffix).gradient, value)])
            if m.bias:
                section.add("", [Formula(Symbol("b", (m.name,)).gradient, Expression("total", (gradient,)))])
        for value in p.trace.vectors.values():
            step = Expression("total", (self._gradient(value),))
            section.add("", [Formula(self.symbols[value].gradient, step)])
        if self.cell.learns_start_state:
            left = " that step 1 leaves, summed over rows: the gradient of start_"
            section.add("", [(self._gradient(v), f"{left}{v.name}") for v in p.states])
        return section


def _sum_of_channels(part: Any, value: Value) -> Expression:
    """Return the sums that a total is, or that the gradient of what is spread, or of one number a row, is made of."""
    if value.size == ROW:
        return Expression("call", (part,), name="sum")
    return of_groups("sum", part, value, value.arguments[0].size if value.kind == "spread" else value.size)


def named(
    nodes: Iterable[Value],
    roots: Iterable[Value],
    forced: Collection[Value],
    sums: dict[Value, list[tuple[int, Value]]] | None = None,
) -> list[Value]:
    """Return which operations get formulas of their own: those that must, that are read twice, and parts of large ones.

    Parameters
    ----------
    nodes, roots : iterable of Value
        All operations in the order of computation, and those that are results.
    forced : collection of Value
        Values that have names.
    sums : dict, optional
        Operations of which only some terms are to be shown.
    """
    nodes, sums = list(nodes), sums or {}
    children = {node: [term for _, term in sums[node]] if node in sums else list(node.arguments) for node in nodes}
    reached, left = set(), list(roots)
    while left:
        node = left.pop()
        if node in children and node not in reached:
            reached.add(node)
            left += children[node]
    uses = Counter(child for node in nodes if node in reached for child in children[node])
    uses.update(roots)
    leaves: dict[Value, int] = {}
    chosen = {node for node in reached if node in forced or uses[node] > 1}
    for node in nodes:
        if node not in reached:
            continue
        inside = {child: 1 if child in chosen else leaves.get(child, 1) for child in children[node]}
        is_sum = node.name in ("add", "subtract", "negate")
        while not is_sum and sum(inside.values()) > MOST_LEAVES and max(inside.values()) > 1:
            largest = max(inside, key=inside.__getitem__)
            chosen.add(largest)
            inside[largest] = 1
        leaves[node] = sum(inside.values())
    return [node for node in nodes if node in chosen]
