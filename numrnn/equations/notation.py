"""How formulas look: expressions made of symbols and numbers, as plain text and as LaTeX.

Parentheses follow from precedence. Sums that are wider than a line go on in the next one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from numrnn.equations.symbols import Value

WIDTH = 100
"""Columns that a formula may take as text."""
SUM, FRACTION, PRODUCT, FACTOR, ATOM = range(5)
GREEK = {
    unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda"): letter
    for letter in "αβγδεζηθικλμνξπρστφχψω"
}


@dataclass(frozen=True)
class Symbol:
    """A name in formulas: `a_{r}`, `h_{t-1}`, `W_{gates,x}`; or the gradient of the loss with respect to it."""

    base: str
    below: tuple[str, ...] = ()
    primes: int = 0
    is_gradient: bool = False

    @property
    def gradient(self) -> Symbol:
        """The gradient with respect to this."""
        return replace(self, is_gradient=True)


@dataclass(frozen=True)
class Expression:
    """What stands in formulas.

    `kind` is "sum" (of `parts` with `signs`), "product", "power" (base, whole number), "divide", "call" (of the
    function `name`), "absolute", "greater", "tuple"; and, with matrices, "matrix product" (matrix, vector),
    "transposed product", "outer product" (vector, vector) and "total" (over steps and rows).
    """

    kind: str
    parts: tuple[Any, ...]  # expressions, symbols, numbers
    signs: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Formula:
    """`target = value`, or `target += value`."""

    target: Any
    value: Any
    adds: bool = False


def total(terms: Iterable[Any]) -> Any:
    """Return the sum of some terms."""
    parts = tuple(terms)
    return parts[0] if len(parts) == 1 else Expression("sum", parts or (0.0,), (1,) * (len(parts) or 1))


def of_groups(name: str, part: Any, value: Value, size: str | None) -> Expression:
    """Return a call of `spread`, or of `sum`, with the grouping of a value, that gives so many channels.

    The numbers are that of channels and, unless channels are spread or added up one by one, that of groups.
    """
    argument = value.arguments[0]
    few = argument.size if value.kind == "spread" else value.size
    widths = [value.trace.width(size), *([] if value.groups == few else [value.trace.width(value.groups)])]
    return Expression("call", (part, *map(float, widths)), name=name)


# ---- from symbols of the equations to expressions ------------------------------------------------------------------


def expression(value: Value, names: dict[Value, Symbol], is_root: bool = False) -> Any:
    """Return what computes a value, in terms of the values that have names; of a root, even if it has one."""
    sign, positive = _signed(value, names, is_root)
    return positive if sign > 0 else Expression("sum", (positive,), (-1,))


def combined(terms: list[tuple[int, Value]], names: dict[Value, Symbol]) -> Any:
    """Return the sum of some values with signs."""
    flat = [pair for sign, term in terms for pair in _terms(term, names, sign)]
    if len(flat) == 1 and flat[0][0] > 0:
        return flat[0][1]
    return Expression("sum", tuple(part for _, part in flat), tuple(sign for sign, _ in flat))


def _signed(value: Value, names: dict[Value, Symbol], is_root: bool = False) -> tuple[int, Any]:
    """Return a sign and an expression without one in front."""
    if value in names and not is_root:
        return 1, names[value]
    if value.kind in ("constant", "share"):
        return (-1 if value.number < 0 else 1), abs(value.number)
    if value.kind == "spread":
        return 1, of_groups("spread", expression(value.arguments[0], names), value, value.size)
    if value.kind != "operation":
        raise KeyError(value)
    operation, arguments = value.name, value.arguments
    if operation == "copy":
        return _signed(arguments[0], names)
    if operation == "negate":
        sign, positive = _signed(arguments[0], names)
        return -sign, positive
    if operation in ("add", "subtract"):
        terms = [*_terms(arguments[0], names), *_terms(arguments[1], names, 1 if operation == "add" else -1)]
        return 1, Expression("sum", tuple(part for _, part in terms), tuple(sign for sign, _ in terms))
    if operation == "multiply":
        factors = [*_factors(arguments[0], names), *_factors(arguments[1], names)]
        return _product(factors)
    if operation == "divide":
        (a, above), (b, below) = (_signed(argument, names) for argument in arguments)
        return a * b, Expression("divide", (above, below))
    parts = tuple(expression(argument, names) for argument in arguments)
    if operation in ("absolute", "greater"):
        return 1, Expression(operation, parts)
    if operation in ("maximum", "minimum"):  # of several, if nested
        nested = [
            part.parts if isinstance(part, Expression) and part.kind == "call" and part.name == operation else (part,)
            for part in parts
        ]
        parts = tuple(part for inner in nested for part in inner)
    return 1, Expression("call", parts, name=operation)


def _terms(value: Value, names: dict[Value, Symbol], sign: int = 1) -> Iterator[tuple[int, Any]]:
    own, part = _signed(value, names)
    if isinstance(part, Expression) and part.kind == "sum" and own * sign > 0:
        yield from zip(part.signs, part.parts, strict=True)
    else:
        yield own * sign, part


def _factors(value: Value, names: dict[Value, Symbol]) -> Iterator[tuple[int, Any]]:
    sign, part = _signed(value, names)
    if isinstance(part, Expression) and part.kind == "product":
        yield from ((sign if k == 0 else 1, factor) for k, factor in enumerate(part.parts))
    else:
        yield sign, part


def _product(factors: list[tuple[int, Any]]) -> tuple[int, Any]:
    """Return a product with its number in front and with powers."""
    sign, number, rest = 1, 1.0, []
    for own, factor in factors:
        sign *= own
        if isinstance(factor, float):
            number *= factor
            continue
        base, power = factor.parts if isinstance(factor, Expression) and factor.kind == "power" else (factor, 1)
        if rest and rest[-1][0] == base:
            power += rest.pop()[1]
        rest.append((base, power))
    parts = [base if power == 1 else Expression("power", (base, power)) for base, power in rest]
    if number != 1 or not parts:
        parts.insert(0, number)
    return sign, parts[0] if len(parts) == 1 else Expression("product", tuple(parts))


# ---- notations -----------------------------------------------------------------------------------------------------


class Text:
    """Plain text."""

    times, plus, minus, transposed = " ⊙ ", " + ", " - ", "ᵀ"
    prefix = "-"

    def show(self, part: Any, least: int = SUM) -> str:
        """Return an expression, in parentheses if it binds less than `least`."""
        if isinstance(part, Symbol):
            return self.symbol(part)
        if isinstance(part, float):
            return self.number(part)
        kind, parts = part.kind, part.parts
        if kind == "sum":
            level, text = SUM, self.joined(zip(part.signs, parts, strict=True))
        elif kind == "product":
            number = [self.number(part) + " " for part in parts[:1] if isinstance(part, float)]
            level = PRODUCT
            text = "".join(number) + self.times.join(self.show(part, FACTOR) for part in parts[len(number) :])
        elif kind == "divide":
            level, text = self.fraction(*parts)
        elif kind == "power":
            level, text = FACTOR, self.power(self.show(parts[0], ATOM), parts[1])
        elif kind == "matrix product":
            level, text = PRODUCT, f"{self.show(parts[0])} {self.show(parts[1], ATOM)}"
        elif kind == "transposed product":
            level, text = PRODUCT, f"{self.show(parts[0])}{self.transposed} {self.show(parts[1], ATOM)}"
        elif kind == "outer product":
            level, text = PRODUCT, f"{self.show(parts[0])} {self.show(parts[1])}{self.transposed}"
        elif kind == "total":
            level, text = PRODUCT, f"{self.total} {self.show(parts[0], PRODUCT)}"
        else:
            level, text = ATOM, self.atom(kind, part.name, [self.show(part) for part in parts])
        return self.parentheses(text) if level < least else text

    def joined(self, terms: Iterable[tuple[int, Any]], goes_on: bool = False) -> str:
        """Return terms with signs between them, and before the first if it needs one."""
        text = ""
        for sign, part in terms:
            between = (self.plus if sign > 0 else self.minus) if text else self.first_sign(sign, goes_on)
            text += between + self.show(part, FRACTION)
        return text

    def first_sign(self, sign: int, goes_on: bool) -> str:
        """Return what stands before the first term of a line."""
        if goes_on:
            return (self.plus if sign > 0 else self.minus).lstrip(" ")
        return "" if sign > 0 else self.prefix

    def symbol(self, symbol: Symbol) -> str:
        """Return a symbol."""
        below = ",".join(symbol.below)
        below = f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else ""
        return (
            f"{'d' if symbol.is_gradient else ''}{GREEK.get(symbol.base, symbol.base)}{below}{chr(39) * symbol.primes}"
        )

    def number(self, number: float) -> str:
        """Return a number that is not negative."""
        return repr(int(number)) if number == int(number) and number < 1e6 else repr(number)

    total = "Σ"

    def parentheses(self, text: str) -> str:
        """Return text in parentheses."""
        return f"({text})"

    def fraction(self, above: Any, below: Any) -> tuple[int, str]:
        """Return the precedence and text of a quotient."""
        return FRACTION, f"{self.show(above, PRODUCT)} / {self.show(below, FACTOR)}"

    def power(self, base: str, power: int) -> str:
        """Return a power."""
        return base + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(power))

    def atom(self, kind: str, name: str, parts: list[str]) -> str:
        """Return what needs no parentheses around it."""
        if kind == "absolute":
            return f"|{parts[0]}|"
        if kind == "greater":
            return f"[{parts[0]} > {parts[1]}]"
        if kind == "tuple":
            return f"({', '.join(parts)})"
        name = {"sigmoid": "σ", "maximum": "max", "minimum": "min"}.get(name, name)
        return f"{name}({', '.join(parts)})"

    # ---- lines ---------------------------------------------------------------------------------------------------

    def formula(self, formula: Formula) -> list[str]:
        """Return the lines of a formula."""
        start = f"{self.show(formula.target)} {'+=' if formula.adds else '='} "
        return [(" " * (len(start) - 2) if k else start) + line for k, line in enumerate(self.lines(formula.value))]

    def lines(self, value: Any) -> list[str]:
        """Return an expression in lines; only sums have more than one."""
        if not isinstance(value, Expression) or value.kind != "sum":
            return [self.show(value)]
        rows: list[list[tuple[int, Any]]] = [[]]
        width = 0
        for term in zip(value.signs, value.parts, strict=True):
            own = len(PLAIN.show(term[1], FRACTION)) + 3
            if rows[-1] and width + own > WIDTH - 30:
                rows.append([])
                width = 0
            rows[-1].append(term)
            width += own
        return [self.joined(row, goes_on=k > 0) for k, row in enumerate(rows)]


class Latex(Text):
    """LaTeX, in lines for an `align` environment."""

    times, transposed, total = r" \odot ", r"^{\top}", r"\sum"

    def symbol(self, symbol: Symbol) -> str:
        """Return a symbol."""
        base = symbol.base
        escaped = base.replace("_", r"\_")
        base = f"\\{base}" if base in GREEK else base if len(base) == 1 else rf"\mathit{{{escaped}}}"
        if symbol.is_gradient:
            base = (r"\bar{" if len(symbol.base) == 1 or symbol.base in GREEK else r"\overline{") + base + "}"
        below = ",".join(map(self._below, symbol.below))
        return base + (f"_{{{below}}}" if below else "") + "'" * symbol.primes

    def _below(self, name: str) -> str:
        if name in GREEK:
            return f"\\{name}"
        escaped = name.replace("_", r"\_")
        return name if len(name) == 1 or name == "t-1" or name.isdecimal() else rf"\text{{{escaped}}}"

    def number(self, number: float) -> str:
        """Return a number that is not negative."""
        mantissa, _, exponent = super().number(number).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def parentheses(self, text: str) -> str:
        """Return text in parentheses."""
        return rf"\left({text}\right)" if r"\frac" in text else f"({text})"

    def fraction(self, above: Any, below: Any) -> tuple[int, str]:
        """Return the precedence and text of a quotient."""
        return FACTOR, rf"\frac{{{self.show(above)}}}{{{self.show(below)}}}"

    def power(self, base: str, power: int) -> str:
        """Return a power."""
        return f"{{{base}}}^{{{power}}}"

    def atom(self, kind: str, name: str, parts: list[str]) -> str:
        """Return what needs no parentheses around it."""
        if kind == "absolute":
            return rf"\left|{parts[0]}\right|"
        if kind == "greater":
            return f"[{parts[0]} > {parts[1]}]"
        if kind == "call" and name == "sqrt":
            return rf"\sqrt{{{parts[0]}}}"
        commands = {"sigmoid": r"\sigma", "maximum": r"\max", "minimum": r"\min"}
        commands |= {function: f"\\{function}" for function in ("cos", "exp", "log", "sin", "tanh")}
        name = commands.get(name, rf"\operatorname{{{name}}}" if name else "")
        return name + self.parentheses(", ".join(parts))

    def formula(self, formula: Formula) -> list[str]:
        """Return the lines of a formula."""
        sign = r"\mathrel{+}=" if formula.adds else "="
        start = f"{self.show(formula.target)} &{sign} "
        return [(r"&\quad {}" if k else start) + line for k, line in enumerate(self.lines(formula.value))]


PLAIN = Text()
