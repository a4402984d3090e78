"""A Sequencer gives what stepping gives, call after call: bit for bit, unless the table of modules says otherwise."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.table import is_table, leaves, map_table
from tests.modules import OF_ONE_STEP, Entry

MODES = ["both", "train", "eval", "neither"]


@dataclass(frozen=True)
class Call:
    """A sequence, and what is done before and after it."""

    training: bool
    forget: bool
    length: int
    batch: int
    as_array: bool
    backward: bool
    update: bool


calls = st.lists(
    st.builds(
        Call,
        training=st.booleans(),
        forget=st.sampled_from([False, False, False, True]),
        length=st.integers(1, 5),
        batch=st.integers(1, 4),
        as_array=st.booleans(),
        backward=st.sampled_from([True, True, False]),
        update=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


class Stepper:
    """What a Sequencer is to be: its module, stepped, that forgets when it should."""

    def __init__(self, module: nr.Module, mode: str) -> None:
        self.module, self.mode, self.is_training = module, mode, True
        self.walker = module if isinstance(module, nr.AbstractRecurrent) else nr.Recursor(module)
        for part in recurrent_parts(self.walker):
            part.rho = 1000

    def switch(self, training: bool) -> None:
        if training != self.is_training:
            self.walker.forget()
        self.is_training = training
        (self.walker.training if training else self.walker.evaluate)()

    @property
    def remembers(self) -> bool:
        return self.mode in ("both", "train" if self.is_training else "eval")

    def forward(self, steps: list[Any]) -> list[Any]:
        if not self.remembers:
            self.walker.forget()
        return [self.walker.forward(x) for x in steps]

    def backward(self, steps: list[Any], grads: list[Any]) -> list[Any]:
        return [self.walker.backward(*pair) for pair in zip(steps[::-1], grads[::-1], strict=True)][::-1]


def recurrent_parts(module: nr.Module) -> list[nr.AbstractRecurrent]:
    return [part for part in module.modules() if isinstance(part, nr.AbstractRecurrent)]


def assert_same(entry: Entry, left: Any, right: Any) -> None:
    for a, b in zip(leaves(left), leaves(right), strict=True):
        if a is None or b is None:
            assert a is b
        elif entry.is_exact:
            np.testing.assert_array_equal(a, b, strict=True)
        else:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, strict=True)


def together(steps: list[Any], as_array: bool) -> Any:
    """Return steps as a Sequencer may be given them: a table, or arrays of all steps."""
    if not as_array or steps[0] is None:
        return None if as_array else steps
    return map_table(lambda *arrays: None if arrays[0] is None else np.stack(arrays), *steps)


def apart(returned: Any, as_array: bool, length: int) -> list[Any]:
    """Return what a Sequencer returned as a list of steps."""
    if not as_array:
        assert isinstance(returned, list)
        assert len(returned) == length
        return returned
    if returned is None:
        return [None] * length
    return [map_table(lambda array, t=t: None if array is None else array[t], returned) for t in range(length)]


def gradient(rng: np.random.Generator, output: Any) -> Any:
    return map_table(lambda y: rng.normal(size=y.shape) if y.dtype.kind == "f" else None, output)


@pytest.mark.parametrize("name", OF_ONE_STEP)
@given(data=st.data(), seed=st.integers(0, 2**16), mode=st.sampled_from(MODES), rho=st.integers(1, 3), calls=calls)
def test_equals_stepping_over_several_calls(name, data, seed, mode, rho, calls):
    entry = OF_ONE_STEP[name]
    sizes = data.draw(entry.sizes())
    module, rng = entry.make(sizes, seed), np.random.default_rng(seed)
    stepper = Stepper(module.clone(), mode)
    for part in recurrent_parts(module):
        part.rho = rho
    sequencer = nr.Sequencer(module).remember(mode)
    rows = None  # of the sequence that is going on
    for call in calls:
        rows = None if call.forget or call.training != stepper.is_training else rows
        stepper.switch(call.training)
        (sequencer.training if call.training else sequencer.evaluate)()
        if call.forget:
            stepper.walker.forget()
            sequencer.forget()
        if rows is None or not stepper.remembers:
            rows = sizes.rows and (call.batch,)
        steps = [entry.draw(replace(sizes, rows=rows), rng) for _ in range(call.length)]
        as_array = call.as_array and not is_table(steps[0])
        given = together(steps, as_array)
        expected = stepper.forward(steps)
        assert_same(entry, apart(sequencer.forward(given), as_array, call.length), expected)
        for own, other in zip(recurrent_parts(module), recurrent_parts(stepper.module), strict=True):
            assert own.rho == rho
            assert_same(entry, own.get_hidden_state(), other.get_hidden_state())
        if call.training and call.backward:
            grads = [gradient(rng, y) for y in expected]
            grad_inputs = sequencer.backward(given, together(grads, as_array))
            assert_same(entry, apart(grad_inputs, as_array, call.length), stepper.backward(steps, grads))
            assert_same(entry, module.parameters()[1], stepper.module.parameters()[1])
        if call.update:
            for one in (module, stepper.module):
                one.update_parameters(0.05)
                one.zero_grad_parameters()


@pytest.mark.parametrize("name", OF_ONE_STEP)
@given(data=st.data(), seed=st.integers(0, 2**16), cuts=st.lists(st.integers(1, 7), max_size=3))
@settings(max_examples=settings.default.max_examples // 5)
def test_a_sequence_can_be_cut_anywhere(name, data, seed, cuts):
    entry = OF_ONE_STEP[name]
    sizes = data.draw(entry.sizes())
    sequencer, rng = nr.Sequencer(entry.make(sizes, seed)).remember("both"), np.random.default_rng(seed)
    steps = [entry.draw(sizes, rng) for _ in range(8)]
    other = sequencer.clone()
    whole = sequencer.forward(steps)
    ends = [0, *sorted(set(cuts)), 8]
    assert_same(entry, [y for cut in itertools.pairwise(ends) for y in other.forward(steps[slice(*cut)])], whole)


def test_single_steps_and_sequences_may_alternate():
    cell, rng = nr.GRU(3, 5).astype("float64"), np.random.default_rng(0)
    sequencer, stepped = nr.Sequencer(cell).remember("both"), cell.clone()
    x = rng.normal(size=(9, 2, 3))
    expected = [stepped.forward(x_t) for x_t in x]
    found = [*sequencer.forward(x[:3]), cell.forward(x[3]), *sequencer.forward(x[4:8]), cell.forward(x[8])]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("mode", ["neither", "both"])
def test_a_call_of_a_sequencer_can_be_a_step(mode):
    """Sentences as steps: going back through earlier ones disturbs neither the next one nor its gradient."""
    rng = np.random.default_rng(0)
    inner = nr.Sequencer(nr.LSTM(3, 4).astype("float64")).remember(mode)
    x, grad = rng.normal(size=(5, 6, 2, 3)), rng.normal(size=(5, 6, 2, 4))
    apart = inner.clone()
    expected = []
    for sentence in range(5):
        output = apart.forward(x[sentence])
        expected.append((output, apart.backward(x[sentence], grad[sentence])))
    recursor = nr.Recursor(inner)
    found = {}
    for count in (3, 2):
        first = len(found)
        outputs = [recursor.forward(x[k]) for k in range(first, first + count)]
        for k in reversed(range(first, first + count)):
            found[k] = outputs[k - first], recursor.backward(x[k], grad[k])
    for k in range(5):
        np.testing.assert_array_equal(found[k][0], expected[k][0])
        np.testing.assert_array_equal(found[k][1], expected[k][1])
    for one, other in zip(inner.parameters()[1], apart.parameters()[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
