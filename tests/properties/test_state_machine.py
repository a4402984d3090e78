"""Calls in any order, compared with a model that replays them in plain NumPy and knows nothing of the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import numrnn as nr
from tests import naive

FEATURES, HIDDEN, RHO = 3, 4, 2
seeds = st.integers(0, 2**16)
modes = st.sampled_from(["both", "train", "eval", "neither"])


def recurrent_step(p: naive.Arrays, x: np.ndarray, h: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, ...]:
    """A step of a Recurrent; rows in which `fresh` is 1 begin a sequence."""
    fed = h @ p["feedback.weight"].T + p["feedback.bias"]
    merged = x @ p["input.weight"].T + p["input.bias"] + fresh * p["start.bias"] + (1 - fresh) * fed
    return naive.sigmoid(merged), np.zeros_like(fresh)


@dataclass
class Step:
    """A step that was made."""

    parameters: dict[str, np.ndarray]
    x: np.ndarray
    before: tuple[np.ndarray, ...]
    after: tuple[np.ndarray, ...]
    cut: np.ndarray
    """For each row, whether no gradient flows to the step before."""


class Model:
    """What a recurrent module is to do: it keeps what was done, and replays it with complex numbers for a gradient."""

    def __init__(self, step: naive.Step, start: tuple[np.ndarray, ...]) -> None:
        self.step, self.start = step, start
        self.parameters: dict[str, np.ndarray] = {}
        self.is_training = True
        self.forget()

    def forget(self) -> None:
        self.state: tuple[np.ndarray, ...] | None = None
        self.count, self.records, self.gone, self.grads = 0, [], 0, []

    def set_rows(self, rows: Any, state: tuple[np.ndarray, ...]) -> None:
        """Let rows go on from another state, without a gradient to what was before."""
        self.cut = self.cut.copy()
        self.cut[rows] = True
        self.state = tuple(own.copy() for own in self.state)
        for own, new in zip(self.state, state, strict=True):
            own[rows] = new

    def forward(self, x: np.ndarray, memory: int) -> np.ndarray:
        if self.state is None:
            self.state = tuple(np.tile(s, (len(x), 1)) for s in self.start)
            self.cut = np.zeros(len(x), bool)
        after = self.step(self.parameters, x, *self.state)
        record = Step(self.parameters, x, self.state, after, self.cut)
        self.records = [*self.records, record][-memory:] if self.is_training else []
        self.state, self.cut = after, np.zeros(len(x), bool)
        self.count += 1
        self.gone, self.grads = 0, []
        return after[0]

    @property
    def can_go_back(self) -> bool:
        return self.is_training and self.gone < len(self.records)

    @property
    def is_clean(self) -> bool:
        """Whether the parameters are those with which all steps to come back through were made."""
        return all(record.parameters is self.parameters for record in self.records[-1 - self.gone :])

    def backward(self, grad_output: np.ndarray) -> Step:
        self.gone += 1
        self.grads.insert(0, grad_output)
        return self.records[-self.gone]

    def slope(self, name: str, direction: np.ndarray) -> float:
        """Return the derivative of the loss in what the step that was gone back through took."""
        steps = self.records[-self.gone :]

        def loss(arrays: naive.Arrays) -> complex:
            state = steps[0].before
            total = 0
            for step, grad in zip(steps, self.grads, strict=True):
                if step is steps[0]:
                    state = self.step(arrays, arrays["x"], *state)
                else:
                    keep = ~step.cut[:, np.newaxis]
                    state = tuple(np.where(keep, own, old) for own, old in zip(state, step.before, strict=True))
                    state = self.step(step.parameters, step.x, *state)
                total = total + (state[0] * grad).sum()
            return total

        return naive.derivative(loss, {**steps[0].parameters, "x": steps[0].x}, name, direction)


def listed(states: Any) -> list[np.ndarray]:
    return states if isinstance(states, list) else [states]


def assert_product(gradient: np.ndarray, direction: np.ndarray, expected: float) -> None:
    shares = gradient * direction
    assert abs(shares.sum() - expected) <= 1e-10 * np.abs(shares).sum() + 1e-12


class Machine(RuleBasedStateMachine):
    """What the machines have in common: the module, its model and the parameters' gradients along one direction."""

    make: Callable[[], nr.Module]
    step: naive.Step
    start: tuple[np.ndarray, ...] = (np.zeros(HIDDEN),)

    def __init__(self) -> None:
        super().__init__()
        nr.seed(0)
        self.module = type(self).make().astype("float64")
        self.model = Model(type(self).step, type(self).start)
        self.rng = np.random.default_rng(0)
        self.batch = 1
        self.directions = {name: self.drawn(a.shape) for name, a in self.recurrent.named_parameters()}
        self.forget_gradients()
        self.note_parameters()

    @property
    def recurrent(self) -> Any:
        return self.module

    def drawn(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.normal(size=shape)

    def note_parameters(self) -> None:
        self.model.parameters = self.recurrent.state_dict()

    def forget_gradients(self) -> None:
        self.module.zero_grad_parameters()
        self.slopes: dict[str, float] | None = dict.fromkeys(self.directions, 0.0)

    def went_back(self, grad_output: np.ndarray, grad_input: np.ndarray, scale: float = 1.0) -> None:
        """Compare the gradients of one step with the model's."""
        is_clean = self.model.is_clean
        step = self.model.backward(grad_output)
        assert grad_input.shape == step.x.shape
        if not is_clean:
            self.slopes = None  # gradients of mixed parameters are not defined
            return
        direction = self.drawn(step.x.shape)
        assert_product(grad_input, direction, self.model.slope("x", direction))
        for name in self.slopes or ():
            self.slopes[name] += scale * self.model.slope(name, self.directions[name])

    @initialize(seed=seeds)
    def begin(self, seed):
        self.rng = np.random.default_rng(seed)

    @rule(rate=st.sampled_from([0.0, 0.1]))
    def update_parameters(self, rate):
        self.module.update_parameters(rate)
        self.forget_gradients()
        self.note_parameters()

    @rule()
    def forget(self):
        self.module.forget()
        self.model.forget()

    @precondition(lambda self: self.model.state is not None)
    @rule(data=st.data())
    def forget_rows(self, data):
        rows = data.draw(st.lists(st.integers(0, self.batch - 1), max_size=3))
        self.module.forget(rows)
        self.model.set_rows(rows, self.model.start)

    @precondition(lambda self: self.model.state is not None)
    @rule(row=st.sampled_from([-1, 99]))
    def forget_a_row_that_is_not_there(self, row):
        with pytest.raises(IndexError, match="rows of a batch of"):
            self.module.forget([0, row])

    @rule()
    def clone(self):
        self.module = self.module.clone()

    @invariant()
    def states_agree(self):
        if self.model.state is None:
            return
        for found, expected in zip(listed(self.recurrent.get_hidden_state()), self.model.state, strict=False):
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
        assert self.recurrent.step == self.model.count + 1

    @invariant()
    def gradients_agree(self):
        parameters, gradients = self.recurrent.parameters()
        assert len(parameters) == len(self.directions)
        for (name, direction), gradient in zip(self.directions.items(), gradients, strict=True):
            if self.slopes is not None:
                shares = gradient * direction
                assert abs(shares.sum() - self.slopes[name]) <= 1e-9 * (1 + np.abs(shares).sum())


class Stepped(Machine):
    """A recurrent module, one step a call."""

    @rule(batch=st.integers(1, 3))
    def forward(self, batch):
        if self.model.state is None:
            self.batch = batch
        x = self.drawn((self.batch, FEATURES))
        expected = self.model.forward(x, RHO + 1)
        np.testing.assert_allclose(self.module.forward(x), expected, rtol=1e-12, atol=1e-14)

    @precondition(lambda self: self.model.state is not None)
    @rule(width=st.sampled_from([FEATURES, FEATURES + 1]))
    def forward_of_another_shape(self, width):
        with pytest.raises(ValueError, match="expects"):
            self.module.forward(self.drawn((self.batch + 1, width)))

    @rule(scale=st.sampled_from([1.0, 0.5]))
    def backward(self, scale):
        grad_output = self.drawn((self.batch, HIDDEN))
        if self.model.can_go_back:
            x = self.model.records[-1 - self.model.gone].x
            self.went_back(grad_output, self.module.backward(x, grad_output, scale), scale)
        else:
            with pytest.raises(RuntimeError, match="expects"):
                self.module.backward(self.drawn((self.batch, FEATURES)), grad_output)

    @precondition(lambda self: self.model.can_go_back)
    @rule()
    def backward_of_another_shape(self):
        x = self.model.records[-1 - self.model.gone].x
        with pytest.raises(ValueError, match="expects"):
            self.module.backward(x, self.drawn((self.batch, HIDDEN + 1)))

    @rule()
    def training(self):
        self.module.training()
        self.model.is_training = True

    @rule()
    def evaluate(self):
        self.module.evaluate()
        self.model.is_training = False

    @precondition(lambda self: self.model.records)
    @rule(data=st.data())
    def look_at_an_earlier_state(self, data):
        back = data.draw(st.integers(0, len(self.model.records) - 1))
        if back == 0:
            return  # the newest state may have been set since
        found = self.module.get_hidden_state(self.model.count - back)
        for own, expected in zip(listed(found), self.model.records[-1 - back].after, strict=False):
            np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-14)


