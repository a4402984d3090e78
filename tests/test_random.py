"""One seed, and an independent stream for everything that draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.random import generator

seeds = st.integers(0, 2**63)


@given(seed=seeds)
def test_a_seed_brings_all_streams_back(seed):
    nr.seed(seed)
    first = [generator().random(4) for _ in range(3)]
    nr.seed(seed)
    np.testing.assert_array_equal([generator().random(4) for _ in range(3)], first)
    assert len(np.unique(first)) == 12  # no stream repeats another


@given(seed=seeds)
def test_other_seeds_have_other_streams(seed):
    streams = []
    for value in (seed, seed + 1):
        nr.seed(value)
        streams.append(generator().random(4))
    assert not np.intersect1d(*streams).size


@given(seed=seeds, draws=st.integers(0, 20))
def test_a_stream_does_not_depend_on_what_others_draw(seed, draws):
    nr.seed(seed)
    generator().random(draws)
    second = generator().random(4)
    nr.seed(seed)
    generator()
    np.testing.assert_array_equal(generator().random(4), second)


def test_without_a_value_the_seed_is_another_one_each_time():
    streams = []
    for _ in range(2):
        nr.seed()
        streams.append(generator().random(4))
    assert not np.intersect1d(*streams).size


def test_modules_made_before_keep_their_streams():
    nr.seed(0)
    dropout, x = nr.Dropout(0.5), np.ones((50, 50))
    expected = dropout.clone()(x)
    nr.seed(0)
    np.testing.assert_array_equal(dropout(x), expected)


def test_a_generator_is_shared_and_a_number_is_a_seed_of_its_own():
    rng = np.random.default_rng(5)
    assert generator(rng) is rng
    nr.seed(0)
    first = nr.Linear(2, 3, rng=7)
    nr.seed(1)
    np.testing.assert_array_equal(nr.Linear(2, 3, rng=np.int64(7)).weight, first.weight)
    assert not np.array_equal(nr.Linear(2, 3, rng=8).weight, first.weight)
    one, two = nr.Linear(2, 3, rng=rng), nr.Linear(2, 3, rng=rng)
    assert not np.array_equal(one.weight, two.weight)


@pytest.mark.parametrize("value", [-1, 1.0, True, "0"])
def test_seeds_are_whole_numbers_and_a_refused_one_changes_nothing(value):
    nr.seed(3)
    expected = generator().random()
    nr.seed(3)
    with pytest.raises(ValueError, match="expects a whole number >= 0"):
        nr.seed(value)
    assert generator().random() == expected


@pytest.mark.parametrize("rng", [1.0, True, "0", np.random])
def test_what_is_no_source_of_numbers_is_refused(rng):
    with pytest.raises(TypeError, match=r"expects a numpy\.random\.Generator, a seed, or None"):
        nr.Linear(2, 3, rng=rng)
