"""Every cell a second time, in plain NumPy and as its paper writes it: what the library's kernels are compared with.

Nothing here comes from the library. A step takes the parameters as a dictionary by the library's names, the input
`(batch, D)` and the old states `(batch, H)`, and returns the new states, the output first. Arrays may be complex: that
is how `derivative` differentiates, without the rounding that differences suffer from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
Step = Callable[..., tuple[np.ndarray, ...]]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def relu(a: np.ndarray) -> np.ndarray:
    return np.where(a.real > 0, a, 0 * a)


def affine(p: Arrays, name: str, **arguments: np.ndarray) -> np.ndarray:
    result = p.get(f"{name}_bias", 0.0)
    for symbol, value in arguments.items():
        result = result + value @ p[f"{name}_weight_{symbol}"].T
    return result


def mapped(weight: np.ndarray, a: np.ndarray, parts: int) -> np.ndarray:
    """Return the map of an argument; a weight of several heads is (heads, parts * size / heads, width / heads)."""
    if weight.ndim == 2:
        return a @ weight.T
    groups = np.split(a, len(weight), axis=-1)
    heads = [np.split(group @ w.T, parts, axis=-1) for group, w in zip(groups, weight, strict=True)]
    return np.concatenate([head[part] for part in range(parts) for head in heads], axis=-1)


def spread(a: np.ndarray, channels: int, groups: int) -> np.ndarray:
    """Return the channels of some groups of channels, each group as often as it takes."""
    times = channels // a.shape[-1]
    return np.repeat(a.reshape(*a.shape[:-1], groups, 1, -1), times, -2).reshape(*a.shape[:-1], channels)


def total(a: np.ndarray, channels: int, groups: int) -> np.ndarray:
    """Return the sums of the parts of each of some groups."""
    return a.reshape(*a.shape[:-1], groups, -1, channels // groups).sum(-2).reshape(*a.shape[:-1], channels)


def rnn_tanh(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (np.tanh(affine(p, "hidden", x=x, h=h)),)


def rnn_relu(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (relu(affine(p, "hidden", x=x, h=h)),)


def lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    forget = sigmoid(affine(p, "forget", x=x, h=h) + p["forget_peephole"] * c)
    input_ = sigmoid(affine(p, "input", x=x, h=h) + p["input_peephole"] * c)
    candidate = np.tanh(affine(p, "candidate", x=x, h=h))
    c = forget * c + input_ * candidate
    output = sigmoid(affine(p, "output", x=x, h=h) + p["output_peephole"] * c)
    return output * np.tanh(c), c


def lstm_without_peepholes(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    forget, input_, output = (sigmoid(affine(p, gate, x=x, h=h)) for gate in ("forget", "input", "output"))
    c = forget * c + input_ * np.tanh(affine(p, "candidate", x=x, h=h))
    return output * np.tanh(c), c


def fast_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    input_, candidate, forget, output = np.split(affine(p, "gates", x=x, h=h), 4, axis=-1)
    c = sigmoid(forget) * c + sigmoid(input_) * np.tanh(candidate)
    return sigmoid(output) * np.tanh(c), c


def gru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    reset, update = np.split(sigmoid(affine(p, "gates", x=x, h=h)), 2, axis=-1)
    candidate = np.tanh(affine(p, "candidate", x=x, h=reset * h))
    return ((1 - update) * candidate + update * h,)


def slstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray, n: np.ndarray, m: np.ndarray) -> tuple:
    gates = affine(p, "gates", x=x) + mapped(p["gates_weight_h"], h, 4)
    candidate, input_, forget, output = np.split(gates, 4, axis=-1)
    carried = np.where(n.real > 0, m - np.log(1 + np.exp(-forget)), -1e30)
    m = np.where(carried.real >= input_.real, carried, input_)
    input_, forget = np.exp(input_ - m), np.exp(carried - m)
    c, n = forget * c + input_ * np.tanh(candidate), forget * n + input_
    return sigmoid(output) * c / n, c, n, m


def mlstm_maps(p: Arrays, x: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return queries, keys, values and outputs `(..., heads, channels)`, and gates `(..., heads)`, of an mLSTM."""
    heads = len(p["gates_bias"]) // 2
    q, k = np.split(affine(p, "keys", x=x), 2, axis=-1)
    v, o = np.split(affine(p, "values", x=x), 2, axis=-1)
    i, f = np.split(affine(p, "gates", x=x), 2, axis=-1)
    q, k, v, o = (a.reshape(*x.shape[:-1], heads, -1) for a in (q, k, v, o))
    return q, k / np.sqrt(k.shape[-1]), v, o, i, f


