"""Symbols: simplified without a change of value, differentiated rightly, and refused with a reason."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn import equations
from numrnn.equations import bernoulli, linear, maximum, mean, peephole, share, sigmoid, spread, tanh, total
from numrnn.equations.emit import FUNCTIONS
from numrnn.equations.functions import OPERATIONS
from numrnn.equations.symbols import Trace, Value

ON_NUMBERS = {
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "softplus": lambda a: math.log1p(math.exp(a)),
    "relu": lambda a: max(a, 0.0),
    "maximum": max,
    "minimum": min,
    "greater": lambda a, b: float(a > b),
    **{name: getattr(math, name) for name in ("cos", "exp", "log", "sin", "sqrt", "tanh")},
}


def evaluate(value, environment):
    """Return what a value is on numbers, from the texts that the kernels are made of."""
    if not isinstance(value, Value):
        return value
    if value.kind == "constant":
        return value.number
    if value.kind != "operation":
        return environment[value.name]
    arguments = [evaluate(argument, environment) for argument in value.arguments]
    names = [f"argument{k}" for k in range(len(arguments))]
    text = OPERATIONS[value.name].text.format(*names)
    return eval(text, ON_NUMBERS | dict(zip(names, arguments, strict=True)))


def symbols(**sizes):
    """Return a trace with the states a and b."""
    trace = Trace({"input": 3, "hidden": 4} | sizes)
    return trace, *(trace.value("state", name, size="hidden") for name in "ab")


# ---- simplification ------------------------------------------------------------------------------------------------

terms = st.recursive(
    st.sampled_from(["a", "b", "-0.0", "0.0", "1.0", "-1.0", "2.5", "0.1"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner).map(lambda t: f"({t[1]} {t[0]} {t[2]})"),
        inner.map(lambda text: f"(-{text})"),
        inner.map(lambda text: f"({text} / 3)"),
        inner.map(lambda text: f"abs({text})"),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(text=terms, a=st.floats(-4, 4), b=st.floats(-4, 4))
def test_simplification_changes_no_value(text, a, b):
    _, symbol_a, symbol_b = symbols()
    recorded = eval(text, {"a": symbol_a, "b": symbol_b})
    assert evaluate(recorded, {"a": a, "b": b}) == eval(text, {"a": a, "b": b})


def test_what_simplification_leaves_out():
    trace, a, b = symbols()
    negative = trace.operation("negate", a)
    assert a * 1 is a
    assert 1 * a is a
    assert a + 0 is a
    assert a - 0 is a
    assert -negative is a
    assert (b + negative).name == "subtract"
    assert (a * 0).is_number(0.0)
    assert (a * -1) is negative


def test_a_power_is_a_product():
    _, a, _ = symbols()
    assert a**1 is a
    assert a**3 is a * a * a


def test_equal_expressions_are_one_value():
    _, a, b = symbols()
    assert sigmoid(a * b) is sigmoid(a * b)
    assert a * b is not b * a
    assert linear("map", a, b) is not linear("other", a, b)


@pytest.mark.parametrize("name", [*OPERATIONS, "seed", "copy"])
def test_maps_peepholes_and_states_may_be_called_like_an_operation(name):
    trace, a, _ = symbols()
    for value in (trace.value("state", name, size="hidden"), linear(name, a)):
        assert (-value).arguments == (value,)
        assert (a + value).name == "add"


# ---- derivatives ---------------------------------------------------------------------------------------------------

POINTS = {
    "log": [(0.3,), (2.0,)],
    "sqrt": [(0.3,), (2.0,)],
    "divide": [(0.7, 0.4), (-1.5, -2.0)],
}
UNARY_POINTS = [(-2.2,), (-0.4,), (0.3,), (1.9,)]
BINARY_POINTS = [(0.7, -0.4), (-0.5, 0.6), (-1.5, -2.0)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivative_is_the_difference_quotient(name):
    trace, *arguments = symbols()
    operation = OPERATIONS[name]
    arguments = arguments[: operation.derivative.__code__.co_argcount - 1]
    y = trace.value("operation", name, arguments=tuple(arguments), size="hidden")
    partials = operation.derivative(y, *arguments)
    assert len(partials) == len(arguments)
    for point in POINTS.get(name, UNARY_POINTS if len(arguments) == 1 else BINARY_POINTS):
        environment = dict(zip("ab", point, strict=False))
        for argument, partial in zip(arguments, partials, strict=True):
            at, step = environment[argument.name], 1e-6
            above, below = (evaluate(y, environment | {argument.name: at + s}) for s in (step, -step))
            expected = (above - below) / (2 * step)
            assert evaluate(partial, environment) == pytest.approx(expected, rel=1e-8, abs=1e-9), argument.name


@pytest.mark.parametrize("name", ["relu", "absolute", "maximum", "minimum"])
def test_derivative_at_a_kink_is_one_of_those_beside_it(name):
    trace, *arguments = symbols()
    arguments = arguments[: OPERATIONS[name].derivative.__code__.co_argcount - 1]
    y = trace.value("operation", name, arguments=tuple(arguments), size="hidden")
    found = [evaluate(p, {"a": 0.0, "b": 0.0}) for p in OPERATIONS[name].derivative(y, *arguments)]
    assert found == ([0] if len(arguments) == 1 else [1, 0])


def test_every_function_of_equations_is_an_operation_and_every_call_in_a_text_is_known():
    offered = {name for name, value in vars(equations).items() if callable(value) and not isinstance(value, type)}
    others = {"bernoulli", "dropout", "linear", "mean", "parameter", "peephole", "share", "spread", "total"}
    assert offered - others <= OPERATIONS.keys()
    called = {op.text.partition("(")[0] for op in OPERATIONS.values() if op.text[0].isalpha()}
    assert called <= {*FUNCTIONS, "abs"}


# ---- complaints ----------------------------------------------------------------------------------------------------


def written(write, states=("h",), sizes=(3, 4), **more_sizes):
    """Return a cell whose equations are `write(x, *states)`."""

    class Written(nr.Cell):
        def sizes(self):
            return super().sizes() | more_sizes

        def equations(self, x, *symbols):
            return write(x, *symbols)

    Written.states = states
    return Written(*sizes)


WRONG = {
    "a map's name twice": (
        lambda x, h: linear("a", x) + linear("a", h),
        ValueError,
        r"linear\('a'\): got a name used before",
    ),
    "a peephole's name twice": (
        lambda x, h: peephole("a", h) + peephole("a", h),
        ValueError,
        r"peephole\('a'\): got a name used before",
    ),
    "a map without a name": (lambda x, h: linear(x, h), TypeError, "linear: got <input x> as the name; expects an"),
    "a name with a space": (lambda x, h: linear("in gate", x), TypeError, "linear: got 'in gate' as the name"),
    "a peephole without a name": (lambda x, h: peephole(h, h), TypeError, "peephole: got <state h> as the name"),
    "a map of nothing": (lambda x, h: linear("a"), TypeError, r"linear\('a'\): got no arguments"),
    "a map of an array": (
        lambda x, h: linear("a", np.zeros(3)),
        TypeError,
        r"linear\('a'\): got ndarray; expects a symbol",
    ),
    "a map of a number": (lambda x, h: linear("a", x, 1.0), TypeError, r"linear\('a'\): got float; expects a symbol"),
    "a map of a constant": (lambda x, h: linear("a", x, 0 * h), TypeError, r"linear\('a'\): got a number"),
    "an argument twice": (lambda x, h: linear("a", x, h, x), ValueError, "got the same argument twice"),
    "an unknown size": (
        lambda x, h: linear("a", x, size="cells"),
        ValueError,
        r"linear\('a'\): got the size 'cells'; expects one of \['half', 'hidden', 'input'\]",
    ),
    "heads that do not divide": (
        lambda x, h: linear("a", x, h, heads=(1, 3)),
        ValueError,
        r"linear\('a'\): got 3 heads for 4 channels of an argument and 4 of the result; expects a number that divides",
    ),
    "heads for another number of arguments": (
        lambda x, h: linear("a", x, h, heads=(1, 2, 2)),
        ValueError,
        r"linear\('a'\): got heads=\(1, 2, 2\); expects a whole number >= 1, or one for each argument",
    ),
    "no heads": (lambda x, h: linear("a", h, heads=0), ValueError, r"linear\('a'\): got heads=0"),
    "a map of one number a row": (
        lambda x, h: linear("a", mean(h)),
        TypeError,
        r"linear\('a'\): got one number a row; expects a symbol with channels",
    ),
    "a sum of a sum": (
        lambda x, h: h + total(total(h)),
        TypeError,
        "total: got one number a row; expects a symbol with",
    ),
    "sums that do not divide": (
        lambda x, h: h + spread(total(x, "half"), "hidden"),
        ValueError,
        r"total: got 2 \(half\) and 3 \(input\) channels; expects a multiple",
    ),
    "sums of an unknown size": (lambda x, h: total(h, "cells"), ValueError, "total: got the size 'cells'; expects one"),
    "groups that do not divide": (
        lambda x, h: total(h, "hidden", "input"),
        ValueError,
        r"total: got 3 groups \(input\) of 4 \(hidden\) channels; expects a number that divides them",
    ),
    "a spread to fewer": (
        lambda x, h: spread(h, "half"),
        ValueError,
        r"spread: got 4 \(hidden\) and 2 \(half\) channels; expects a multiple",
    ),
    "a spread of unknown groups": (
        lambda x, h: spread(h, "hidden", "heads"),
        ValueError,
        "spread: got the size 'heads'",
    ),
    "a spread of one number a row": (
        lambda x, h: spread(mean(h), "hidden"),
        TypeError,
        "spread: got one number a row; expects a symbol with channels",
    ),
    "a spread of a number": (lambda x, h: spread(1.0, "hidden"), TypeError, "spread: got float; expects a symbol"),
    "a share of an unknown size": (lambda x, h: h * share("cells"), ValueError, "got the size 'cells'; expects one of"),
    "a mean of a number": (lambda x, h: h * mean(2.0), TypeError, "mean: got float; expects a symbol"),
    "one number a row as a state": (lambda x, h: mean(h), ValueError, "got a new h of 1 channels; expects 4"),
    "a rate that is none": (
        lambda x, h: h * bernoulli("a", 1.5),
        ValueError,
        r"bernoulli\('a'\): got the rate 1.5; expects a probability, 0 <= rate <= 1",
    ),
    "noise of one name twice": (
        lambda x, h: h * bernoulli("a", 0.5) * bernoulli("a", 0.5),
        ValueError,
        r"bernoulli\('a'\): got a name used before",
    ),
    "noise of an unknown size": (
        lambda x, h: h * bernoulli("a", 0.5, "cells"),
        ValueError,
        r"bernoulli\('a'\): got the size 'cells'; expects one of",
    ),
    "no parts": (lambda x, h: linear("a", x, parts=0), ValueError, r"linear\('a'\): got parts=0"),
    "a peephole of a number": (lambda x, h: peephole("a", 2.0) * h, TypeError, r"peephole\('a'\): got float"),
    "a peephole of a constant": (lambda x, h: peephole("a", h * 0) + h, TypeError, r"peephole\('a'\): got a number"),
    "channels that do not fit": (
        lambda x, h: x * h,
        ValueError,
        r"got multiply of x \(input: 3\), h \(hidden: 4\); expects as many channels on both sides",
    ),
    "an array among symbols": (lambda x, h: h + "1", TypeError, "got '1' in add; expects symbols and plain, finite"),
    "a truth value": (lambda x, h: h * True, TypeError, "got True in multiply"),
    "an infinite number": (lambda x, h: maximum(h, -math.inf), TypeError, "got -inf in maximum"),
    "a condition": (lambda x, h: h if h else -h, TypeError, "got a comparison or condition on a symbol"),
    "a power that is no whole number": (lambda x, h: h**0.5, TypeError, "got the power 0.5; expects a whole number"),
    "a function of a number": (lambda x, h: tanh(2.0) * h, TypeError, r"tanh: got \(2.0,\); expects symbols"),
    "too many arguments": (lambda x, h: tanh(h, h), TypeError, r"tanh: got 2 argument\(s\); expects 1"),
    "too few arguments": (lambda x, h: maximum(h), TypeError, r"maximum: got 1 argument\(s\); expects 2"),
    "two states instead of one": (
        lambda x, h: (h, h),
        ValueError,
        r"Written: got equations that return 2 value\(s\); expects a symbol for each of the states \('h',\)",
    ),
    "nothing": (lambda x, h: None, ValueError, r"got equations that return 1 value\(s\)"),
    "an array": (lambda x, h: np.zeros(4), ValueError, r"got equations that return 1 value\(s\)"),
    "a constant": (lambda x, h: 0 * h, ValueError, r"Written: got a new h of None channels; expects 4 of them"),
    "a state of another size": (lambda x, h: tanh(x), ValueError, r"got a new h of 3 channels; expects 4"),
}


@pytest.mark.parametrize(("write", "error", "message"), WRONG.values(), ids=WRONG.keys())
def test_complains_about(write, error, message):
    with pytest.raises(error, match=message):
        written(write, half=2)


def test_a_cell_needs_equations():
    class Empty(nr.Cell):
        pass

    with pytest.raises(NotImplementedError, match="Empty has no equations"):
        Empty(3, 4)


def test_a_weight_is_called_after_what_it_is_applied_to():
    def write(x, h, c, h2):
        r = sigmoid(linear("r", x, h, bias=False))
        new = linear("n", h2, h, r * h, 2 * x, r * h * c, parts=2, size="other")[0]
        return tanh(linear("back", new)), c, h2

    cell = written(write, ("h", "c", "h2"), other=5)
    assert {name: array.shape for name, array in cell.named_parameters()} == {
        "r_weight_x": (4, 3),
        "r_weight_h": (4, 4),
        "n_weight_h2": (10, 4),
        "n_bias": (10,),
        "n_weight_h": (10, 4),
        "n_weight_h22": (10, 4),
        "n_weight_x": (10, 3),
        "n_weight_c": (10, 4),
        "back_weight_0": (4, 5),
        "back_bias": (4,),
    }
