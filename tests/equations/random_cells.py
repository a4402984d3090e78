"""Random cells for the tests: recipes that hypothesis draws, and what the same recipe means on plain arrays.

A recipe is a list of instructions. Each takes values made before (the input, the old states, results of earlier
instructions) and adds new ones. It is carried out by `carry_out` in a language: numrnn's own, on symbols, or
`OnArrays`, on NumPy arrays that may be complex, which knows nothing of symbols, phases or kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import numrnn as nr
import numrnn.equations as on_symbols
from tests import naive


@dataclass(frozen=True)
class Recipe:
    sizes: dict[str, int]
    state_sizes: dict[str, str]
    instructions: tuple[tuple, ...]
    results: tuple[int, ...]
    """Which values are the new states."""


UNARY = {
    "sigmoid": lambda m, a: m.sigmoid(a),
    "tanh": lambda m, a: m.tanh(a),
    "relu": lambda m, a: m.relu(a),
    "softplus": lambda m, a: m.softplus(a),
    "absolute": lambda m, a: m.absolute(a),
    "exp": lambda m, a: m.exp(-m.absolute(a)),
    "log": lambda m, a: m.log(m.softplus(a) + 1),
    "sqrt": lambda m, a: m.sqrt(a * a + 1),
    "wave": lambda m, a: m.sin(a) * m.cos(2 * a),
    "center": lambda m, a: a - m.mean(a),
    "normalized": lambda m, a: a / m.sqrt(m.mean(a * a) + 1),
    "total": lambda m, a: a + m.tanh(m.total(m.tanh(a)) * 0.2),
    "reciprocal": lambda m, a: 1 / (2 + m.tanh(a)),
    "negate": lambda m, a: -a,
    "rest": lambda m, a: 1 - a,
    "scale": lambda m, a: 0.75 * a - 0.25,
    "power": lambda m, a: a**3 * 0.1,
}
BINARY = {
    "add": lambda m, a, b: a + b,
    "subtract": lambda m, a, b: a - b,
    "multiply": lambda m, a, b: a * b,
    "divide": lambda m, a, b: a / (1 + m.exp(m.tanh(b))),
    "maximum": lambda m, a, b: m.maximum(a, b),
    "minimum": lambda m, a, b: m.minimum(a, b),
    "mix": lambda m, a, b: m.sigmoid(a) * a + (1 - m.sigmoid(a)) * b,
    "negated": lambda m, a, b: -a + b * -1,
}


@st.composite
def recipes(draw: Any) -> Recipe:
    """Draw a recipe for a cell of one to three states."""
    width = st.sampled_from([1, 2, 3, 4, 5, 33])
    sizes = {"input": draw(width), "hidden": draw(width), "other": draw(width)}
    if draw(st.booleans()):
        sizes["input"] = sizes["hidden"]  # so that x can be used element by element
    if draw(st.booleans()):
        sizes["other"] = sizes["hidden"]  # two names for one size
    few = st.integers(1, 4)
    heads, rows, columns = draw(few), draw(few), draw(few)
    sizes |= {"heads": heads, "rows": heads * rows, "columns": heads * columns, "matrix": heads * rows * columns}
    names = ("h", "c", "m")[: draw(st.integers(1, 3))]
    state_sizes = {name: draw(st.sampled_from(["hidden", "hidden", "other", "matrix"])) for name in names}

    values = [sizes["input"], *(sizes[size] for size in state_sizes.values())]  # number of channels of each
    instructions: list[tuple] = []
    unused = set(range(len(values)))

    def of_width(channels: int) -> list[int]:
        return [k for k in reversed(range(len(values))) if values[k] == channels]  # the latest first

    def instruct(channels: int, parts: int, kind: str, arguments: tuple[int, ...], *rest: Any) -> None:
        instructions.append((kind, arguments, *rest))
        unused.difference_update(arguments)
        unused.update(range(len(values), len(values) + parts))
        values.extend([channels] * parts)

    often = ["linear", "linear", "unary", "unary", "unary", "binary", "binary"]
    kinds = st.sampled_from([*often, "peephole", "fixed", "spread", "sums", "matrix"])
    for number in range(draw(st.integers(4, 9))):
        kind, a = draw(kinds), len(values) - 1 - draw(st.integers(0, len(values) - 1))
        if kind == "linear":
            more = draw(st.sets(st.integers(0, len(values) - 1), max_size=2)) - {a}
            size, parts, bias = draw(st.sampled_from(list(sizes))), draw(st.integers(1, 3)), draw(st.booleans())
            arguments = (a, *sorted(more))
            divisors = [[k for k in (1, 2, 3, 4, 5) if values[b] % k == sizes[size] % k == 0] for b in arguments]
            heads = tuple(draw(st.sampled_from(numbers)) for numbers in divisors)
            instruct(sizes[size], parts, "linear", arguments, f"map{number}", size, parts, bias, heads)
        elif kind == "peephole":
            instruct(values[a], 1, "peephole", (a,), f"diagonal{number}")
        elif kind == "fixed":
            instruct(values[a], 1, "fixed", (a,), f"gain{number}")
        elif kind == "matrix":
            old, b = draw(st.sampled_from([None, *of_width(sizes["matrix"])])), draw(st.integers(0, len(values) - 1))
            for size, argument in (("rows", a), ("columns", b)):
                instruct(sizes[size], 1, "linear", (argument,), f"{size}{number}", size, 1, False, (1,))
            instruct(sizes["matrix"], 1, "outer", (len(values) - 2, len(values) - 1))
            if old is not None:
                instruct(sizes["matrix"], 1, draw(st.sampled_from(list(BINARY))), (len(values) - 1, old))
            size, groups = draw(st.sampled_from([("rows", None), ("columns", "heads")]))
            instruct(sizes[size], 1, "sums", (len(values) - 1,), size, groups)
        elif kind in ("spread", "sums"):
            is_spread, width = kind == "spread", values[a]
            fitting = [size for size, w in sizes.items() if (w % width if is_spread else width % w) == 0]
            if fitting:
                size = draw(st.sampled_from(fitting))
                few = width if is_spread else sizes[size]
                groups = draw(st.sampled_from([None, *(name for name, w in sizes.items() if few % w == 0)]))
                instruct(sizes[size], 1, kind, (a,), size, groups)
        elif kind == "unary":
            instruct(values[a], 1, draw(st.sampled_from(list(UNARY))), (a,))
        else:
            b = draw(st.sampled_from(of_width(values[a])))
            instruct(values[a], 1, draw(st.sampled_from(list(BINARY))), (a, b))

    # New states are anything that there is. In most cells, all that no one has used so far goes into the output, and
    # some of the rest once more.
    output_size = state_sizes["h"]
    results = [draw(st.sampled_from(of_width(sizes[size])[:6])) for size in state_sizes.values()]
    if draw(st.integers(0, 4)):
        unused.difference_update(results[1:])
        foreign = tuple(k for k in sorted(unused) if values[k] != sizes[output_size])
        if foreign:
            instruct(sizes[output_size], 1, "linear", foreign, "rest", output_size, 1, False, (1,) * len(foreign))
        again = draw(st.sets(st.sampled_from(of_width(sizes[output_size])), max_size=3))
        mine = {k for k in unused if values[k] == sizes[output_size]} | again
        instruct(sizes[output_size], 1, "sum", (results[0], *sorted(mine - {results[0]})))
        results[0] = len(values) - 1
    return Recipe(sizes, state_sizes, tuple(instructions), tuple(results))


def carry_out(recipe: Recipe, language: Any, x: Any, states: Any) -> tuple[Any, ...]:
    """Return the new states from the input and the old states."""
    values = [x, *states]
    for kind, chosen, *rest in recipe.instructions:
        arguments = [values[k] for k in chosen]
        if kind == "linear":
            name, size, parts, bias, heads = rest
            result = language.linear(name, *arguments, size=size, parts=parts, bias=bias, heads=heads)
            values += [result] if parts == 1 else list(result)
        elif kind == "peephole":
            values.append(language.peephole(rest[0], *arguments))
        elif kind == "fixed":
            values.append(fixed_function(language, language.vector(rest[0], *arguments), *arguments))
        elif kind == "outer":
            rows, columns = arguments
            values.append(language.spread(rows, "matrix", None) * language.spread(columns, "matrix", "heads"))
        elif kind in ("spread", "sums"):
            function = language.spread if kind == "spread" else language.total
            values.append(function(*arguments, *rest))
        elif kind == "sum":
            values.append(sum(arguments[1:], start=0.5 * arguments[0]))
        else:
            values.append((UNARY.get(kind) or BINARY[kind])(language, *arguments))
    return tuple(values[k] for k in recipe.results)


def fixed_function(m: Any, w: Any, a: Any) -> Any:
    """Return something made of functions of a parameter w alone, of which one is in the other."""
    decay = m.exp(-m.exp(w))
    return decay * m.cos(w) * a + w * decay


class RandomCell(nr.Cell):
    """A cell made from a recipe."""

    def __init__(self, recipe: Recipe, rng: Any = None) -> None:
        self.recipe, self.states, self.state_sizes = recipe, tuple(recipe.state_sizes), recipe.state_sizes
        super().__init__(recipe.sizes["input"], recipe.sizes["hidden"], rng=rng)

    def sizes(self) -> dict[str, int]:
        return self.recipe.sizes

    def equations(self, x, *states):
        return carry_out(self.recipe, _Symbols, x, states)


class _Symbols:
    def vector(self, name, like):
        return on_symbols.parameter(name, like.size)

    def __getattr__(self, name):
        return abs if name == "absolute" else getattr(on_symbols, name)


_Symbols = _Symbols()


class OnArrays:
    """What equations mean on arrays, real or complex; at a kink the real part decides.

    Attributes
    ----------
    margin : float
        How close any value came to a kink (a tie of maximum, the zero of relu), ties themselves left out: closer than
        rounding, the kernels may rightly be on the other side.
    """

    def __init__(
        self, parameters: dict[str, np.ndarray], suffixes: dict[str, tuple[str, ...]], sizes: dict[str, int]
    ) -> None:
        self.parameters, self.suffixes, self.sizes, self.margin = parameters, suffixes, sizes, np.inf

    def linear(self, name, *arguments, size, parts, bias, heads):
        p = self.parameters
        weights = [p[f"{name}_weight_{suffix}"] for suffix in self.suffixes[name]]
        terms = [naive.mapped(w, a, parts) for a, w in zip(arguments, weights, strict=True)]
        result = sum(terms) + (p[f"{name}_bias"] if bias else 0)
        return result if parts == 1 else np.split(result, parts, axis=-1)

    def peephole(self, name, value):
        return self.parameters[f"{name}_peephole"] * value

    def vector(self, name, like):
        return self.parameters[name]

    def total(self, a, size=None, groups=None):
        channels = self.sizes[size] if size else 1
        return naive.total(a, channels, self.sizes[groups] if groups else channels)

    def spread(self, a, size, groups):
        return naive.spread(a, self.sizes[size], self.sizes[groups] if groups else a.shape[-1])

    def mean(self, a):
        return a.mean(-1, keepdims=True)

    def _is_greater(self, a, b):
        gap = np.abs(np.real(a) - np.real(b))
        self.margin = min(self.margin, np.min(gap, where=gap > 0, initial=np.inf))
        return np.real(a) > np.real(b)

    def relu(self, a):
        return np.where(self._is_greater(a, 0), a, 0)

    def absolute(self, a):
        return np.where(self._is_greater(a, 0), a, np.where(np.real(a) < 0, -a, 0))

    def maximum(self, a, b):
        return np.where(self._is_greater(b, a), b, a)

    def minimum(self, a, b):
        return np.where(self._is_greater(a, b), b, a)

    def sigmoid(self, a):
        return 1 / (1 + np.exp(-a))

    def softplus(self, a):
        return np.log(1 + np.exp(a))

    tanh, exp, log, sqrt, sin, cos = (
        staticmethod(function) for function in (np.tanh, np.exp, np.log, np.sqrt, np.sin, np.cos)
    )
