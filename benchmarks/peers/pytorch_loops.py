"""Recurrent networks as loops over the steps, in PyTorch, for the cells that it does not have.

Each function takes the parameters by the names that they have in numrnn, and an input (T, N, D); it returns the outputs
(T, N, H). The maps of the input are made for all steps at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear, logsigmoid

Parameters = dict[str, Tensor]


def over_time(step: Callable[..., tuple[Tensor, ...]], maps: list[Tensor], hidden: int, states: int) -> Tensor:
    """Run `step(*maps at t, *states)`, which returns the new states, from states of zero; the first is the output."""
    return over_time_from(step, maps, (maps[0].new_zeros(maps[0].shape[1], hidden),) * states)


def over_time_from(step: Callable[..., tuple[Tensor, ...]], maps: list[Tensor], state: tuple[Tensor, ...]) -> Tensor:
    """Run steps like those of `over_time` from a state."""
    outputs = []
    for at_this_step in zip(*maps, strict=True):
        state = step(*at_this_step, *state)
        outputs.append(state[0])
    return torch.stack(outputs)


def OnePhase(p: Parameters, x: Tensor) -> Tensor:
    weight = p["gates_weight_h"].T

    def step(a: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, z, f, o = torch.addmm(a, h, weight).chunk(4, 1)
        f = f.sigmoid()
        c = f * c + (1 - f) * i.sigmoid() * z.tanh()
        return o.sigmoid() * c / (1 + c.abs()), c

    return over_time(step, [linear(x, p["gates_weight_x"], p["gates_bias"])], len(weight), 2)


def TwoPhases(p: Parameters, x: Tensor) -> Tensor:
    weight, candidate_weight = p["gates_weight_h"].T, p["candidate_weight_h"].T

    def step(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor]:
        r, z = torch.addmm(a, h, weight).chunk(2, 1)
        n = torch.addmm(b, r.tanh() * h, candidate_weight).tanh()
        z = z.sigmoid()
        return (h + z * z * (n - h),)

    maps = [linear(x, p[f"{name}_weight_x"], p[f"{name}_bias"]) for name in ("gates", "candidate")]
    return over_time(step, maps, len(weight), 1)


def Peepholes(p: Parameters, x: Tensor) -> Tensor:
    weight = p["gates_weight_h"].T

    def step(a: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, z, f, o = torch.addmm(a, h, weight).chunk(4, 1)
        i, f = (i + p["input_peephole"] * c).sigmoid(), (f + p["forget_peephole"] * c).sigmoid()
        c = f * c + i * z.tanh()
        o = (o + p["output_peephole"] * c).sigmoid()
        return o * c / (1 + c * c).sqrt(), c

    return over_time(step, [linear(x, p["gates_weight_x"], p["gates_bias"])], len(weight), 2)


def LSTMOfModules(p: Parameters, x: Tensor) -> Tensor:
    weight_x, bias, weight_h = p.values()

    def step(a: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, z, f, o = torch.addmm(a, h, weight_h.T).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * z.tanh()
        return o.sigmoid() * c.tanh(), c

    return over_time(step, [linear(x, weight_x, bias)], weight_h.shape[1], 2)


def LSTM(p: Parameters, x: Tensor) -> Tensor:
    gates = ("forget", "input", "candidate", "output")
    weight_x, weight_h, bias = (
        torch.cat([p[f"{gate}_{kind}"] for gate in gates]) for kind in ("weight_x", "weight_h", "bias")
    )

    def step(a: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        f, i, z, o = torch.addmm(a, h, weight_h.T).chunk(4, 1)
        i, f = (i + p["input_peephole"] * c).sigmoid(), (f + p["forget_peephole"] * c).sigmoid()
        c = f * c + i * z.tanh()
        return (o + p["output_peephole"] * c).sigmoid() * c.tanh(), c

    return over_time(step, [linear(x, weight_x, bias)], weight_h.shape[1], 2)


def step_of_SLSTM(weight: Tensor, a: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor) -> tuple[Tensor, ...]:
    heads, _, width = weight.shape
    fed = torch.bmm(h.view(-1, heads, width).transpose(0, 1), weight.transpose(1, 2))  # heads, N, 4 * width
    fed = fed.view(heads, -1, 4, width).permute(1, 2, 0, 3).reshape(len(h), -1)
    z, i, f, o = (a + fed).chunk(4, 1)
    carried = logsigmoid(f) + m
    m = torch.maximum(carried, i)
    i, f = (i - m).exp(), (carried - m).exp()
    c, n = f * c + i * z.tanh(), f * n + i
    return o.sigmoid() * c / n, c, n, m


def SLSTM(p: Parameters, x: Tensor, step: Callable[..., tuple[Tensor, ...]]) -> Tensor:
    a = linear(x, p["gates_weight_x"], p["gates_bias"])
    return over_time(partial(step, p["gates_weight_h"]), [a], a.shape[2] // 4, 4)


def maps_of_MLSTM(p: Parameters, x: Tensor) -> list[Tensor]:
    """Return queries, keys, values and outputs (T, N, heads, channels), and gates (T, N, heads)."""
    heads = len(p["gates_bias"]) // 2
    maps = (linear(x, p[f"{name}_weight_x"], p[f"{name}_bias"]) for name in ("keys", "values", "gates"))
    q, k, v, o, i, f = (part for both in maps for part in both.chunk(2, 2))
    q, k, v, o = (a.unflatten(2, (heads, -1)) for a in (q, k, v, o))
    return [q, k * k.shape[3] ** -0.5, v, o, i, f]


def step_of_MLSTM(
    q: Tensor, k: Tensor, v: Tensor, o: Tensor, i: Tensor, f: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor
) -> tuple[Tensor, ...]:
    carried = logsigmoid(f) + m
    m = torch.maximum(carried, i)
    i, f = (i - m).exp().unsqueeze(2), (carried - m).exp().unsqueeze(2)
    k = i * k
    c, n = f.unsqueeze(3) * c + k.unsqueeze(3) * v.unsqueeze(2), f * n + k
    size = torch.maximum((n * q).sum(2).abs(), (-m).exp()).unsqueeze(2)
    read = (q.unsqueeze(2) @ c).squeeze(2)
    return (o.sigmoid() * read / size).flatten(1), c, n, m


def MLSTM(p: Parameters, x: Tensor, step: Callable[..., tuple[Tensor, ...]]) -> Tensor:
    maps = maps_of_MLSTM(p, x)
    (_, batch, heads, keys), values = maps[1].shape, maps[2].shape[3]
    shapes = (batch, heads * values), (batch, heads, keys, values), (batch, heads, keys), (batch, heads)
    return over_time_from(step, maps, tuple(x.new_zeros(shape) for shape in shapes))


def parallel_MLSTM(p: Parameters, x: Tensor) -> Tensor:
    """Return what MLSTM does, as products of all steps with all: its work grows with the square of T."""
    q, k, v, o, i, f = (a.movedim(0, 2) for a in maps_of_MLSTM(p, x))
    kept = logsigmoid(f).cumsum(2)
    later = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    logarithms = (kept.unsqueeze(3) - kept.unsqueeze(2) + i.unsqueeze(2)).masked_fill(later, -torch.inf)
    largest = logarithms.amax(3, keepdim=True)
    scores = (q @ k.transpose(2, 3)) * (logarithms - largest).exp()
    size = torch.maximum(scores.sum(3, keepdim=True).abs(), (-largest).exp())
    return (o.sigmoid() * (scores @ v) / size).movedim(2, 0).flatten(2)


def step_of_MinGRU(z: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor]:
    return ((1 - z) * h + b,)


def MinGRU(p: Parameters, x: Tensor, step: Callable[..., tuple[Tensor, ...]]) -> Tensor:
    z, n = linear(x, p["gates_weight_x"], p["gates_bias"]).chunk(2, 2)
    z = z.sigmoid()
    return over_time(step, [z, z * n], z.shape[2], 1)


def Recurrent(p: Parameters, x: Tensor) -> Tensor:
    h = (x[0] + p["start.bias"]).sigmoid()  # the first step has a bias in the place of what is fed back
    outputs = [h]
    for step in x[1:]:
        h = (step + linear(h, p["feedback.weight"], p["feedback.bias"])).sigmoid()
        outputs.append(h)
    return torch.stack(outputs)
