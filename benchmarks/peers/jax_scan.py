"""JAX: cells written out, `lax.scan` over the steps, everything compiled."""

from __future__ import annotations

from functools import partial, singledispatch

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import data, first_use
from benchmarks.peers import ours
from benchmarks.timing import Contestant, Numbers
from benchmarks.works import Import, RecentCell, Sequence, Work


def use_threads(count: int) -> None:
    """Nothing to do: JAX takes the processors that the process may run on."""


@singledispatch
def prepare(work: Work, name: str) -> Contestant:
    raise NotImplementedError(f"{type(work).__name__} is not written for {name}")


def lstm(weight_h, bias_h, a, state):
    h, c = state
    i, f, g, o = jnp.split(a + h @ weight_h.T + bias_h, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru(weight_h, bias_h, a, state):
    (h,) = state
    (r, z, n), (rh, zh, nh) = jnp.split(a, 3, -1), jnp.split(h @ weight_h.T + bias_h, 3, -1)
    z = jax.nn.sigmoid(z + zh)
    return ((1 - z) * jnp.tanh(n + jax.nn.sigmoid(r + rh) * nh) + z * h,)


def rnn(weight_h, bias_h, a, state):
    return (jnp.tanh(a + state[0] @ weight_h.T + bias_h),)


STEPS = {"LSTM": lstm, "GRU": gru, "RNN": rnn}


def forward(cell: str, weights: list[tuple[jax.Array, ...]], x: jax.Array) -> jax.Array:
    for weight_x, weight_h, bias_x, bias_h in weights:
        zeros = jnp.zeros((x.shape[1], weight_h.shape[1]))

        def step(state, a, weight_h=weight_h, bias_h=bias_h):
            state = STEPS[cell](weight_h, bias_h, a, state)
            return state, state[0]

        _, x = jax.lax.scan(step, (zeros,) * (2 if cell == "LSTM" else 1), x @ weight_x.T + bias_x)
    return x


def train(cell: str, weights: list[tuple[jax.Array, ...]], x: jax.Array, grad_output: jax.Array) -> tuple:
    output, back = jax.vjp(partial(forward, cell), weights, x)
    return output, *back(grad_output)


@prepare.register
def _(work: Sequence, name: str) -> Contestant:
    x, grad_output = map(jnp.array, data.sequences(work.steps, work.batch, work.hidden))
    weights = [tuple(map(jnp.array, vars(layer).values())) for (layer,) in data.layers_of(work)]
    if work.mode == "inference":
        run = partial(jax.jit(partial(forward, work.cell)), weights, x)
        return Contestant(lambda: run().block_until_ready(), lambda: {"output": np.asarray(run())})
    run = partial(jax.jit(partial(train, work.cell)), weights, x, grad_output)

    def numbers() -> Numbers:
        output, grad_weights, grad_x = run()
        named = {f"gradient {k} of layer {n}": g for n, layer in enumerate(grad_weights) for k, g in enumerate(layer)}
        return {name: np.asarray(a) for name, a in ({"output": output, "gradient of x": grad_x} | named).items()}

    return Contestant(lambda: jax.block_until_ready(run()), numbers)


def min_gru(p: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """Scan the steps of h = (1 - z) h + z n in parallel, from a state of zero."""
    z, n = jnp.split(x @ p["gates_weight_x"].T + p["gates_bias"], 2, -1)
    z = jax.nn.sigmoid(z)

    def joined(first, second):
        (a, b), (later, more) = first, second
        return a * later, later * b + more

    return jax.lax.associative_scan(joined, (1 - z, z * n))[1]


@prepare.register
def _(work: RecentCell, name: str) -> Contestant:
    x, grad_output = map(jnp.array, data.sequences(work.steps, work.batch, work.hidden))
    parameters = {key: jnp.array(array) for key, array in ours.cell_of(work).state_dict().items()}
    scan = {"MinGRU": min_gru}[work.cell]
    if work.mode == "inference":
        run = partial(jax.jit(scan), parameters, x)
        return Contestant(lambda: run().block_until_ready(), lambda: {"output": np.asarray(run())})

    @jax.jit
    def train_scan(parameters, x, grad_output):
        output, back = jax.vjp(scan, parameters, x)
        return output, *back(grad_output)

    run = partial(train_scan, parameters, x, grad_output)

    def numbers() -> Numbers:
        output, grad_parameters, grad_x = run()
        named = {f"gradient of {key}": g for key, g in grad_parameters.items()}
        return {name: np.asarray(a) for name, a in ({"output": output, "gradient of x": grad_x} | named).items()}

    return Contestant(lambda: jax.block_until_ready(run()), numbers)


@prepare.register
def _(work: Import, name: str) -> Contestant:
    return Contestant(sample=lambda: first_use.time_of_import("jax"))
