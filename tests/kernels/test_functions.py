"""The element functions: close to the truth everywhere, and the same alone as in a vectorised loop."""

import platform
import re

import numpy as np
import pytest
from numba import njit

import numrnn as nr
from numrnn.equations.emit import FUNCTIONS
from numrnn.kernels.cpu import by_type, functions32, functions64
from numrnn.kernels.cpu import compile as compiling
from numrnn.kernels.cpu.machine import UNCACHED_OPTIONS, VECTOR_BITS
from numrnn.kernels.cpu.vector import load, store

WITHIN = {"float32": 3, "float64": 2}
"""Units in the last place."""

IS_EXACT_ENOUGH = np.finfo(np.longdouble).nmant > 60
"""Whether long doubles can tell whether a double is right."""


def _sigmoid(a):
    return np.where(a < 0, np.exp(-np.abs(a)), 1) / (1 + np.exp(-np.abs(a)))


TRUTH = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": _sigmoid,
    "softplus": lambda a: np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a))),
}
SPECIAL = {  # at -inf, -0, 0, inf
    "exp": [0, 1, 1, np.inf],
    "log": [np.nan, -np.inf, -np.inf, np.inf],
    "sqrt": [np.nan, 0, 0, np.inf],
    "tanh": [-1, 0, 0, 1],
    "sin": [np.nan, 0, 0, np.nan],
    "cos": [np.nan, 1, 1, np.nan],
    "sigmoid": [0, 0.5, 0.5, 1],
    "softplus": [0, np.log(2), np.log(2), np.inf],
}
each_function = pytest.mark.parametrize("name", TRUTH)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
_loops = {}


def loop_of(name, dtype):
    """Return `loop(x, out)`, which applies a function to all elements."""
    if (name, dtype) not in _loops:
        function = getattr({"float32": functions32, "float64": functions64}[dtype], name)

        @njit(**UNCACHED_OPTIONS)
        def loop(x, out):
            for k in range(x.size):
                out[k] = function(x[k])

        _loops[name, dtype] = loop
    return _loops[name, dtype]


def apply(name, x):
    out = np.empty_like(x)
    loop_of(name, x.dtype.name)(x, out)
    return out


