"""`check_module` sees what is wrong: each of these modules breaks one promise."""

import copy

import numpy as np
import pytest

import numrnn as nr

X = np.random.default_rng(0).normal(size=(3, 4))


class WrongGradInput(nr.Linear):
    def update_grad_input(self, input, grad_output):
        return 1.001 * super().update_grad_input(input, grad_output)


class WrongBias(nr.Linear):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, scale)
        self.grad_bias *= 1.001


class WrongStartState(nr.RNN):
    def get_grad_hidden_state(self, step=None):
        return 1.001 * super().get_grad_hidden_state(step)


class OtherOverTime(nr.Linear):
    def forward_sequence(self, input):
        return self.forward(input[::-1])[::-1] + 1e-6


class LastBitOverTime(nr.RNN):
    def forward_sequence(self, input):
        return np.nextafter(super().forward_sequence(input), 2)


class KeepsOutput(nr.Tanh):
    memory = ("kept",)

    def update_output(self, input):
        self.kept = super().update_output(input)
        return self.kept

    def update_grad_input(self, input, grad_output):
        return grad_output * (1 - self.kept**2)


class OverwritesInput(nr.Tanh):
    def update_output(self, input):
        output = super().update_output(input)
        input[...] = 0
        return output


class HandsOnGradient(nr.Identity):
    def update_grad_input(self, input, grad_output):
        return grad_output


class MixesRows(nr.Tanh):
    row_wise = False

    def update_output(self, input):
        return input - input.mean(0)

    def update_grad_input(self, input, grad_output):
        return grad_output - grad_output.mean(0)


class CountsBeforeItLooks(nr.Linear):
    calls = 0

    def forward(self, input):
        self.calls += 1
        return super().forward(input)

    forward_sequence = forward

    def update_output(self, input):
        calls, self.calls = self.calls, 0
        return super().update_output(input) * calls


class TakesNone(nr.RNN):
    def forward(self, input):
        return np.zeros(3) if input is None else super().forward(input)


class RaisesAnything(nr.Tanh):
    def check_input(self, input):
        input.shape  # noqa: B018


class GoesBackForever(nr.Recursor):
    def check_backward(self, steps=1):
        self._gone_back = min(self._gone_back, len(self._records) - 1)


class SharesParameters(nr.Linear):
    def __deepcopy__(self, memo):
        other = type(self)(4, 2)
        shared = {name: copy.copy(self.__dict__[name]) for name in ("_parameters", "_gradients")}
        other.__dict__ |= self.__dict__ | shared
        return other


class LoadsNothing(nr.Linear):
    def load_state_dict(self, state):
        pass


class RoughInSinglePrecision(nr.Tanh):
    def update_output(self, input):
        return super().update_output(input) + (0.01 if input.dtype == "float32" else 0)


class ForgetsBetweenCalls(nr.RNN):
    def forward_sequence(self, input):
        self.forget()
        return super().forward_sequence(input)


class OtherInEvaluateMode(nr.Linear):
    def forward_sequence(self, input):
        output = super().forward_sequence(input)
        return output if self.is_training else 1.001 * output


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (WrongGradInput(4, 2), "gradient of the input of step . "),
        (WrongBias(4, 2), "gradient of the parameter bias"),
        (WrongStartState(4, 2), "gradient of the start state of the module"),
        (OtherOverTime(4, 2), "by a Sequencer and step by step: the output of step 0"),
        (LastBitOverTime(4, 2), "by a Sequencer and step by step: the output of step 0"),
        (KeepsOutput(), "returned arrays overwritten: the gradient of the input"),
        (OverwritesInput(), "an input or a grad_output was changed by the module"),
        (HandsOnGradient(), "an input or a grad_output was changed .* where an array that it returned"),
        (MixesRows(), "row 0 alone and in its batch"),
        (CountsBeforeItLooks(4, 2), "misfits refused"),
        (TakesNone(4, 2), "forward of None is not refused"),
        (RaisesAnything(), "raised AttributeError"),
        (GoesBackForever(nr.Linear(4, 2)), "backward .* raised IndexError"),
        (SharesParameters(4, 2), "clone used|parameters loaded"),
        (LoadsNothing(4, 2), "parameters loaded"),
        (RoughInSinglePrecision(), "float32 and float64"),
        (ForgetsBetweenCalls(4, 2), "a sequence cut in two"),
        (OtherInEvaluateMode(4, 2), "in evaluate mode, by a Sequencer and step by step"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nr.Module) else "",
)
def test_a_broken_promise_is_seen(module, message):
    with pytest.raises(AssertionError, match=message):
        nr.testing.check_module(module, None if isinstance(module, nr.Cell) else X)


def test_the_module_is_not_changed():
    lstm, x = nr.LSTM(4, 6), np.zeros((3, 4), "float32")
    lstm.forward(x)
    before = lstm.state_dict()
    expected = lstm.clone().forward(x)
    nr.testing.check_module(lstm)
    np.testing.assert_equal(lstm.state_dict(), before)
    assert lstm.step == 2
    np.testing.assert_array_equal(lstm.forward(x), expected)


def test_only_for_a_cell_the_input_is_drawn():
    with pytest.raises(TypeError, match=r"Tanh\(\): got no input; expects one step"):
        nr.testing.check_module(nr.Tanh())
