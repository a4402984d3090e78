"""Vectors: loads and stores touch what they should, and arithmetic is that of numbers, bit for bit."""

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from numrnn.kernels.cpu import vector
from numrnn.kernels.cpu.machine import UNCACHED_OPTIONS, VECTOR_BITS

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def lanes_of(dtype):
    return VECTOR_BITS // (8 * np.dtype(dtype).itemsize)


def compiled(function):
    return njit(**UNCACHED_OPTIONS)(function)


@compiled
def copy(source, target, start, width):
    vector.store(vector.load(source, start, width), target, start, width)


@compiled
def load_part(source, target, width, lanes):
    vector.store(vector.load(source, 0, width), target, 0, lanes)


@compiled
def add_to(source, target, start, width):
    vector.add_to(vector.load(source, start, width), target, start, width)


@compiled
def fill(target, start, width):
    vector.fill(target, start, width)


@each_dtype
def test_nothing_beyond_the_width_is_touched(dtype):
    lanes = lanes_of(dtype)
    source = np.arange(1, 3 * lanes + 1).astype(dtype)
    for width in range(-2, lanes + 3):
        inside = slice(lanes, lanes + max(0, min(width, lanes)))
        for change, expected in ((copy, source), (add_to, source + 100), (fill, np.zeros_like(source))):
            target = np.full(3 * lanes, 100, dtype)
            wanted = target.copy()
            wanted[inside] = expected[inside]
            change(*((source, target) if change is not fill else (target,)), lanes, width)
            np.testing.assert_array_equal(target, wanted)


@each_dtype
def test_what_is_not_loaded_is_zero(dtype):
    lanes = lanes_of(dtype)
    source, target = np.ones(lanes, dtype), np.full(lanes, 7, dtype)
    for width in range(lanes + 1):
        load_part(source, target, width, lanes)
        np.testing.assert_array_equal(target, np.arange(lanes) < width)


@each_dtype
def test_transposes_a_square(dtype):
    lanes = lanes_of(dtype)
    source = np.random.default_rng(0).normal(size=(lanes, lanes + 3)).astype(dtype)
    target = np.zeros((lanes, lanes + 5), dtype)
    transpose = compiled(lambda a, row, b, b_row: vector.transpose(a, 0, row, b, 0, b_row))
    transpose(source.reshape(-1), lanes + 3, target.reshape(-1), lanes + 5)
    np.testing.assert_array_equal(target[:, :lanes], source[:, :lanes].T)
    assert not target[:, lanes:].any()


ON_BOTH = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negate and absolute": lambda a, b: -a + abs(b),
    "fma": lambda a, b: vector.fma(a, b, a),
    "where_less": lambda a, b: vector.where_less(a, b, a * a, b),
    "copysign": lambda a, b: vector.copysign(a, b),
    "square_root": lambda a, b: vector.square_root(a * a + b * b),
    "exponent and fraction": lambda a, b: vector.exponent(abs(a), abs(b)) + vector.fraction(abs(a), abs(b)),
}


@pytest.mark.parametrize("name", ON_BOTH)
@each_dtype
def test_vectors_give_the_bits_of_numbers(name, dtype):
    function, lanes = compiled(ON_BOTH[name]), lanes_of(dtype)

    @compiled
    def on_numbers(a, b, out):
        for k in range(a.size):
            out[k] = function(a[k], b[k])

    @compiled
    def on_vectors(a, b, out):
        for k in range(0, a.size, lanes):
            width = a.size - k
            vector.store(function(vector.load(a, k, width), vector.load(b, k, width)), out, k, width)

    rng = np.random.default_rng(1)
    special = [0.0, -0.0, 1.0, np.inf, -np.inf, np.nan] if "exponent" not in name else [1.0, 2.0]
    a, b = (np.concatenate([rng.normal(size=301), rng.permutation(special)]).astype(dtype) for _ in "ab")
    found, expected = np.empty_like(a), np.empty_like(a)
    on_vectors(a, b, found)
    on_numbers(a, b, expected)
    np.testing.assert_array_equal(found, expected)
    assert not np.isnan(expected[:301]).any()


@each_dtype
def test_fma_rounds_once(dtype):
    multiply_add = compiled(lambda a, b, c: vector.fma(a, b, c))
    number = np.dtype(dtype).type
    small = number(np.finfo(dtype).eps)
    assert multiply_add(number(1) + small, number(1) - small, number(-1)) == -(small * small)


def test_element_types_do_not_mix():
    with pytest.raises(TypingError, match=r"one element type"):
        copy(np.zeros(99, "float32"), np.zeros(99, "float64"), 0, 4)


@compiled
def sum_of(numbers, start, size):
    return vector.sum_of(numbers, start, size)


def summed_as_described(numbers):
    """Return a sum of sixteen chains, which are added up by halves."""
    chains = np.zeros((-(-len(numbers) // 16), 16), numbers.dtype)
    chains.ravel()[: len(numbers)] = numbers
    sums = chains[0]
    for row in chains[1:]:
        sums = sums + row
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return sums[0]


@each_dtype
def test_a_sum_has_its_order_whatever_the_width_of_vectors(dtype):
    numbers = np.random.default_rng(0).normal(size=200).astype(dtype)
    for start, size in ((0, 1), (3, 7), (1, 16), (5, 17), (0, 33), (7, 100), (0, 200)):
        found = sum_of(numbers, start, size)
        assert found == summed_as_described(numbers[start : start + size])
        np.testing.assert_allclose(found, numbers[start : start + size].astype("float64").sum(), rtol=1e-4, atol=1e-5)
