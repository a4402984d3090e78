"""Replaying a case: one module or criterion, run once or a few times."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

import numrnn as nr
from tests.golden.build import Untranslated, build, make, require, with_parameters
from tests.golden.compare import assert_same
from tests.golden.describe import SIZES, describe
from tests.golden.recordings import Recording


class Case:
    """A case made ready to be replayed.

    Parameters
    ----------
    recording : Recording
        What was recorded.

    Raises
    ------
    Missing
        If numrnn lacks what the case needs.
    """

    def __init__(self, recording: Recording) -> None:
        self._name, self._meta, self._arrays = recording
        self._kind = "module" if self._meta["kind"] == "passes" else self._meta["kind"]
        self._subject = self._build()
        if not hasattr(self, f"_run_{self._kind}"):
            raise Untranslated(f"numrnn has {self._meta['module']} now: case.py has to say how such a case is run")
        if self._kind not in ("criterion", "reward"):
            with_parameters(self._subject, self._all("param"))
        if self._name.endswith("_evaluate"):
            self._subject.evaluate()

    def _build(self) -> Any:
        if self._meta["module"] == "gModule":
            return graph(*SIZES[self._name[0]])
        if self._meta["kind"] == "reward":
            return make(self._meta["module"], Rewarded(), scale=float(self._meta["args"][0].removeprefix("scale ")))
        return build(describe(self._name, self._meta, self._arrays))

    def run(self) -> None:
        """Run it, and compare what it gives with what was recorded."""
        getattr(self, f"_run_{self._kind}")()

    # ---- the recorded arrays -------------------------------------------------------------------------------------

    def _has(self, name: str) -> bool:
        return any(key == name or key.startswith(f"{name}.") for key in self._arrays)

    def _value(self, name: str) -> Any:
        """Return a recorded array, or table of arrays."""
        table = self._meta["tables"].get(name, 0)
        if table == "ragged":
            return self._ragged(name)
        return _table(self._arrays[name].copy(), table)

    def _ragged(self, name: str) -> Any:
        if name in self._arrays:
            return self._arrays[name].copy()
        elements = []
        while self._has(f"{name}.{len(elements)}"):
            elements.append(self._ragged(f"{name}.{len(elements)}"))
        return elements

    def _all(self, name: str) -> list[np.ndarray]:
        """Return `name.0`, `name.1`, ..."""
        return self._ragged(name) if self._has(f"{name}.0") else []

    def _passes(self) -> list[str]:
        """Return what the names of each pass end with."""
        numbers = {match[0] for match in (re.search(r"\.pass\d+", key) for key in self._arrays) if match}
        return sorted(numbers) or [""]

    # ---- the kinds -----------------------------------------------------------------------------------------------

    def _run_module(self) -> None:
        for end in self._passes():
            self._subject.zero_grad_parameters()
            input = self._value(f"input{end}")
            if self._has("action"):
                self._draw(self._value("action"))
            output = self._subject.forward(input)
            assert_same(f"output{end}", output, self._value(f"output{end}"))
            if self._has("reward"):
                self._subject.reinforce(self._value("reward"))
            if self._has(f"grad_output{end}"):
                grad_output = self._value(f"grad_output{end}")
                if getattr(output, "shape", None) == ():
                    grad_output = grad_output.reshape(())
                grad_input = self._subject.backward(input, grad_output)
                if self._has(f"grad_input{end}"):
                    assert_same(f"grad_input{end}", grad_input, self._value(f"grad_input{end}"))
            self._check_parameters(end)

    def _run_steps(self) -> None:
        goes_on = self._name.endswith(("_keep_state", "_evaluate"))
        for end in self._passes():
            self._subject.zero_grad_parameters()
            inputs = self._value(f"input{end}")
            assert_same(f"output{end}", [self._subject.forward(x) for x in inputs], self._value(f"output{end}"))
            if self._has(f"grad_output{end}"):
                self._go_back(end, inputs)
            self._check_parameters(end)
            if not goes_on:
                self._subject.forget()

    def _go_back(self, end: str, inputs: list[np.ndarray]) -> None:
        grad_outputs = self._value(f"grad_output{end}")
        count = 2 if "rho2" in self._name else len(inputs)
        steps = range(len(inputs) - 1, len(inputs) - 1 - count, -1)
        grad_inputs = [self._subject.backward(inputs[t], grad_outputs[t]) for t in steps]
        if self._has(f"grad_input_reversed{end}"):
            assert_same(f"grad_input_reversed{end}", grad_inputs, self._value(f"grad_input_reversed{end}"))

    def _check_parameters(self, end: str) -> None:
        parameters, gradients = self._subject.parameters()
        if isinstance(self._subject, nr.MapTable):  # the original has a copy of the parameters for every element
            parameters, gradients = (arrays * self._elements() for arrays in (parameters, gradients))
        if self._has(f"grad_param{end}"):
            assert_same(f"grad_param{end}", gradients, self._all(f"grad_param{end}"))
        if self._has(f"param_after{end}"):
            self._subject.update_parameters(self._meta["update_rate"])
            assert_same(f"param_after{end}", parameters, self._all(f"param_after{end}"))

    def _draw(self, samples: list[np.ndarray]) -> None:
        """Have what draws samples in the module draw these."""
        for part in self._subject.modules():
            if isinstance(part, nr.ReinforceNormal):
                part.draw = lambda _: samples.pop(0)

    def _elements(self) -> int:
        """Return how many elements the input table has."""
        return len(self._value("input"))

    def _run_criterion(self) -> None:
        input, target = self._value("input"), self._target()
        assert_same("loss", self._subject.forward(input, target), self._value("loss"))
        assert_same("grad_input", self._subject.backward(input, target), self._value("grad_input"))

    def _target(self) -> Any:
        """Return the target; where it was not recorded as it was, the gradients say what it was."""
        target = self._value("target")
        if self._name in ("a_parallel", "b_parallel"):  # recorded as indices: one less, and without fractions
            x, gradient = self._value("input")[0], self._value("grad_input")[0]
            target[0] = x - gradient * x.size  # the criterion's factor is 0.5
        if self._name == "e_sequencer_parallel":  # classes are counted from 1
            target = [[x, classes.astype(int) - 1] for x, classes in target]
        return target

    def _run_reward(self) -> None:
        self._run_criterion()
        assert_same("reward", self._subject.module.reward, self._value("reward"))

    def _run_reinforce(self) -> None:
        """Have the module draw the recorded sample, and reward it."""
        input, sample = self._value("input"), self._value("output")
        self._subject.draw = lambda _: sample.copy()
        assert_same("output", self._subject.forward(input), sample)
        self._subject.reinforce(self._value("reward"))
        assert_same("grad_input", self._subject.backward(input, np.ones_like(sample)), self._value("grad_input"))
        self._subject.evaluate()
        assert_same("evaluate_output", self._subject.forward(input), self._value("evaluate_output"))

    def _run_training(self) -> None:
        model, criterion = self._subject, nr.SequencerCriterion(nr.ClassNLLCriterion())
        losses = []
        for input, target in zip(self._value("input"), self._value("target"), strict=True):
            model.zero_grad_parameters()
            output = model.forward(input)
            losses.append(criterion.forward(output, target))
            model.backward(input, criterion.backward(output, target))
            model.update_parameters(self._meta["learning_rate"])
        assert_same("loss", np.array(losses), self._value("loss"))
        assert_same("param_after", model.parameters()[0], self._all("param_after"))

    def _run_dropout(self) -> None:
        """A plain layer draws numbers that make the recorded mask; a cell is given the masks of each step.

        In the first pass all steps have one mask, as in numrnn; in the second the original gives each its own.
        """
        if isinstance(self._subject, nr.Dropout):
            self._subject.rng = Draws(self._arrays["noise"][0, 0])
            self._run_module()
            return
        cell = self._subject.module
        for end in self._passes():
            cell.forget()
            cell.zero_grad_parameters()
            inputs, grad_outputs = self._value(f"input{end}"), self._value(f"grad_output{end}")
            outputs = []
            for x, noise in zip(inputs, self._value(f"noise{end}"), strict=True):
                cell.noise = noise
                outputs.append(cell.forward(x))
            assert_same(f"output{end}", outputs, self._value(f"output{end}"))
            pairs = list(zip(inputs, grad_outputs, strict=True))
            grad_inputs = [cell.backward(*pair) for pair in reversed(pairs)][::-1]
            assert_same(f"grad_input{end}", grad_inputs, self._value(f"grad_input{end}"))
            self._check_parameters(end)


class Draws:
    """A stand-in for a random generator: 1 where a mask keeps an element, 0 where it drops it."""

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = mask

    def random(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return the numbers."""
        assert shape == self._mask.shape
        return (self._mask != 0).astype(dtype)


class Rewarded(nr.Module):
    """A module that keeps the reward that it is handed."""

    def reinforce(self, reward: Any) -> None:
        """Keep it."""
        self.reward = reward


def graph(d: int, h: int) -> nr.Module:
    """Return the graph of the `gModule` cases."""
    x = require("Input")()
    hidden = make("Tanh")(make("Linear", d, h)(x))
    return make("Graph", x, [make("CAddTable")([make("Linear", h, d)(hidden), x]), make("Sigmoid")(hidden)])


def _table(array: np.ndarray, depth: int) -> Any:
    """Return an array as a table, nested this deep, of the rest of its axes."""
    return [_table(row, depth - 1) for row in array] if depth else array
