"""From equations to a program and its text: phases, what is stored where, and values that depend on each other."""

import ast
import re
from typing import ClassVar

import numba
import numpy as np
import pytest

import numrnn as nr
from numrnn import equations as eq
from numrnn.equations import linear, maximum, minimum, peephole, relu, sigmoid, tanh
from numrnn.equations.emit import emit_blocks
from numrnn.kernels.cpu import compile as compiling
from tests import naive
from tests.modules import OutputLayers
from tests.uncompiled import run_uncompiled


def names(values):
    return [value.name for value in values]


def maps(program):
    return [[m.name for m in group.maps] for group in program.groups]


def test_an_lstm_has_one_phase_and_keeps_its_gates_in_place_of_the_maps():
    program = nr.LSTM(3, 4).program()
    assert program.depth == 1
    assert maps(program) == [["forget", "input", "candidate", "output"]]
    assert len(program.products) == len(program.blocks) == 1
    stored = {gate.name: value.name for value, gate in program.kept_in_group.items()}
    assert stored == {"forget": "sigmoid", "input": "sigmoid", "candidate": "tanh", "output": "sigmoid"}
    assert names(program.kept) == ["tanh"]
    assert program.kept[0].arguments == (program.outputs[1],)  # tanh of the new cell
    assert program.work == []


def test_a_gru_has_two_phases():
    program = nr.GRU(3, 4).program()
    assert program.depth == 2
    assert maps(program) == [["gates"], ["candidate"]]
    assert [product.group.index for product in program.products] == [0, 1]
    assert [block.level for block in program.blocks] == [1, 2]
    assert names(program.kept) == ["multiply"]
    assert len(program.kept_in_group) == 3


class FourMaps(nr.Cell):
    """Maps of x alone, of the state alone, of both, and of what other maps give."""

    def equations(self, x, h):
        a, b = linear("a", x), linear("b", h, bias=False)
        c, d = linear("c", x, h), linear("d", h, x)
        return tanh(a + b + c + d + linear("e", relu(a * b), size="hidden"))


def test_maps_of_the_same_arguments_are_one_and_those_of_x_alone_are_outside_the_loop():
    program = FourMaps(3, 4).program()
    assert maps(program) == [["a"], ["b"], ["c"], ["d"], ["e"]]
    assert [group.level for group in program.groups] == [0, 1, 1, 1, 2]
    assert [product.group.index for product in program.products] == [1, 2, 3, 4]


def test_products_that_no_later_step_reads_are_after_the_loop():
    program = nr.LRU(4, 4).program()
    assert (program.depth, program.last_level) == (0, 1)
    assert maps(program) == [["input"], ["output"]]
    assert [product.group.level for product in program.products] == [1, 1]
    assert program.ahead == program.outputs[1:]  # the gradients of re and im

    program = OutputLayers(3, 4).program()
    assert (program.depth, program.last_level) == (1, 4)
    levels = {m.name: group.level for group in program.groups for m in group.maps}
    assert levels == {"recurrent": 1, "gate": 0, "lower": 2, "upper": 4}
    sums = {total.arguments[0].name: program.level(total) for total in program.totals}
    assert sums == {"tanh": 2, "copy": 3}
    homes = {value.arguments[0].name: block.level for block in program.blocks for value in block.outputs}
    assert homes["gate"] == 2  # nothing in the loop reads that gate


def test_a_product_that_a_later_step_reads_in_whatever_way_stays_in_the_loop():
    for cell in (nr.RecLSTM(3, 4, 5), ReadByTheOther(3, 4)):
        assert cell.program().last_level == cell.program().depth == 2


@pytest.mark.parametrize(("make", "in_loop"), [(nr.LRU, 0), (OutputLayers, 1), (nr.FastLSTM, 1), (nr.GRU, 2)])
def test_only_the_products_in_the_loop_are_made_at_every_step(make, in_loop, monkeypatch):
    monkeypatch.setattr(compiling, "_import", run_uncompiled)
    counts = []
    for steps in (3, 7):
        cell, x = make(2, 2).astype("float64"), np.ones((steps, 1, 2))
        calls = count_products(cell._loop().module.forward.part.__globals__)
        cell.forward_sequence(x)
        forward = len(calls)
        cell.backward_sequence(x, x)
        counts.append((forward, len(calls) - forward))
    few, many = counts
    assert np.subtract(many, few).tolist() == [4 * in_loop, 4 * in_loop]


def count_products(namespace):
    """Let the products that kernels call be noted in a list from now on."""
    calls = []

    def noting(name, product):
        def noted(*arguments):
            calls.append((name, arguments))
            product(*arguments)

        return noted

    products = {name: noting(name, value) for name, value in namespace.items() if re.fullmatch(r"product\d", name)}
    namespace.update(products)
    return calls