class SteppedCell(Stepped):
    """A cell, whose states can be set."""

    @rule(is_zero=st.booleans())
    def set_start_state(self, is_zero):
        self.model.start = tuple(0 * s if is_zero else self.drawn(s.shape) for s in self.model.start)
        self.module.set_hidden_state(0, None if is_zero else list(self.model.start))

    @precondition(lambda self: self.model.state is not None)
    @rule()
    def set_newest_state(self):
        state = tuple(self.drawn((self.batch, *s.shape)) for s in self.model.start)
        self.module.set_hidden_state(self.model.count, list(state))
        self.model.set_rows(slice(None), state)


class Sequenced(Machine):
    """A Sequencer, a sequence a call."""

    def __init__(self) -> None:
        super().__init__()
        self.mode, self.is_table, self.can_go_back = "neither", False, False
        self.input: Any = np.zeros((1, 1, FEATURES))

    @property
    def recurrent(self) -> Any:
        return self.module.module

    @property
    def remembers(self) -> bool:
        return self.mode in ("both", "train" if self.model.is_training else "eval")

    @rule(length=st.integers(1, 4), batch=st.integers(1, 3), is_table=st.booleans())
    def forward(self, length, batch, is_table):
        if not self.remembers:
            self.model.forget()
        if self.model.state is None:
            self.batch = batch
        x = self.drawn((length, self.batch, FEATURES))
        self.model.records = []  # gradients stop at the first step of a call
        expected = [self.model.forward(x_t, length) for x_t in x]
        self.input, self.is_table = list(x) if is_table else x, is_table
        output = self.module.forward(self.input)
        assert isinstance(output, list if is_table else np.ndarray)
        np.testing.assert_allclose(np.stack(list(output)), expected, rtol=1e-12, atol=1e-14)
        self.can_go_back = True

    @precondition(lambda self: self.model.state is not None and self.remembers)
    @rule()
    def forward_of_another_batch(self):
        with pytest.raises(ValueError, match="expects"):
            self.module.forward(self.drawn((2, self.batch + 1, FEATURES)))

    @rule()
    def forward_of_another_width(self):
        with pytest.raises(ValueError, match="expects"):
            self.module.forward(self.drawn((2, self.batch, FEATURES + 1)))

    @rule()
    def backward(self):
        grad = self.drawn((len(self.input), self.batch, HIDDEN))
        grad_output = list(grad) if self.is_table else grad
        if not (self.can_go_back and self.model.is_training):
            with pytest.raises(RuntimeError, match="expects"):
                self.module.backward(self.input, grad_output)
            return
        grad_input = self.module.backward(self.input, grad_output)
        assert isinstance(grad_input, list if self.is_table else np.ndarray)
        for t in reversed(range(len(grad))):
            self.went_back(grad[t], grad_input[t])
        self.can_go_back = False

    @precondition(lambda self: self.can_go_back and self.model.is_training)
    @rule()
    def backward_of_another_length(self):
        with pytest.raises(ValueError, match="expects"):
            self.module.backward(self.input, [self.drawn((self.batch, HIDDEN))] * (len(self.input) + 1))

    @rule()
    def forget(self):
        super().forget()
        self.can_go_back = False

    @rule(mode=modes)
    def remember(self, mode):
        self.mode = mode
        self.module.remember(mode)

    @rule(training=st.booleans())
    def switch(self, training):
        (self.module.training if training else self.module.evaluate)()
        if training != self.model.is_training:
            self.model.forget()
            self.can_go_back = False
        self.model.is_training = training