def numbers(dtype, count=200_000):
    """Return numbers of all magnitudes, and many of those where the functions bend, in both signs."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2 ** (8 * np.dtype(dtype).itemsize), count, dtype=f"uint{8 * np.dtype(dtype).itemsize}")
    limit = 110 if dtype == "float32" else 760
    near = [rng.uniform(-width, width, count) for width in (limit, 20, 1.5, 0.01)]
    edges = np.array([0, 0.625, 87.33, 87.34, 88.72, 89, 103.9, 104, 708.39, 708.4, 709.7, 710, 745.1, 746], dtype)
    beside = [np.nextafter(edges, edges.dtype.type(way)) for way in (-np.inf, np.inf)]
    every = np.concatenate([bits.view(dtype), *(a.astype(dtype) for a in (*near, edges, *beside))])
    return np.concatenate([every, -every])


def test_all_functions_are_tested():
    assert set(TRUTH) == set(SPECIAL)
    assert set(TRUTH) | {"relu", "maximum", "minimum", "greater"} == set(FUNCTIONS)


@each_function
@each_dtype
def test_is_close_to_the_truth_everywhere(name, dtype):
    if dtype == "float64" and not IS_EXACT_ENOUGH:
        pytest.skip("no long doubles that are more exact than doubles")
    x = numbers(dtype)
    x = x[np.isfinite(x) & ((x > 0) | (name not in ("log", "sqrt")))]
    if name in ("sin", "cos"):
        largest = {"float32": functions32, "float64": functions64}[dtype].LARGEST_ANGLE
        assert np.isnan(apply(name, x[np.abs(x) > largest])).all()
        x = x[np.abs(x) <= largest]
        quarters = np.arange(int(largest * 2 / np.pi)) if dtype == "float32" else np.arange(200_000) * 3001
        x = np.concatenate([x, (quarters * (np.pi / 2)).astype(dtype)])  # next to zeros and extremes
    found = apply(name, x)
    with np.errstate(over="ignore", under="ignore"):
        truth = TRUTH[name](x.astype(np.longdouble))
        rounded = truth.astype(dtype)
    overflows = np.isinf(rounded)
    assert (found[overflows] >= np.finfo(dtype).max).all()
    found, truth, rounded = found[~overflows], truth[~overflows], rounded[~overflows]
    error = np.abs(found - truth) / np.spacing(np.abs(rounded))
    if name in ("sigmoid", "softplus"):  # they give zero in place of what is below normal numbers
        error[(np.abs(truth) < 1.01 * np.finfo(dtype).tiny) & (found == 0)] = 0
    assert error.max() <= WITHIN[dtype]


@each_function
@each_dtype
def test_special_values(name, dtype):
    eps = np.finfo(dtype).eps
    found = apply(name, np.array([-np.inf, -0.0, 0.0, np.inf], dtype))
    np.testing.assert_allclose(found, np.array(SPECIAL[name], dtype), rtol=2 * eps)
    assert np.isnan(apply(name, np.array([np.nan], dtype)))


@each_dtype
def test_ranges_are_kept(dtype):
    x = np.sort(numbers(dtype))
    x = x[~np.isnan(x)]
    sigmoid, tanh, exp = (apply(name, x) for name in ("sigmoid", "tanh", "exp"))
    assert sigmoid.min() == 0
    assert sigmoid.max() == 1
    assert (tanh.min(), tanh.max()) == (-1, 1)
    np.testing.assert_array_equal(apply("tanh", -x), -tanh)
    assert exp.min() == 0


def on_vectors(name, x):
    """Return a function of all elements, a vector at a time."""
    function = getattr({"float32": functions32, "float64": functions64}[x.dtype.name], name)
    lanes = VECTOR_BITS // (8 * x.itemsize)

    @njit(**UNCACHED_OPTIONS)
    def loop(x, out):
        for k in range(0, x.size, lanes):
            store(function(load(x, k, x.size - k)), out, k, x.size - k)

    out = np.empty_like(x)
    loop(x, out)
    return out


@each_function
@each_dtype
def test_vectors_give_the_bits_of_numbers(name, dtype):
    x = numbers(dtype, 5000)
    np.testing.assert_array_equal(on_vectors(name, x), apply(name, x))


@each_dtype
def test_choices_are_those_of_comparisons(dtype):
    module = {"float32": functions32, "float64": functions64}[dtype]

    @njit(**UNCACHED_OPTIONS)
    def choose(a, b, out):
        for k in range(0, a.size, 4):
            left, right, left_over = load(a, k, 4), load(b, k, 4), a.size - k
            store(module.relu(left), out[0], k, min(4, left_over))
            store(module.maximum(left, right), out[1], k, min(4, left_over))
            store(module.minimum(left, right), out[2], k, min(4, left_over))
            store(module.greater(left, right), out[3], k, min(4, left_over))

    values = np.array([-np.inf, -2, -0.0, 0, 1, np.inf, np.nan], dtype)
    a, b = (array.reshape(-1)[:48].copy() for array in np.meshgrid(values, values))
    out = np.empty((4, a.size), dtype)
    choose(a, b, out)
    expected = [np.where(a < 0, 0, a), np.where(b > a, b, a), np.where(b < a, b, a), a > b]
    np.testing.assert_array_equal(out, np.array(expected, dtype))


@each_function
@each_dtype
def test_the_vectorised_loop_gives_the_bits_of_one_at_a_time(name, dtype):
    x = numbers(dtype, 2000)
    alone = np.concatenate([apply(name, x[k : k + 1]) for k in range(len(x))])
    np.testing.assert_array_equal(apply(name, x), alone)
    shifted = np.concatenate([x[:1], x])[1:]  # another alignment
    np.testing.assert_array_equal(apply(name, shifted), alone)


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
@each_dtype
def test_chosen_by_type_are_the_same_functions(name, dtype):
    function = getattr(by_type, name)

    @njit(**UNCACHED_OPTIONS)
    def loop(x, out):
        for k in range(x.size):
            out[k] = function(x[k])

    x = numbers(dtype, 1000)
    out = np.empty_like(x)
    loop(x, out)
    np.testing.assert_array_equal(out, apply(name, x))


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="reads x86 assembly")
@pytest.mark.parametrize(("dtype", "suffix"), [("float32", "s"), ("float64", "d")])
def test_the_gates_of_an_lstm_are_vector_code(dtype, suffix):
    cell = nr.LSTM(4, 6).astype(dtype)
    text = compiling.program_text(cell.program(), "LSTM", dtype, "UNCACHED_OPTIONS")
    module = compiling._import_from_memory("lstm_for_reading", text)
    cell._loop().module = module
    cell.forward(np.zeros((2, 4), dtype))
    assembly = "\n".join(module.forward.part.compiled.inspect_asm().values())
    # nothing but the functions of the gates divides
    register = "xmm" if VECTOR_BITS == 128 else "[yz]mm"
    assert re.search(rf"\bv?divp{suffix}\s.*%{register}", assembly)
    assert not re.search(rf"\bv?divs{suffix}\b", assembly)