class Unused(nr.Cell):
    """A cell with a spread, and a map that nothing reads, which therefore comes after the loop."""

    states = ("h", "c")
    state_sizes: ClassVar[dict[str, str]] = {"c": "memory"}

    def sizes(self):
        return super().sizes() | {"memory": 4 * self.hidden_size}

    def equations(self, x, h, c):
        linear("unused", tanh(h))
        c = tanh(c + eq.spread(linear("a", x, h), "memory"))
        return sigmoid(eq.total(c, "hidden")), c


@pytest.mark.parametrize("make", [Unused, OutputLayers, nr.GRU])
def test_products_stay_in_their_arrays(make, monkeypatch):
    monkeypatch.setattr(compiling, "_import", run_uncompiled)
    cell, x = make(2, 2).astype("float64"), np.ones((3, 1, 2))
    calls = count_products(cell._loop().module.forward.part.__globals__)
    cell.backward_sequence(x, cell.forward_sequence(x))
    assert calls
    for name, arguments in calls:
        a, a_start, a_row, _, rows, panels = arguments[:6]
        out, out_start, size, _ = arguments[11:]
        assert 0 <= a_start <= len(a) - (rows - 1) * a_row - panels.shape[1]
        assert 0 <= out_start <= len(out) - rows * size * int(name.removeprefix("product"))


class ReadByTheOther(nr.Cell):
    """An output layer that the other state reads, as it was."""

    states = ("y", "h")

    def equations(self, x, y, h):
        h = tanh(linear("recurrent", x, h)) + peephole("feedback", y)
        return linear("output", h), h


# ---- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [nr.RNN, nr.LSTM, nr.FastLSTM, nr.GRU, FourMaps])
def test_source_is_python_with_the_blocks_in_it(make):
    cell = make(3, 4)
    tree = ast.parse(cell.source())
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert {"forward", "backward", "block0", "block0_backward"} <= set(functions)
    for block in emit_blocks(cell.program(), "float32").split("\n\n"):
        assert block in cell.source()
    assert ast.get_docstring(tree).startswith(f"Kernels of {make.__name__} for float32")


def test_equal_cells_have_the_same_source_and_others_another():
    source = nr.LSTM(3, 4).source()
    assert nr.LSTM(5, 7).source() == source
    assert nr.LSTM(3, 4).astype("float64").source() != source
    assert nr.LSTM(3, 4, cell2gate=False).source() != source


class Everything(nr.Cell):
    """Every function that equations may use, and names that Python or the blocks use themselves."""

    states = ("h", "c", "lambda")

    def equations(self, x, h, c, m):
        a, b, d = linear("in", x, h, parts=3)
        e = eq.softplus(a) + eq.log(eq.exp(minimum(b, 1)) + 0.5) - eq.sqrt(abs(d) + 0.1)
        f = maximum(sigmoid(e), tanh(a)) / (2 - relu(b) * -1) + 0.1 * c**2
        g = minimum(linear("max", m, c, size="hidden"), linear("exp", 1 - f)) + peephole("float32", -m)
        return sigmoid(linear("abs", g)), tanh(f - 0.5) * 3, linear("float64", h)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_function_compiles_and_computes_in_the_cells_element_type(dtype):
    cell = Everything(3, 5).astype(dtype)
    x = np.ones((2, 3), dtype)
    output = cell.forward(x)
    cell.backward(x, output)
    assert output.dtype == dtype
    assert all(np.isfinite(gradient).all() for gradient in cell.parameters()[1])
    blocks = [value for name, value in vars(cell._loop().module).items() if name.startswith("block")]
    assert len(blocks) == 2 * len(cell.program().blocks)
    for block in blocks:
        block.compile((getattr(numba, dtype),) * block.py_func.__code__.co_argcount)
        for signature in block.nopython_signatures:
            kinds = (*signature.args, *signature.return_type)  # numbers, and vectors of them
            assert {str(getattr(kind, "dtype", kind)) for kind in kinds} == {dtype}


# ---- what is computed where ----------------------------------------------------------------------------------------


class TwoNames(nr.Cell):
    """Sizes of two names and as many channels; values of each depend on those of the other."""

    def sizes(self):
        return super().sizes() | {"other": self.hidden_size}

    def equations(self, x, h):
        p = linear("p", x, size="other")
        v = tanh(h * sigmoid(p * h))
        return sigmoid(p * v) + h * v


class InputByElement(nr.Cell):
    """A function of x alone, which a function of the state needs."""

    def equations(self, x, h):
        return tanh(sigmoid(h) * eq.sqrt(x * x + 1))


class Swapped(nr.Cell):
    """States that only move; nothing is ever multiplied with them."""

    states = ("h", "c", "m")

    def equations(self, x, h, c, m):
        return c, m, h


class ReadLater(nr.Cell):
    """A map that is read again after the next product, whose place is therefore not free for its sigmoid."""

    def equations(self, x, h):
        a = linear("a", x, h)
        return tanh(linear("b", sigmoid(a) * h)) + a


