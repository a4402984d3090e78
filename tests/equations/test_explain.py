"""Explanations of cells: the printed formulas, read back and computed, give what the cell gives, both ways."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

import numrnn as nr
from numrnn.equations import explain, linear, tanh
from numrnn.equations.notation import Expression, Formula, Latex, Symbol, Text
from numrnn.recurrent.cell import Antisymmetric
from tests import naive
from tests.equations.random_cells import recipes
from tests.equations.test_random_cells import BATCH, TIME, checks, drawn_from
from tests.modules import MODULES, Sizes

SIZES = Sizes((3,), 4, 5, 3)
CELLS = {name: entry for name, entry in MODULES.items() if isinstance(entry.make(SIZES), nr.Cell)}
each_cell = pytest.mark.parametrize("name", CELLS)

# ---- reading formulas ----------------------------------------------------------------------------------------------

LETTER = r"[^\W\dᵀΣ⁰¹²³⁴⁵⁶⁷⁸⁹]"
TOKEN = re.compile(
    r" \+= | = | \+ | - | ⊙ | / | > |, | |[-()\[\]|ᵀΣ]|[⁰¹²³⁴⁵⁶⁷⁸⁹]+|\d+(?:\.\d+)?(?:e[-+]?\d+)?"
    rf"|{LETTER}(?:{LETTER}|\d)*(?:{{[^}}]*}})?'*"
)
FUNCTIONS = {
    "σ": naive.sigmoid,
    "relu": lambda a: np.maximum(a, 0),
    "softplus": lambda a: np.log1p(np.exp(a)),
    "max": lambda *arguments: np.maximum.reduce(np.broadcast_arrays(*arguments)),
    "min": lambda *arguments: np.minimum.reduce(np.broadcast_arrays(*arguments)),
    "sum": lambda a, channels=1, groups=None: naive.total(a, int(channels), int(groups or channels)),
    "spread": lambda a, channels, groups=None: naive.spread(a, int(channels), int(groups or a.shape[-1])),
    **{name: getattr(np, name) for name in ("cos", "exp", "log", "sin", "sqrt", "tanh")},
}


class Matrix(np.ndarray):
    """A weight: what stands after it is multiplied with it."""


class Transposed(np.ndarray):
    """Rows of a vector that was transposed: what stands before it makes a matrix with it."""


class Reader:
    """Reads one formula, and computes it from the values of names; a vector has a row for each sample."""

    def __init__(self, text, values):
        self.tokens, self.values = TOKEN.findall(text), values
        assert "".join(self.tokens) == text

    def next_is(self, *tokens):
        return self.tokens[:1] != [] and self.tokens[0] in tokens

    def take(self, *expected):
        token = self.tokens.pop(0)
        assert not expected or token in expected, (token, self.tokens)
        return token

    def formula(self):
        """Return names, whether something is added to them, and what."""
        names = self.names()
        adds = self.take(" = ", " += ") == " += "
        result = self.sum()
        assert not self.tokens
        return names, adds, result

    def names(self):
        if not self.next_is("("):
            return [self.take()]
        names = []
        while not self.next_is(")"):
            self.take("(", ", ")
            names.append(self.take())
        self.take(")")
        return names

    def sum(self):
        negative = self.next_is("-") and self.take()
        result = -self.product() if negative else self.product()
        while self.next_is(" + ", " - "):
            result = result + self.product() if self.take() == " + " else result - self.product()
        return result

    def product(self):
        if self.next_is("Σ"):
            self.take()
            self.take(" ")
            rows = self.product()
            return rows.sum(0) if len(rows) == BATCH and not isinstance(rows, Matrix) else rows
        result = self.factor()
        while self.next_is(" ⊙ ", " / ", " "):
            operator, right = self.take(), self.factor()
            if operator == " / ":
                result = result / right
            elif isinstance(result, Matrix):
                assert operator == " "
                result = right @ np.asarray(result).T
            elif isinstance(right, Transposed):
                assert operator == " "
                result = (result.T @ np.asarray(right)).view(Matrix)
            else:
                assert (operator == " ") == isinstance(result, float)
                result = result * right
        return result

    def factor(self):
        result = self.atom()
        if self.next_is("ᵀ"):
            self.take()
            return result.T if isinstance(result, Matrix) else result.view(Transposed)
        if self.tokens and self.tokens[0][0] in "⁰¹²³⁴⁵⁶⁷⁸⁹":
            return result ** int("".join(str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(digit)) for digit in self.take()))
        return result

    def atom(self):
        token = self.take()
        if token[0].isdigit():
            return float(token)
        if token == "|":
            result = abs(self.sum())
            self.take("|")
            return result
        if token == "[":
            left, _, right = self.sum(), self.take(" > "), self.sum()
            self.take("]")
            return (left > right) * 1.0
        if token != "(" and not self.next_is("("):
            return self.values[token]
        arguments = [self.sum()] if token == "(" else []
        while not self.next_is(")"):
            self.take("(", ", ")
            arguments.append(self.sum())
        self.take(")")
        if token == "(":
            return arguments[0] if len(arguments) == 1 else np.concatenate(arguments, axis=-1)
        return FUNCTIONS[token](*arguments)


def computed(sections, values, like=None):
    """Compute the formulas of some sections one after the other, from values and into them.

    `like` has arrays of the shapes that gradients take which are just "0"; without it, a name has one value only.
    """
    for text in (text for section in sections for text in texts(section)):
        names, adds, result = Reader(text, values).formula()
        apart = [result] if len(names) == 1 else np.split(result, len(names), axis=-1)
        for name, value in zip(names, apart, strict=True):
            if like is None and name in values:
                np.testing.assert_array_equal(value, values[name], err_msg=f"{name} has two meanings")
            if like is not None and isinstance(value, float):
                whole = name[1:].replace(",t}", "}")
                value = value + np.zeros_like(like[whole if whole in like else whole.removesuffix("_t")])
            values[name] = values[name] + value if adds else value
    return values


def texts(section):
    """Return the formulas of a section as text, each in one line."""
    return [" ".join(line.strip() for line in Text().formula(formula)) for formula in section.formulas]


# ---- computing explanations ----------------------------------------------------------------------------------------


class Computed:
    """What the explanation of a cell says about an input and gradients that arrive."""

    def __init__(self, cell, arrays, masks, x, start, grad_output, grad_last, noise=()):
        self.maps = cell.program().trace.maps
        self.parts, *sections = explain.sections(cell)
        kinds = {
            kinds[0]: [section for section in sections if section.title.startswith(kinds)]
            for kinds in (("Forward",), ("Stored",), ("Backward, step", "Backward, before"), ("Backward, after",))
        }
        assert sum(map(len, kinds.values())) == len(sections)
        states = cell.states
        constants = self.parameters(arrays) | {f"m_{short(name)}": mask for name, mask in masks.items()}

        self.after, steps = [], []
        state = start
        for t, x_t in enumerate(x):
            drawn = {f"ε_{{{name},t}}": array[t] for name, array in zip(cell.program().trace.noise, noise, strict=True)}
            known = constants | drawn | {"x_t": x_t} | {f"{n}_{{t-1}}": s for n, s in zip(states, state, strict=True)}
            values = computed(kinds["Forward"], dict(known))
            state = [np.broadcast_to(values[f"{name}_t"], s.shape) for name, s in zip(states, start, strict=True)]
            # the way back knows what is stored, and nothing else
            steps.append((known | {name: values[name] for name in self.stored(*kinds["Stored"])}, values))
            self.after.append(state)

        self.gradients, self.grad_x = {}, []
        arriving = grad_last
        for (known, forward), grad in zip(steps[::-1], grad_output[::-1], strict=True):
            values = known | {"dy_t": grad} | {f"d{n}_t": g for n, g in zip(states, arriving, strict=True)}
            computed(kinds["Backward, step"], values, forward)
            for name in values.keys() & forward.keys():  # computed again
                np.testing.assert_allclose(values[name], forward[name], rtol=1e-9, atol=1e-12, err_msg=name)
            arriving = [values[f"d{name}_{{t-1}}"] for name in states]
            before = set(values)
            computed(kinds["Backward, after"], values, forward)
            self.grad_x.insert(0, values["dx_t"])
            for symbol in (values.keys() - before) - {"dx_t"}:
                self.gradients[symbol] = self.gradients.get(symbol, 0) + np.asarray(values[symbol])
        self.grad_start = arriving

    def parameters(self, arrays):
        """Return arrays by the symbols that the explanation gives them."""
        self.symbols, self.shapes = {}, {}
        for _, content in self.parts.rows:
            pattern = r"(\S+): (\w+)(?: in \w+| = [^,]+)?, ([\d ×]+)(?:, block-diagonal)?"
            symbol, name, shape = re.fullmatch(pattern, words(content)).groups()
            self.symbols[symbol] = name
            if not name.startswith("start_"):
                assert list(arrays[name].shape) == [int(size) for size in shape.split(" × ")]
                self.shapes[name] = arrays[name].shape
        found = {symbol: arrays[name] for symbol, name in self.symbols.items() if name in arrays}
        found |= {s: self.dense(self.symbols[s], a) for s, a in found.items() if a.ndim == 3}
        return {s: a.view(Matrix) if a.ndim > 1 else np.tile(a, (BATCH, 1)) for s, a in found.items()}

    def places(self, name, heads):
        """Return what rows of the whole matrix those of each head are."""
        parts = next(m.parts for m in self.maps.values() if name.startswith(f"{m.name}_weight_"))
        return lambda rows: np.arange(heads * rows).reshape(parts, heads, -1).transpose(1, 0, 2).reshape(heads, -1)

    def dense(self, name, weight):
        """Return a block-diagonal weight as one matrix."""
        heads, rows, width = weight.shape
        whole = np.zeros((heads * rows, heads * width))
        for head, own in enumerate(self.places(name, heads)(rows)):
            whole[own, head * width : (head + 1) * width] = weight[head]
        return whole

    def stored(self, section):
        rows = [words(content) for label, content in section.rows if label != "computed again"]
        return [piece.partition(" in place of ")[0] for row in rows for piece in row.split(", ")]

    def gradient_of(self, name):
        symbol = next(symbol for symbol, other in self.symbols.items() if other == name)
        gradient, shape = self.gradients[f"d{symbol}"], self.shapes[name]
        if len(shape) < 3:
            return gradient
        places, width = self.places(name, shape[0])(shape[1]), shape[2]
        return np.stack([gradient[own, k * width : (k + 1) * width] for k, own in enumerate(places)])


def words(content):
    return "".join(part if isinstance(part, str) else Text().show(part) for part in content)


def short(name):
    return name if len(name) == 1 else f"{{{name}}}"


@each_cell
def test_what_an_explanation_says_is_what_the_cell_does(name):
    rng = np.random.default_rng(0)
    cell = CELLS[name].make(SIZES)
    cell._padding = None
    cell.reset(rng)
    x = rng.normal(0, 1, (TIME, BATCH, 4))
    start = [rng.normal(0, 0.5, (BATCH, width)) for width in cell.state_widths()]
    grad_output = rng.normal(0, 1, (TIME, BATCH, cell.state_widths()[0]))
    cell.set_hidden_state(0, start)
    output = cell.forward_sequence(x)
    grad_x = cell.backward_sequence(x, grad_output)

    masks = dict(zip(cell.program().trace.masks, cell.noise or (), strict=True))
    arrays = cell._parts(dict(cell.named_parameters()))
    zeros = [np.zeros_like(state) for state in start]
    noise = cell._records[0][0].noise
    found = Computed(cell, arrays, masks, x, start, grad_output, zeros, noise)
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose([states[0] for states in found.after], output, **close)
    np.testing.assert_allclose(found.grad_x, grad_x, **close)
    last, grad_start = cell.get_hidden_state(), cell.get_grad_hidden_state(0)
    is_one = len(start) == 1
    for expected, state in zip([last] if is_one else last, found.after[-1], strict=True):
        np.testing.assert_allclose(state, expected, **close)
    for expected, gradient in zip([grad_start] if is_one else grad_start, found.grad_start, strict=True):
        np.testing.assert_allclose(gradient, expected, **close)
    own = dict(zip(dict(cell.named_parameters()), cell.parameters()[1], strict=True))
    gradients = cell._parts(own)
    antisymmetric = {j.part: (j, name) for name, j in cell.joint.items() if isinstance(j, Antisymmetric)}
    for part in found.symbols.values():
        if part in antisymmetric:
            joint, name = antisymmetric[part]
            np.testing.assert_allclose(joint.gradient(found.gradient_of(part)), own[name], err_msg=name, **close)
        elif not part.startswith("start_"):
            np.testing.assert_allclose(found.gradient_of(part), gradients[part], err_msg=part, **close)
    assert set(found.symbols.values()) == set(gradients)


def test_the_gradient_that_the_output_receives_is_told_from_that_of_a_state_called_y():
    class Named(nr.Cell):
        states = ("y",)

        def equations(self, x, y):
            return tanh(linear("map", x, y))

    assert "dy_t' += dy_t" in Named(3, 4).explain()


@settings(checks, max_examples=60)
@given(recipe=recipes(), seed=st.integers(0, 99))
def test_what_an_explanation_says_of_any_cell_is_what_its_equations_say(recipe, seed):
    drawn = drawn_from(recipe, seed)
    found = Computed(drawn.cell, drawn.arrays, {}, drawn.x, drawn.start, drawn.grad_output, drawn.grad_last)
    after, _ = drawn.reference(drawn.arrays)
    np.testing.assert_allclose([states[0] for states in found.after], after[0], rtol=1e-9, atol=1e-10)
    rng = np.random.default_rng(seed)
    gradients = {name: found.gradient_of(name) for name in found.symbols.values()} | {"x": np.array(found.grad_x)}
    gradients |= {f"start {k}": gradient for k, gradient in enumerate(found.grad_start)}
    assert gradients.keys() == drawn.arrays.keys()
    for name, gradient in gradients.items():
        direction = rng.normal(0, 1, drawn.arrays[name].shape)
        expected = naive.derivative(drawn.loss, drawn.arrays, name, direction)
        assert abs((gradient * direction).sum() - expected) <= 1e-8 * np.abs(gradient * direction).sum() + 1e-9, name


# ---- notation ------------------------------------------------------------------------------------------------------


def symbols_in(part):
    """Yield the symbols in what stands in an explanation."""
    if isinstance(part, Symbol):
        yield part
    elif isinstance(part, Formula):
        yield from symbols_in((part.target, part.value))
    elif isinstance(part, Expression | tuple):
        for inner in part.parts if isinstance(part, Expression) else part:
            yield from symbols_in(inner)


def check_notation(cell):
    sections = explain.sections(cell)
    symbols = set(symbols_in(tuple(content for section in sections for _, content in section.rows)))
    for notation in (Text(), Latex()):
        assert len({notation.symbol(symbol) for symbol in symbols}) == len(symbols)
    lines = explain.explain(cell, "latex").split("\\\\\n")
    for line in lines:
        assert line.count("&") == 1
        left, right = line.split("&")
        for side in (left, right):
            if side:
                MathTextParser("path").parse(f"${side}$".replace(r"\mathrel{+}=", "+="))


@each_cell
def test_notation(name):
    check_notation(CELLS[name].make(SIZES))


@settings(checks, max_examples=30)
@given(recipe=recipes(), seed=st.integers(0, 99))
def test_notation_of_any_cell(recipe, seed):
    check_notation(drawn_from(recipe, seed).cell)


def test_formats_are_named():
    with pytest.raises(ValueError, match=r"GRU\(4 -> 6\): got format = 'html'; expects one of 'text', 'latex'"):
        nr.GRU(4, 6).explain("html")
