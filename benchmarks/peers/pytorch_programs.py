"""The tutorial's programs in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import cross_entropy, embedding, linear

from benchmarks import data
from benchmarks.peers import pytorch_loops
from benchmarks.timing import Contestant, Numbers
from benchmarks.works import Program

Tensors = dict[str, torch.Tensor]
GATES = {"RNN": ("hidden",), "LSTM without peepholes": ("input", "forget", "candidate", "output")}
"""Of the programs whose layer PyTorch has: what its parts are called in numrnn, in PyTorch's order."""


class BuiltIn:
    """nn.RNN or nn.LSTM, whose gradients have the names that they have in numrnn."""

    def __init__(self, recurrent: str, weights: Tensors) -> None:
        self.gates = GATES[recurrent]
        hidden = weights[f"{self.gates[0]}_weight_h"].shape[1]
        self.layer = (torch.nn.RNN if recurrent == "RNN" else torch.nn.LSTM)(hidden, hidden)
        layer = self.layer
        self.kinds = {"weight_x": layer.weight_ih_l0, "weight_h": layer.weight_hh_l0, "bias": layer.bias_ih_l0}
        with torch.no_grad():
            layer.bias_hh_l0.zero_()
            for kind, own in self.kinds.items():
                own.copy_(torch.cat([weights[f"{gate}_{kind}"] for gate in self.gates]))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]

    def parameters(self) -> list[torch.Tensor]:
        return list(self.layer.parameters())

    def gradients(self) -> Tensors:
        return {
            f"{gate}_{kind}": block
            for kind, own in self.kinds.items()
            for gate, block in zip(self.gates, own.grad.chunk(len(self.gates)), strict=True)
        }


class Loop:
    """A loop over the steps."""

    def __init__(self, recurrent: str, weights: Tensors) -> None:
        self.weights, self.run = weights, getattr(pytorch_loops, recurrent)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.run(self.weights, x)

    def parameters(self) -> list[torch.Tensor]:
        return list(self.weights.values())

    def gradients(self) -> Tensors:
        return {name: value.grad for name, value in self.weights.items()}


def prepare(work: Program, state: dict[str, np.ndarray]) -> Contestant:
    """Return the program; `state` are the parameters of numrnn's."""
    inputs, targets = (torch.from_numpy(np.stack(table)) for table in data.words(work))
    weights = {name: torch.from_numpy(array).requires_grad_() for name, array in state.items()}
    outside = {name: weights.pop(name) for name in ("table", "last_weight", "last_bias")}
    table, last_weight, last_bias = outside.values()
    recurrent = (BuiltIn if work.recurrent in GATES else Loop)(work.recurrent, weights)
    trained = [*outside.values(), *recurrent.parameters()]
    start = [parameter.detach().clone() for parameter in trained]
    optimizer = torch.optim.SGD(trained, 0.1)

    def run() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        outputs = linear(recurrent(embedding(inputs, table)), last_weight, last_bias)
        loss = cross_entropy(outputs.flatten(0, 1), targets.flatten()) * work.steps  # numrnn adds the steps up
        loss.backward()
        optimizer.step()
        return loss

    def numbers() -> Numbers:
        with torch.no_grad():
            for parameter, value in zip(trained, start, strict=True):
                parameter.copy_(value)
        loss = run().detach()
        gradients = {name: value.grad for name, value in outside.items()} | recurrent.gradients()
        return {"loss": loss.numpy(), **{f"gradient of {name}": value.numpy() for name, value in gradients.items()}}

    return Contestant(run, numbers)