def larger(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.where(a.real >= b.real, a, b)


def mlstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray, n: np.ndarray, m: np.ndarray) -> tuple:
    q, k, v, o, i, f = mlstm_maps(p, x)
    n, old_shapes = n.reshape(k.shape), (h.shape, c.shape, n.shape)
    c = c.reshape(*k.shape, v.shape[-1])
    carried = np.log(sigmoid(f)) + m
    m = larger(carried, i)
    i, f = np.exp(i - m)[..., np.newaxis], np.exp(carried - m)[..., np.newaxis]
    c = f[..., np.newaxis] * c + i[..., np.newaxis] * np.einsum("...k,...v->...kv", k, v)
    n = f * n + i * k
    size = np.einsum("...k,...k->...", n, q)
    size = larger(larger(size, -size), np.exp(-m))
    h = sigmoid(o) * np.einsum("...kv,...k->...v", c, q) / size[..., np.newaxis]
    return (*(a.reshape(shape) for a, shape in zip((h, c, n), old_shapes, strict=True)), m)


def normalized(a: np.ndarray, eps: float = 0.1) -> np.ndarray:
    centred = a - a.mean(-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + eps)


def layer_norm_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    gates = p["h_gain"] * normalized(h @ p["h_weight_h"].T) + p["x_gain"] * normalized(x @ p["x_weight_x"].T)
    f, i, o, z = np.split(gates + p["bias"], 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
    return sigmoid(o) * np.tanh(p["cell_gain"] * normalized(c) + p["cell_bias"]), c


def layer_norm_gru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    gates = p["h_gain"] * normalized(h @ p["h_weight_h"].T) + p["x_gain"] * normalized(x @ p["x_weight_x"].T)
    z, r = np.split(sigmoid(gates + p["bias"]), 2, axis=-1)
    mapped = p["candidate_x_gain"] * normalized(x @ p["candidate_x_weight_x"].T) + p["candidate_x_bias"]
    fed = p["candidate_h_gain"] * normalized(h @ p["candidate_h_weight_h"].T) + p["candidate_h_bias"]
    return ((1 - z) * h + z * np.tanh(mapped + r * fed),)


def lru(p: Arrays, x: np.ndarray, h: np.ndarray, re: np.ndarray, im: np.ndarray) -> tuple[np.ndarray, ...]:
    size, angle = np.exp(-np.exp(p["nu"])), np.exp(p["theta"])
    u, v = np.split(x @ p["input_weight_x"].T, 2, axis=-1)
    # real and imaginary parts stay apart: here an imaginary part is a derivative
    a, b, scale = size * np.cos(angle), size * np.sin(angle), np.exp(p["gamma"])
    re, im = a * re - b * im + scale * u, a * im + b * re + scale * v
    skipped = p["skip_peephole"] * x if "skip_peephole" in p else x @ p["skip_weight_x"].T
    return re @ p["output_weight_re"].T + im @ p["output_weight_im"].T + skipped, re, im


def zoneout_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what is expected: the rates are 0.5 for c and 0.05 for h."""
    new_h, new_c = fast_lstm(p, x, h, c)
    return 0.05 * h + 0.95 * new_h, 0.5 * c + 0.5 * new_c


def zoneout_gru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (0.1 * h + 0.9 * gru(p, x, h)[0],)


def rec_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    i, f, o, z = np.split(np.concatenate([x, h], axis=-1) @ p["weight"] + p["bias"], 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
    h = sigmoid(o) * np.tanh(c)
    return (h @ p["weight_o"] if "weight_o" in p else h), c


def rec_gru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    width = 2 * h.shape[-1]
    gates = np.concatenate([x, h], axis=-1) @ p["weight"][:, :width] + p["bias"][:width]
    reset, update = np.split(sigmoid(gates), 2, axis=-1)
    candidate = np.concatenate([x, reset * h], axis=-1) @ p["weight"][:, width:] + p["bias"][width:]
    return ((1 - update) * np.tanh(candidate) + update * h,)


def linear_rnn(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (sigmoid(np.concatenate([x, h], axis=-1) @ p["weight"].T + p["bias"]),)


def mufuru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    reset = sigmoid(affine(p, "reset_x", x=x) + affine(p, "reset_h", h=h))
    v = sigmoid(np.concatenate([x, reset * h], axis=-1) @ p["feature_weight"].T + p["feature_bias"])
    scores = np.concatenate([x, h], axis=-1) @ p["operations_weight"].T + p["operations_bias"]
    scores = np.exp(np.stack(np.split(scores, 6, axis=-1)))
    larger = h.real >= v.real
    values = [h, v, h * v, 0 * h, np.where(larger, h, v), np.where(larger, v, h)]
    return ((scores * np.stack(values)).sum(0) / scores.sum(0),)


def mgu(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    f = sigmoid(affine(p, "forget", x=x, h=h))
    return ((1 - f) * h + f * np.tanh(affine(p, "candidate", x=x, h=f * h)),)


def sru(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    forget, reset = np.split(affine(p, "gates", x=x), 2, axis=-1)
    f, r = sigmoid(forget + p["forget_peephole"] * c), sigmoid(reset + p["reset_peephole"] * c)
    c = f * c + (1 - f) * (x @ p["candidate_weight_x"].T)
    return r * c + (1 - r) * (x @ p["skip_weight_x"].T if "skip_weight_x" in p else x), c


def indrnn(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    return (relu(affine(p, "hidden", x=x) + p["hidden_peephole"] * h),)


def qrnn(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    z, f, o = np.split(affine(p, "gates", x=x), 3, axis=-1)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(z)
    return sigmoid(o) * c, c


def min_gru(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    z, n = np.split(affine(p, "gates", x=x), 2, axis=-1)
    return ((1 - sigmoid(z)) * h + sigmoid(z) * n,)


def min_lstm(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    f, i, n = np.split(affine(p, "gates", x=x), 3, axis=-1)
    f, i = sigmoid(f), sigmoid(i)
    return (f / (f + i) * h + i / (f + i) * n,)


def ctrnn(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    slope = (-h + np.tanh(affine(p, "hidden", x=x, h=h))) / np.exp(p["log_tau"])
    return (h + 0.1 * slope,)


def ltc(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    f = sigmoid(affine(p, "hidden", x=x, h=h))
    return ((h + 0.1 * f * p["level"]) / (1 + 0.1 * (1 / np.exp(p["log_tau"]) + f)),)


def coupled_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    i, z, o = np.split(affine(p, "gates", x=x, h=h), 3, axis=-1)
    c = (1 - sigmoid(i)) * c + sigmoid(i) * np.tanh(z)
    return sigmoid(o) * np.tanh(c), c


def gru_reset_after(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    r, z = np.split(sigmoid(affine(p, "gates", x=x, h=h)), 2, axis=-1)
    n = np.tanh(affine(p, "candidate_x", x=x) + r * affine(p, "candidate_h", h=h))
    return ((1 - z) * n + z * h,)


def plain_lstm(p: Arrays, x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, ...]:
    i, f, z, o = np.split(affine(p, "gates", x=x, h=h), 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
    h = sigmoid(o) * np.tanh(c)
    return (h @ p["projection_weight"].T if "projection_weight" in p else h), c


def antisymmetric_rnn(p: Arrays, x: np.ndarray, h: np.ndarray) -> tuple[np.ndarray, ...]:
    w = p["recurrent_weight"]
    a = h @ (w - w.T - 0.01 * np.eye(len(w))).T
    change = np.tanh(a + affine(p, "candidate", x=x))
    if "gate_bias" in p:
        change = sigmoid(a + affine(p, "gate", x=x)) * change
    return (h + 0.1 * change,)


def run(step: Step, parameters: Arrays, x: np.ndarray, *states: np.ndarray) -> tuple[list[np.ndarray], ...]:
    """Return the states after every step of `x`, `(time, batch, D)`: for each state a list of `(batch, H)`."""
    after: tuple[list[np.ndarray], ...] = tuple([] for _ in states)
    for x_t in x:
        states = step(parameters, x_t, *states)
        for kept, state in zip(after, states, strict=True):
            kept.append(state)
    return after


def derivative(loss: Callable[[Arrays], complex], arrays: Arrays, name: str, direction: np.ndarray) -> float:
    """Return the derivative of `loss(arrays)` as `arrays[name]` moves along `direction`, exact but for rounding."""
    step = 1e-30
    moved = {**arrays, name: arrays[name] + 1j * step * direction}
    return float(np.imag(loss(moved)) / step)
