"""Replaying a trace: the calls made to some modules and criterions, one after the other, and what each gave back."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import numrnn as nr
from tests.golden.build import Missing, Untranslated, build, with_parameters
from tests.golden.compare import assert_same
from tests.golden.recordings import Recording

Event = dict[str, Any]


class Trace:
    """A trace made ready to be replayed.

    A part of it (a model or a criterion) that needs something numrnn lacks is left out, from the call that needs it on.

    Parameters
    ----------
    recording : Recording
        What was recorded.

    Attributes
    ----------
    waiting : dict
        Why a part is left out, by the name of the part.
    checks : int
        Number of calls whose results are compared with the recorded ones.
    """

    def __init__(self, recording: Recording) -> None:
        self._arrays = recording.arrays
        self._models: dict[str, nr.Module] = {}
        self._criterions: dict[str, nr.Criterion] = {}
        self._steps: list[tuple[str, Event]] = []
        self.waiting: dict[str, Missing] = {}
        for number, event in enumerate(recording.meta["events"]):
            if event["model"] not in self.waiting:
                try:
                    self._prepare(f"event {number}, {event['call']}", event)
                except Missing as reason:
                    self.waiting[event["model"]] = reason
        self.checks = sum(event["call"] in ("forward", "loss", "train", "check_normalized") for _, event in self._steps)

    def _prepare(self, title: str, event: Event) -> None:
        call, part = event["call"], event["model"]
        if call == "model":
            self._models[part] = with_parameters(build(event["module"]), self._value(event["parameters"]))
        elif call == "criterion":
            self._criterions[part] = build(event["criterion"])
        elif hasattr(self, f"on_{call}"):
            self._steps.append((title, event))
        elif hasattr(self._models[part], call) or hasattr(nr.optim, call):
            raise Untranslated(f"numrnn has {call} now: trace.py has to say how it is called")
        else:
            raise Missing(f"needs {call}")

    def run(self) -> None:
        """Make the calls, and compare what they give with what was recorded."""
        for title, event in self._steps:
            getattr(self, f"on_{event['call']}")(title, event["model"], event)

    def _value(self, reference: Any) -> Any:
        """Return a copy of what a reference in an event stands for."""
        if isinstance(reference, list):
            return [self._value(element) for element in reference]
        if isinstance(reference, dict):
            return list(self._value(reference["table"]))
        return self._arrays[reference].copy()

    # ---- the calls -----------------------------------------------------------------------------------------------

    def on_forward(self, title: str, part: str, event: Event) -> None:
        output = self._models[part].forward(self._value(event["input"]))
        assert_same(f"{title}: output", output, self._value(event["output"]))

    def on_backward(self, title: str, part: str, event: Event) -> None:
        input, grad_output = self._value(event["input"]), self._value(event["grad_output"])
        if isinstance(self._models[part], nr.NCEModule):
            grad_output = [*grad_output, *map(np.zeros_like, grad_output)]  # of what is constant
        grad_input = self._models[part].backward(input, grad_output, event.get("scale", 1.0))
        if "grad_input" in event:
            recorded = self._value(event["grad_input"])
            if isinstance(self._models[part], nr.NCEModule):
                grad_input = grad_input[: len(recorded)]  # targets have none
            if isinstance(self._models[part], nr.BiSequencerLM):
                recorded = recorded[: len(input)]  # the original keeps the end of a longer table from the call before
            assert_same(f"{title}: grad_input", grad_input, recorded)

    def on_loss(self, title: str, part: str, event: Event) -> None:
        input, target = self._value(event["input"]), self._value(event["target"]) if "target" in event else None
        criterion, recorded = self._criterions[part], self._value(event["grad_input"])
        assert_same(f"{title}: loss", criterion.forward(input, target), self._value(event["loss"]))
        grad_input = criterion.backward(input, target)
        if isinstance(criterion, nr.NCECriterion):
            grad_input = grad_input[: len(recorded)]  # the rest is of what is constant
        assert_same(f"{title}: grad_input", grad_input, recorded)

    def on_train(self, title: str, part: str, event: Event) -> None:
        model, criterion = self._models[part], self._criterions[part]
        inputs, targets, losses = (self._value(event[name]) for name in ("inputs", "targets", "losses"))
        for iteration, (input, target) in enumerate(zip(inputs, targets, strict=True)):
            output = model.forward(list(input))
            loss = criterion.forward(output, list(target))
            assert_same(f"{title}: loss of iteration {iteration}", loss, losses[iteration])
            model.backward(list(input), criterion.backward(output, list(target)))
            model.update_parameters(event["learning_rate"])
            model.zero_grad_parameters()

    def on_check_parameters(self, title: str, part: str, event: Event) -> None:
        assert_same(title, self._models[part].parameters()[0], self._value(event["values"]))

    def on_check_grad_parameters(self, title: str, part: str, event: Event) -> None:
        assert_same(title, self._models[part].parameters()[1], self._value(event["values"]))

    def on_zero_grad_parameters(self, title: str, part: str, event: Event) -> None:
        self._models[part].zero_grad_parameters()

    def on_update_parameters(self, title: str, part: str, event: Event) -> None:
        self._models[part].update_parameters(event["learning_rate"])

    def on_clip_grad_parameters(self, title: str, part: str, event: Event) -> None:
        norm = nr.optim.clip_grad_norm(self._models[part], event["cutoff"])
        assert_same(f"{title}: norm", norm, self._value(event["norm"]))

    def on_check_stabilizer_loss(self, title: str, part: str, event: Event) -> None:
        """The original squares the sum of the norms instead of their difference, and divides by the number of steps."""
        stabilizers = [m for m in self._models[part].modules() if isinstance(m, nr.NormStabilizer)]
        norms = [np.linalg.norm(record["after"][0], axis=1) for record in stabilizers[0]._records]
        wrong = sum(np.square(a + b).mean() for a, b in itertools.pairwise(norms)) / len(norms)
        assert_same(title, stabilizers[0].beta * wrong, self._value(event["value"]))
        right = sum(np.square(a - b).mean() for a, b in itertools.pairwise(norms))
        assert_same(title, stabilizers[0].loss(), stabilizers[0].beta * right)

    def on_update_grad_parameters(self, title: str, part: str, event: Event) -> None:
        nr.optim.update_grad_parameters(self._models[part], **_options(event))

    def on_weight_decay(self, title: str, part: str, event: Event) -> None:
        nr.optim.weight_decay(self._models[part], **_options(event))

    def on_max_param_norm(self, title: str, part: str, event: Event) -> None:
        nr.optim.max_param_norm(self._models[part], **_options(event))

    def on_training(self, title: str, part: str, event: Event) -> None:
        self._models[part].training()

    def on_evaluate(self, title: str, part: str, event: Event) -> None:
        self._models[part].evaluate()

    def on_set_noise(self, title: str, part: str, event: Event) -> None:
        self._models[part].draw_noise = lambda shape: self._value(event["value"]).reshape(shape)

    def on_check_normalized(self, title: str, part: str, event: Event) -> None:
        model = self._models[part]
        model.normalized, model.log_softmax = True, event["log"]
        assert_same(title, model.forward(self._value(event["input"])), self._value(event["output"]))

    def on_forget(self, title: str, part: str, event: Event) -> None:
        self._models[part].forget()

    def on_remember(self, title: str, part: str, event: Event) -> None:
        """A container hands the mode on to all Sequencers inside."""
        for module in self._models[part].modules():
            if isinstance(module, nr.AbstractSequencer):
                module.remember(event["mode"])

    # A state is recorded as a table of its arrays, even of one.

    def _recurrent(self, part: str) -> nr.AbstractRecurrent:
        model = self._models[part]
        return model if hasattr(model, "set_hidden_state") else model.module

    def on_set_initial_state(self, title: str, part: str, event: Event) -> None:
        self._recurrent(part).set_hidden_state(0, self._value(event["value"]))

    def on_set_last_state_gradient(self, title: str, part: str, event: Event) -> None:
        self._recurrent(part).set_grad_hidden_state(None, self._value(event["value"]))

    def on_check_initial_state_gradient(self, title: str, part: str, event: Event) -> None:
        gradient = self._recurrent(part).get_grad_hidden_state(0)
        assert_same(title, gradient if isinstance(gradient, list) else [gradient], self._value(event["value"]))


def _options(event: Event) -> Event:
    """Return the arguments that a call was given by name."""
    return {name: value for name, value in event.items() if name not in ("call", "model")}