class ReadBackwards(nr.Cell):
    """Maps that the backward pass reads, whose places are therefore not free for what is made of them."""

    def equations(self, x, h):
        a, b = linear("a", x, h), linear("b", x, h)
        return sigmoid(a) * a + tanh(b) * relu(b)


class Negative(nr.Cell):
    """A state that is minus something."""

    def equations(self, x, h):
        return -tanh(linear("a", x, h))


class WithoutState(nr.Cell):
    """A function of x, from maps of maps."""

    def equations(self, x, h):
        return relu(linear("two", tanh(linear("one", x))))


class Groups(nr.Cell):
    """Groups of channels that do not nest, sizes that no array has, and every kind of thing that may be spread."""

    states = ("h", "c", "e")
    state_sizes = {"c": "twelve", "e": "twelve"}  # noqa: RUF012

    def sizes(self):
        return super().sizes() | {"two": 2, "three": 3, "six": 6, "twelve": 12}

    def equations(self, x, h, c, e):
        six = linear("six", x, size="six")
        own = eq.spread(h, "twelve") * eq.spread(six, "twelve", "three")
        c = 0.5 * c + own * eq.spread(eq.parameter("two", "two"), "twelve", "two") + eq.mean(h)
        d = eq.spread(eq.total(c, "six", "two"), "twelve") * tanh(c)
        return tanh(eq.total(d, "hidden") + x + eq.total(e, "hidden", "two")), c, d * eq.spread(x, "twelve", "two")


def _groups(p, x, h, c, e):
    six = naive.affine(p, "six", x=x)
    own = naive.spread(h, 12, 4) * naive.spread(six, 12, 3)
    c = 0.5 * c + own * np.repeat(p["two"], 6) + h.mean(-1, keepdims=True)
    d = naive.spread(naive.total(c, 6, 2), 12, 6) * np.tanh(c)
    return np.tanh(naive.total(d, 4, 4) + x + naive.total(e, 4, 2)), c, d * naive.spread(x, 12, 2)


def _two_names(p, x, h):
    a = x @ p["p_weight_x"].T + p["p_bias"]
    v = np.tanh(h * naive.sigmoid(a * h))
    return (naive.sigmoid(a * v) + h * v,)


def _read_later(p, x, h):
    a = naive.affine(p, "a", x=x, h=h)
    return (np.tanh(naive.affine(p, "b", h=naive.sigmoid(a) * h)) + a,)


def _read_backwards(p, x, h):
    a, b = (naive.affine(p, name, x=x, h=h) for name in "ab")
    return (naive.sigmoid(a) * a + np.tanh(b) * naive.relu(b),)


def _without_state(p, x, h):
    inner = np.tanh(x @ p["one_weight_x"].T + p["one_bias"])
    return (naive.relu(inner @ p["two_weight_0"].T + p["two_bias"]),)


@pytest.mark.parametrize(
    ("make", "step"),
    [
        (TwoNames, _two_names),
        (InputByElement, lambda p, x, h: (np.tanh(naive.sigmoid(h) * np.sqrt(x * x + 1)),)),
        (Swapped, lambda p, x, h, c, m: (c, m, h)),
        (ReadLater, _read_later),
        (ReadBackwards, _read_backwards),
        (Negative, lambda p, x, h: (-np.tanh(naive.affine(p, "a", x=x, h=h)),)),
        (WithoutState, _without_state),
        (Groups, _groups),
    ],
)
def test_unusual_cells(make, step):
    cell = make(4, 4)
    rng = np.random.default_rng(0)
    x, grad = rng.normal(0, 1, (2, 5, 3, 4)).astype("float32")
    states = [rng.normal(0, 1, (3, width)).astype("float32") for width in cell.state_widths()]
    cell.set_hidden_state(0, states)
    expected = naive.run(step, cell.state_dict(), x, *states)[0]
    np.testing.assert_allclose(cell.forward_sequence(x), expected, rtol=1e-5, atol=1e-6)

    def loss(arrays):
        outputs = naive.run(step, arrays, arrays["x"], *(arrays[name] for name in cell.states))[0]
        return (np.array(outputs) * grad).sum()

    arrays = cell.state_dict() | {"x": x} | dict(zip(cell.states, states, strict=True))
    arrays = {name: array.astype("float64") for name, array in arrays.items()}
    gradients = {"x": cell.backward_sequence(x, grad)}
    gradients |= dict(zip(cell.state_dict(), cell.parameters()[1], strict=True))
    grad_start = cell.get_grad_hidden_state(0)
    gradients |= dict(zip(cell.states, grad_start if len(states) > 1 else [grad_start], strict=True))
    for name, gradient in gradients.items():
        direction = rng.normal(0, 1, gradient.shape)
        found, derivative = (gradient * direction).sum(), naive.derivative(loss, arrays, name, direction)
        assert abs(found - derivative) < 1e-4 * (1 + abs(derivative)), name
