"""PyTorch: its own layers, and loops over the steps for cells that it does not have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, singledispatch

import torch

from benchmarks import cells, data, first_use
from benchmarks.peers import ours, pytorch_loops, pytorch_programs
from benchmarks.timing import Contestant, Numbers
from benchmarks.works import Import, Memory, OwnCell, Program, RecentCell, Sequence, Step, Work

PARALLEL = "parallel form"


def use_threads(count: int) -> None:
    torch.set_num_threads(count)


@singledispatch
def prepare(work: Work, name: str) -> Contestant:
    raise NotImplementedError(f"{type(work).__name__} is not written for {name}")


def layer_of(work: Sequence) -> torch.nn.Module:
    """Return nn.LSTM, nn.GRU or nn.RNN with the weights of the work."""
    kind = getattr(torch.nn, work.cell)
    model = kind(work.hidden, work.hidden, work.layers, bidirectional=work.directions == 2)
    for k, directions in enumerate(data.layers_of(work)):
        for suffix, weights in zip(("", "_reverse"), directions, strict=False):
            load_layer(model, weights, f"_l{k}{suffix}")
    return model


def load_layer(model: torch.nn.Module, weights: data.Layer, suffix: str = "") -> None:
    arrays = weights.weight_x, weights.weight_h, weights.bias_x, weights.bias_h
    with torch.no_grad():
        for name, array in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), arrays, strict=True):
            getattr(model, name + suffix).copy_(torch.from_numpy(array))


def trainer(model: Callable, parameters: list[torch.Tensor], x: torch.Tensor, grad_output: torch.Tensor) -> Callable:
    """Return a function that goes forward and backward and returns the output."""

    def run() -> torch.Tensor:
        x.grad = None
        for parameter in parameters:
            parameter.grad = None
        output = model(x)
        output.backward(grad_output)
        return output

    return run


def compiled(function: Callable) -> Callable:
    """Compile without regard to what was compiled before: PyTorch gives up on a function after some shapes."""
    torch.compiler.reset()
    return torch.compile(function)


@prepare.register
def _(work: Sequence, name: str) -> Contestant:
    x, grad_output = map(torch.from_numpy, data.sequences(work.steps, work.batch, work.hidden))
    model = layer_of(work)
    if work.mode == "inference":
        model.eval()
        run = torch.no_grad()(lambda: model(x)[0])
        return Contestant(run, lambda: {"output": run().numpy()})
    parameters = list(model.parameters())
    run = trainer(lambda x: model(x)[0], parameters, x.requires_grad_(), grad_output)

    def numbers() -> Numbers:
        output = run().detach().numpy()
        named = {f"gradient {k % 4} of layer {k // 4}": p.grad.numpy() for k, p in enumerate(parameters)}
        return {"output": output, "gradient of x": x.grad.numpy(), **named}

    return Contestant(run, numbers)


@prepare.register
def _(work: Step, name: str) -> Contestant:
    x = torch.from_numpy(data.sequences(20, 1, work.hidden)[0])
    cell = torch.nn.LSTMCell(work.hidden, work.hidden)
    load_layer(cell, data.layer("LSTM", work.hidden))
    if name == "torch.compile":
        cell = compiled(cell)
    zeros = torch.zeros(1, work.hidden)
    first, state = x[0], (zeros, zeros)

    @torch.no_grad()
    def run() -> None:
        nonlocal state
        state = cell(first, state)

    @torch.no_grad()
    def numbers() -> Numbers:
        state = zeros, zeros
        for step in x:
            state = cell(step, state)
        return {"last output": state[0].numpy()}

    return Contestant(run, numbers)


@prepare.register
def _(work: OwnCell, name: str) -> Contestant:
    x, grad_output = map(torch.from_numpy, data.sequences(work.steps, work.batch, work.hidden))
    state = getattr(cells, work.cell)(work.hidden, rng=0).state_dict()
    parameters = {key: torch.from_numpy(array).requires_grad_() for key, array in state.items()}
    loop = partial(getattr(pytorch_loops, work.cell), parameters)
    return training(compiled(loop) if name == "torch.compile" else loop, parameters, x, grad_output)


def training(loop: Callable, parameters: pytorch_loops.Parameters, x: torch.Tensor, grad: torch.Tensor) -> Contestant:
    """Return the training of a loop that has these parameters."""
    run = trainer(loop, list(parameters.values()), x.requires_grad_(), grad)

    def numbers() -> Numbers:
        output = run().detach().numpy()
        named = {f"gradient of {key}": value.grad.numpy() for key, value in parameters.items()}
        return {"output": output, "gradient of x": x.grad.numpy(), **named}

    return Contestant(run, numbers)


@prepare.register
def _(work: RecentCell, name: str) -> Contestant:
    x, grad_output = map(torch.from_numpy, data.sequences(work.steps, work.batch, work.hidden))
    state = ours.cell_of(work).state_dict()
    parameters = {key: torch.from_numpy(array).requires_grad_() for key, array in state.items()}
    if name == PARALLEL:
        loop = partial(getattr(pytorch_loops, f"parallel_{work.cell}"), parameters)
    else:
        loop, step = getattr(pytorch_loops, work.cell), getattr(pytorch_loops, f"step_of_{work.cell}")
        loop = partial(loop, parameters, step=compiled(step) if name == "torch.compile" else step)
    if work.mode == "train":
        return training(loop, parameters, x, grad_output)
    run = torch.no_grad()(lambda: loop(x))
    return Contestant(run, lambda: {"output": run().numpy()})


@prepare.register
def _(work: Program, name: str) -> Contestant:
    return pytorch_programs.prepare(work, ours.parameters_of(ours.program_of(work)))


@prepare.register
def _(work: Memory, name: str) -> Contestant:
    x = torch.from_numpy(data.sequences(work.steps, work.batch, work.hidden)[0]).requires_grad_()
    model = layer_of(Sequence(work.cell, "train", work.steps, work.batch, work.hidden))
    own = {id(x), *map(id, model.parameters())}

    def sample() -> float:
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            if id(tensor) not in own:
                storage = tensor.untyped_storage()
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(x)
        return sum(kept.values()) / (work.steps * work.batch)

    return Contestant(sample=sample)


@prepare.register
def _(work: Import, name: str) -> Contestant:
    return Contestant(sample=lambda: first_use.time_of_import("torch"))