def recurrent(rho: int) -> nr.Recurrent:
    return nr.Recurrent(HIDDEN, nr.Linear(FEATURES, HIDDEN), nr.Linear(HIDDEN, HIDDEN), rho=rho)


ZEROS = np.zeros(HIDDEN)


class LSTM(SteppedCell):
    make = staticmethod(lambda: nr.LSTM(FEATURES, HIDDEN, rho=RHO))
    step = staticmethod(naive.lstm)
    start = (ZEROS, ZEROS)


class GRU(SteppedCell):
    make = staticmethod(lambda: nr.GRU(FEATURES, HIDDEN, rho=RHO))
    step = staticmethod(naive.gru)


class MLSTM(SteppedCell):
    make = staticmethod(lambda: nr.MLSTM(FEATURES, HIDDEN, key_size=2, rho=RHO))
    step = staticmethod(naive.mlstm)
    start = (ZEROS, np.zeros(2 * HIDDEN), np.zeros(2), np.zeros(1))


class Recurrent(Stepped):
    make = staticmethod(lambda: recurrent(RHO))
    step = staticmethod(recurrent_step)
    start = (ZEROS, np.ones(1))


class Recursor(Stepped):
    make = staticmethod(lambda: nr.Recursor(nr.GRU(FEATURES, HIDDEN), rho=RHO))
    step = staticmethod(naive.gru)

    @property
    def recurrent(self):
        return self.module.children()[0]

    def look_at_an_earlier_state(self, data):
        """The inner cell has a memory of its own."""


class SequencerOfLSTM(Sequenced):
    make = staticmethod(lambda: nr.Sequencer(nr.LSTM(FEATURES, HIDDEN)))
    step = staticmethod(naive.lstm)
    start = (ZEROS, ZEROS)


class SequencerOfRecurrent(Sequenced):
    make = staticmethod(lambda: nr.Sequencer(recurrent(RHO)))
    step = staticmethod(recurrent_step)
    start = (ZEROS, np.ones(1))


TestLSTM = LSTM.TestCase
TestGRU = GRU.TestCase
TestMLSTM = MLSTM.TestCase
TestRecurrent = Recurrent.TestCase
TestRecursor = Recursor.TestCase
TestSequencerOfLSTM = SequencerOfLSTM.TestCase
TestSequencerOfRecurrent = SequencerOfRecurrent.TestCase

for case in (TestLSTM, TestGRU, TestMLSTM, TestRecurrent, TestRecursor, TestSequencerOfLSTM, TestSequencerOfRecurrent):
    case.settings = settings(max_examples=4 * settings.default.max_examples)
