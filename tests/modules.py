"""Every module and every criterion of the library once: how to make it, and how to draw what it takes.

The generic tests run over these tables, so a new module needs one line here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

import numrnn as nr
from numrnn.equations import dropout, linear, mean, peephole, sigmoid, tanh

LETTERS = 7  # of the lookup tables
Draw = Callable[["Sizes", np.random.Generator], Any]


@dataclass(frozen=True)
class Sizes:
    """Sizes of one example; `rows` is () for a lone sample."""

    rows: tuple[int, ...]
    features: int
    hidden: int
    time: int


@dataclass(frozen=True)
class Entry:
    """A line of the table."""

    build: Callable[[Sizes], nr.Module]
    draw: Draw
    """Draws one step of input; for a sequencer, and what is made of sequencers, a whole sequence."""
    is_exact: bool = True
    """Whether a Sequencer gives bit for bit what stepping gives."""
    is_row_wise: bool = True
    """Whether samples do not depend on each other."""
    needs_rows: bool = False
    has_true_gradient: bool = True
    """Whether its gradient is the slope of its output; some modules have another one by definition."""

    def make(self, sizes: Sizes, seed: int = 0) -> nr.Module:
        nr.seed(seed)
        return self.build(sizes).astype("float64")

    def sizes(self) -> st.SearchStrategy[Sizes]:
        """Return a strategy for sizes that this module takes."""
        widths = st.one_of(st.integers(1, 6), st.sampled_from([16, 17, 33]))
        batches = st.integers(1, 5).map(lambda batch: (batch,))
        rows = batches if self.needs_rows else st.one_of(batches, st.just(()))
        return st.builds(Sizes, rows=rows, features=widths, hidden=widths, time=st.integers(1, 6))


# ---- inputs ------------------------------------------------------------------------------------------------------


def features(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*s.rows, s.features))


def hidden(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*s.rows, s.hidden))


def positive(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.5, 2, (*s.rows, s.features))


def experts(s: Sizes, rng: np.random.Generator) -> Any:
    return [rng.normal(size=(*s.rows, 3)), [features(s, rng) for _ in range(3)]]


def experts_in_one(s: Sizes, rng: np.random.Generator) -> Any:
    weights, table = experts(s, rng)
    return [weights, np.stack(table, -1)]


def matrices(s: Sizes, rng: np.random.Generator) -> Any:
    return [rng.normal(size=(*s.rows, 2, s.features)), rng.normal(size=(*s.rows, 3, s.features))]


def images(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*s.rows, 2, 5, 4))


def places(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*s.rows, 2))


def words(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.integers(1, LETTERS, s.rows))


def letters(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.integers(0, LETTERS, s.rows))


def features_with_padding(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    """Draw rows of which some are zero."""
    return features(s, rng) * (rng.random((*s.rows, 1)) < 0.7)


def table(*draws: Any) -> Draw:
    """Return what draws a table of a structure."""
    return lambda s, rng: [(table(*draw) if isinstance(draw, list) else draw)(s, rng) for draw in draws]


def sequence(draw: Draw) -> Draw:
    """Return what draws a sequence of steps: an array, or a table of tables."""

    def draw_sequence(s: Sizes, rng: np.random.Generator) -> Any:
        steps = [draw(s, rng) for _ in range(s.time)]
        return steps if isinstance(steps[0], list) else np.stack(steps)

    return draw_sequence


def two_or_more(draw: Draw) -> Draw:
    """Return what draws at least two steps."""
    return lambda s, rng: draw(replace(s, time=max(2, s.time)), rng)


def ragged(s: Sizes, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw sequences of unequal lengths."""
    lengths = [*rng.integers(0, 5, 3), s.time]
    return [rng.normal(size=(length, s.features)) for length in lengths]


# ---- modules -----------------------------------------------------------------------------------------------------


def recurrent(s: Sizes, *rest: Any, start: Any = None, input: Any = None, feedback: Any = None, **more: Any) -> Any:
    """Return a Recurrent from `features` to `hidden`."""
    return nr.Recurrent(
        s.hidden if start is None else start,
        nr.Linear(s.features, s.hidden) if input is None else input,
        nr.Linear(s.hidden, s.hidden) if feedback is None else feedback,
        *rest,
        **more,
    )


def language_model(s: Sizes) -> nr.Module:
    return nr.Sequential(
        nr.LookupTable(LETTERS, s.features), nr.GRU(s.features, s.hidden), nr.Linear(s.hidden, LETTERS), nr.LogSoftMax()
    )


def branches(s: Sizes) -> nr.Module:
    """Return containers in containers, with recurrent modules and dropout in the branches."""
    deep = nr.Sequential(nr.FastLSTM(s.features, s.hidden), nr.Dropout(0.3), nr.Linear(s.hidden, s.hidden))
    wide = nr.ConcatTable(
        deep, nr.RNN(s.features, s.hidden), nr.Sequential(nr.Dropout(0.2), nr.GRU(s.features, s.hidden))
    )
    both = nr.ParallelTable(nr.Sequential(wide, nr.CAddTable()), nr.Sequential(nr.Identity(), nr.Tanh()))
    return nr.Sequential(both, nr.JoinTable(), nr.Linear(s.hidden + s.features, s.hidden))


def graph_of_lstms(s: Sizes) -> nr.Module:
    """Return a graph with two inputs, a fan-out, an annotated node and two outputs."""
    x, word = nr.Input("x"), nr.Input("word")
    h = nr.LSTM(s.features, s.hidden)(x)
    e = nr.GRU(s.features, s.hidden)(nr.LookupTable(LETTERS, s.features)(word)).annotate("words")
    both = nr.CAddTable()([nr.Dropout(0.3)(h), e])
    return nr.Graph([x, word], [nr.Linear(s.hidden, s.features)(both), [nr.Sigmoid()(h), x]])


def graph_with_shared_modules(s: Sizes) -> nr.Module:
    """Return a graph in which a Linear and a container with a memory are used twice."""
    x, linear = nr.Input("x"), nr.Linear(s.features, s.features)
    both = nr.ConcatTable(nr.Sequential(linear, nr.Tanh()), nr.Sigmoid())
    first = nr.CMulTable()(both(x))
    return nr.Graph(x, nr.CAddTable()([linear(first), nr.CSubTable()(both(first)), x]))


def attention(s: Sizes) -> nr.Module:
    """Return a RecurrentAttention that chooses one of three actions, so that its gradient is the slope."""
    both = nr.ParallelTable(nr.Linear(s.features, s.hidden), nr.LookupTable(3, s.hidden))
    rnn = nr.Sequential(both, nr.CAddTable(), nr.GRU(s.hidden))
    return nr.RecurrentAttention(rnn, nr.Sequential(nr.Linear(s.hidden, 3), nr.ArgMax(-1)), 3, s.hidden)


OPERATIONS = ["keep", "replace", "mul", "diff", "forget", "max", "min"]
"""Those whose slope is finite everywhere."""


def recurrence(s: Sizes, parts: int = 1) -> nr.Module:
    """Return a Recurrence with equations, or a larger one that is stepped."""
    both = nr.ParallelTable(nr.Linear(s.features, s.hidden), nr.Linear(s.hidden, s.hidden))
    rest = [nr.Linear(s.hidden, s.hidden) for _ in range(1, parts)]
    return nr.Recurrence(nr.Sequential(both, nr.CAddTable(), *rest, nr.Tanh()), s.hidden, 1)


def nested_recurrence(s: Sizes) -> nr.Module:
    """Return a Recurrence whose output and state is a table of two arrays."""
    x, state = nr.Input("x"), nr.Input("state")
    a, b = nr.SelectTable(0)(state), nr.SelectTable(1)(state)
    a = nr.Tanh()(nr.CAddTable()([nr.Linear(s.features, s.hidden)(x), nr.Linear(s.hidden, s.hidden)(a)]))
    b = nr.Linear(s.hidden + 2, 2)(nr.JoinTable()([a, b]))
    return nr.Recurrence(nr.Graph([x, state], [a, b]), [[s.hidden], [2]], 1)


class OutputLayers(nr.Cell):
    """A cell with two layers on top, of which no later step reads anything: they are made after the loop."""

    states = ("upper", "h", "lower")

    def equations(self, x, upper, h, lower):
        gate, n = linear("recurrent", x, h, parts=2)
        new = peephole("kept", h) + sigmoid(gate) * tanh(n)
        a = linear("lower", dropout("lower", new), h, sigmoid(n) * tanh(new))
        a = a - mean(a)
        lower = new + tanh(a + n) * peephole("old", h)
        upper = sigmoid(linear("gate", x)) * dropout("upper", linear("upper", lower, x)) + mean(tanh(new))
        return upper, new, lower


def rewarded(module: nr.Module) -> nr.Module:
    """Return a module that draws samples, and has a reward for them."""
    module.reinforce(1.5)
    return module


MODULES: dict[str, Entry] = {
    # layers
    "Linear": Entry(lambda s: nr.Linear(s.features, s.hidden), features),
    "Linear without bias": Entry(lambda s: nr.Linear(s.features, s.hidden, bias=False), features),
    "LinearNoBias": Entry(lambda s: nr.LinearNoBias(s.features, s.hidden), features),
    "AddConstant": Entry(lambda s: nr.AddConstant(1.5), features),
    "MulConstant": Entry(lambda s: nr.MulConstant(1.5), features),
    "SAdd": Entry(lambda s: nr.SAdd(-1, True), features),
    "CMul": Entry(lambda s: nr.CMul(s.features), features),
    "CMul for all rows": Entry(lambda s: nr.CMul(1, s.features), features, needs_rows=True),
    "Mul": Entry(lambda s: nr.Mul(), features),
    "Bilinear": Entry(lambda s: nr.Bilinear(s.features, s.hidden, 2), table(features, hidden)),
    "BatchNormalization": Entry(
        lambda s: nr.BatchNormalization(s.features), features, is_row_wise=False, needs_rows=True
    ),
    "LayerNormalization": Entry(lambda s: nr.LayerNormalization(s.features, eps=1e-3), features),
    "LookupTableMaskZero": Entry(lambda s: nr.LookupTableMaskZero(LETTERS, s.features), words),
    "Add": Entry(lambda s: nr.Add(s.features), features),
    "LookupTable": Entry(lambda s: nr.LookupTable(LETTERS, s.features), letters),
    "Sigmoid": Entry(lambda s: nr.Sigmoid(), features),
    "Tanh": Entry(lambda s: nr.Tanh(), features),
    "ReLU": Entry(lambda s: nr.ReLU(), features),
    "Abs": Entry(lambda s: nr.Abs(), features),
    "Clamp": Entry(lambda s: nr.Clamp(-0.5, 0.7), features),
    "ELU": Entry(lambda s: nr.ELU(0.7), features),
    "Exp": Entry(lambda s: nr.Exp(), features),
    "HardShrink": Entry(lambda s: nr.HardShrink(), features),
    "HardTanh": Entry(lambda s: nr.HardTanh(), features),
    "LeakyReLU": Entry(lambda s: nr.LeakyReLU(), features),
    "Log": Entry(lambda s: nr.Sequential(nr.Abs(), nr.AddConstant(0.1), nr.Log()), features),
    "LogSigmoid": Entry(lambda s: nr.LogSigmoid(), features),
    "Power": Entry(lambda s: nr.Power(3), features),
    "ReLU6": Entry(lambda s: nr.ReLU6(), features),
    "SoftPlus": Entry(lambda s: nr.SoftPlus(2), features),
    "SoftShrink": Entry(lambda s: nr.SoftShrink(), features),
    "SoftSign": Entry(lambda s: nr.SoftSign(), features),
    "Sqrt": Entry(lambda s: nr.Sequential(nr.Abs(), nr.AddConstant(0.1), nr.Sqrt()), features),
    "Square": Entry(lambda s: nr.Square(), features),
    "TanhShrink": Entry(lambda s: nr.TanhShrink(), features),
    "Threshold": Entry(lambda s: nr.Threshold(0.2, 0.2), features),
    "PReLU": Entry(lambda s: nr.PReLU(), features),
    "PReLU of features": Entry(lambda s: nr.PReLU(s.features), features),
    "SoftMax": Entry(lambda s: nr.SoftMax(), features),
    "SoftMin": Entry(lambda s: nr.SoftMin(), features),
    "LogSoftMax": Entry(lambda s: nr.LogSoftMax(), features),
    "Dropout": Entry(lambda s: nr.Dropout(0.4), features),
    "Dropout, v1": Entry(lambda s: nr.Dropout(0.4, v1=True), features),
    "Dropout, lazy": Entry(lambda s: nr.Dropout(0.4, lazy=True), features, is_row_wise=False),
    "Dropout, mono": Entry(lambda s: nr.Dropout(0.4, mono=True), features, is_row_wise=False),
    "TotalDropout": Entry(lambda s: nr.TotalDropout(), features, is_row_wise=False),
    "ZeroGrad": Entry(lambda s: nr.ZeroGrad(), features, has_true_gradient=False),
    "Clip": Entry(lambda s: nr.Clip(-0.5, 0.7), features, has_true_gradient=False),
    "CopyGrad": Entry(lambda s: nr.CopyGrad(), features),
    "Identity": Entry(lambda s: nr.Identity(), features),
    "Identity of a table": Entry(lambda s: nr.Identity(), table(features, [letters, hidden])),
    "CAddTable": Entry(lambda s: nr.CAddTable(), table(features, features, features)),
    "CSubTable": Entry(lambda s: nr.CSubTable(), table(features, features)),
    "CMulTable": Entry(lambda s: nr.CMulTable(), table(features, features, features)),
    "CDivTable": Entry(lambda s: nr.CDivTable(), table(features, positive)),
    "CMaxTable": Entry(lambda s: nr.CMaxTable(), table(features, features, features)),
    "CMinTable": Entry(lambda s: nr.CMinTable(), table(features, features)),
    "DotProduct": Entry(lambda s: nr.DotProduct(), table(features, features)),
    "MixtureTable": Entry(lambda s: nr.MixtureTable(), experts),
    "MixtureTable of an array": Entry(lambda s: nr.MixtureTable(-1), experts_in_one),
    "MM": Entry(lambda s: nr.MM(trans_b=True), matrices, needs_rows=True),
    "ExpandAs": Entry(
        lambda s: nr.Sequential(
            nr.ConcatTable(nr.Tanh(), nr.Sequential(nr.Narrow(-1, 0), nr.Sigmoid())), nr.ExpandAs()
        ),
        features,
    ),
    "NarrowTable": Entry(lambda s: nr.NarrowTable(1, 2), table(letters, features, [hidden])),
    "ReverseTable": Entry(lambda s: nr.ReverseTable(), table(letters, features, [hidden])),
    "ZipTable": Entry(lambda s: nr.ZipTable(), table([features, hidden], [letters, hidden])),
    "SplitTable": Entry(lambda s: nr.SplitTable(-1), features),
    "SplitTable of rows": Entry(lambda s: nr.SplitTable(0), features, is_row_wise=False),
    "ArgMax": Entry(lambda s: nr.ArgMax(-1), features),
    "Max": Entry(lambda s: nr.Max(-1), features),
    "Min": Entry(lambda s: nr.Min(0), features, is_row_wise=False),
    "Mean": Entry(lambda s: nr.Mean(), features, is_row_wise=False),
    "Sum": Entry(lambda s: nr.Sum(-1, squeeze=False), features),
    "Narrow": Entry(lambda s: nr.Narrow(-1, -1), features),
    "Select": Entry(lambda s: nr.Select(-1, 0), features),
    "Padding": Entry(lambda s: nr.Padding(-1, -2, 0.5), features),
    "Squeeze": Entry(lambda s: nr.Sequential(nr.Unsqueeze(-2), nr.Squeeze(-2)), features),
    "Unsqueeze": Entry(lambda s: nr.Unsqueeze(0), features, is_row_wise=False),
    "Transpose": Entry(lambda s: nr.Sequential(nr.Unsqueeze(-1), nr.Transpose((-1, -2))), features),
    "Reshape": Entry(lambda s: nr.Reshape(s.features, 1, batch=True), features, is_row_wise=False, needs_rows=True),
    "View of a batch": Entry(lambda s: nr.View(s.features, 1), features, is_row_wise=False),
    "View": Entry(lambda s: nr.View(1, -1, n_input_dims=1), features),
    "SpatialGlimpse": Entry(lambda s: nr.SpatialGlimpse(2, 3, 1.5), table(images, places)),
    "NCEModule": Entry(
        lambda s: nr.NCEModule(s.features, LETTERS, s.hidden, np.arange(LETTERS) + 1, Z=2), table(features, letters)
    ),
    "NCEModule with noise for each row": Entry(
        lambda s: nr.NCEModule(s.features, LETTERS, 3, np.ones(LETTERS), 1.5, batch_noise=False),
        table(features, letters),
        is_row_wise=False,
    ),
    "ReinforceNormal": Entry(lambda s: rewarded(nr.ReinforceNormal(0.5)), features, has_true_gradient=False),
    "ReinforceNormal of a table": Entry(
        lambda s: rewarded(nr.Sequential(nr.ParallelTable(nr.Tanh(), nr.SoftPlus()), nr.ReinforceNormal())),
        table(features, features),
        has_true_gradient=False,
    ),
    "ReinforceGamma": Entry(
        lambda s: rewarded(nr.Sequential(nr.SoftPlus(), nr.ReinforceGamma(2))), features, has_true_gradient=False
    ),
    "ReinforceBernoulli": Entry(
        lambda s: rewarded(nr.Sequential(nr.Sigmoid(), nr.ReinforceBernoulli())), features, has_true_gradient=False
    ),
    "ReinforceCategorical": Entry(
        lambda s: rewarded(nr.Sequential(nr.SoftMax(), nr.ReinforceCategorical())), features, has_true_gradient=False
    ),
    "JoinTable": Entry(lambda s: nr.JoinTable(), table(features, hidden)),
    "JoinTable of rows": Entry(lambda s: nr.JoinTable(0), table(features, features), is_row_wise=False),
    "SelectTable": Entry(lambda s: nr.SelectTable(-2), table(letters, features, [hidden])),
    "FlattenTable": Entry(lambda s: nr.FlattenTable(), table([features, [letters]], hidden)),
    # containers
    "Sequential": Entry(lambda s: nr.Sequential(nr.Linear(s.features, s.hidden), nr.Tanh()), features),
    "Sequential, empty": Entry(lambda s: nr.Sequential(), features),
    "Sequential of cells": Entry(
        lambda s: nr.Sequential(nr.LSTM(s.features, s.hidden), nr.Linear(s.hidden, 4), nr.GRU(4)), features
    ),
    "Sequential with dropout first": Entry(
        lambda s: nr.Sequential(nr.Dropout(0.4), nr.Linear(s.features, s.hidden)), features
    ),
    "ConcatTable": Entry(lambda s: nr.ConcatTable(nr.Linear(s.features, s.hidden), nr.LSTM(s.features, 3)), features),
    "Concat": Entry(lambda s: nr.Concat(-1, nr.Linear(s.features, s.hidden), nr.GRU(s.features, 3)), features),
    "Concat of rows": Entry(lambda s: nr.Concat(0, nr.Tanh(), nr.Sigmoid()), features, is_row_wise=False),
    "MapTable": Entry(
        lambda s: nr.MapTable(nr.Sequential(nr.Linear(s.features, s.hidden), nr.Tanh())),
        table(features, features),
        is_exact=False,
        is_row_wise=False,
        needs_rows=True,
    ),
    "ParallelTable": Entry(
        lambda s: nr.ParallelTable(nr.LookupTable(LETTERS, 3), nr.RNN(s.features, s.hidden)), table(letters, features)
    ),
    "ParallelTable of a Recurrent": Entry(
        lambda s: nr.ParallelTable(recurrent(s), nr.Linear(s.hidden, 3)), table(features, hidden), is_exact=False
    ),
    "branches": Entry(branches, table(features, features)),
    "language model": Entry(language_model, letters),
    # graphs
    "Graph": Entry(graph_of_lstms, table(features, letters)),
    "Graph with shared modules": Entry(graph_with_shared_modules, features, is_exact=False),
    # cells
    "RNN": Entry(lambda s: nr.RNN(s.features, s.hidden), features),
    "RNN with relu": Entry(lambda s: nr.RNN(s.features, s.hidden, nonlinearity="relu"), features),
    "LSTM": Entry(lambda s: nr.LSTM(s.features, s.hidden), features),
    "LSTM without peepholes": Entry(lambda s: nr.LSTM(s.features, s.hidden, cell2gate=False), features),
    "FastLSTM": Entry(lambda s: nr.FastLSTM(s.features, s.hidden), features),
    "GRU": Entry(lambda s: nr.GRU(s.features, s.hidden), features),
    "SLSTM": Entry(lambda s: nr.SLSTM(s.features, s.hidden), features),
    "SLSTM with heads, exponential": Entry(
        lambda s: nr.SLSTM(
            s.features, s.hidden, math.gcd(s.hidden, 6), math.gcd(s.hidden, s.features), forget="exponential"
        ),
        features,
    ),
    "MLSTM": Entry(lambda s: nr.MLSTM(s.features, s.hidden), features),
    "MLSTM with heads, narrow keys, exponential": Entry(
        lambda s: nr.MLSTM(
            s.features, s.hidden, math.gcd(s.hidden, 6), 2 * math.gcd(s.hidden, 6), forget="exponential"
        ),
        features,
    ),
    "LayerNormLSTM": Entry(lambda s: nr.LayerNormLSTM(s.features, s.hidden, eps=0.1), features),
    "LayerNormGRU": Entry(lambda s: nr.LayerNormGRU(s.features, s.hidden, eps=0.1), features),
    "OutputLayers": Entry(lambda s: OutputLayers(s.features, s.hidden, p=0.3), features),
    "LRU": Entry(lambda s: nr.LRU(s.features, s.hidden, 3), features),
    "ZoneoutLSTM": Entry(lambda s: nr.ZoneoutLSTM(s.features, s.hidden), features),
    "ZoneoutGRU": Entry(lambda s: nr.ZoneoutGRU(s.features, s.hidden, 0.4), features),
    "LSTM with dropout": Entry(lambda s: nr.LSTM(s.features, s.hidden, p=0.3), features),
    "FastLSTM with dropout": Entry(lambda s: nr.FastLSTM(s.features, s.hidden, p=0.3), features),
    "GRU with dropout, mono": Entry(lambda s: nr.GRU(s.features, s.hidden, p=0.3, mono=True), features),
    "LSTM, mask_zero": Entry(
        lambda s: nr.LSTM(s.features, s.hidden).mask_zero(), features_with_padding, has_true_gradient=False
    ),
    "GRU, mask_zero": Entry(
        lambda s: nr.GRU(s.features, s.hidden).mask_zero(), features_with_padding, has_true_gradient=False
    ),
    "GRU with learned start": Entry(lambda s: nr.GRU(s.features, s.hidden).learn_start_state(), features),
    "MuFuRu": Entry(lambda s: nr.MuFuRu(s.features, s.hidden, OPERATIONS), features),
    "MuFuRu, one operation": Entry(lambda s: nr.MuFuRu(s.features, s.hidden, ["mul"]), features),
    "RecLSTM": Entry(lambda s: nr.RecLSTM(s.features, s.hidden), features),
    "RecLSTM with projection": Entry(lambda s: nr.RecLSTM(s.features, s.hidden, 3), features),
    "RecGRU": Entry(lambda s: nr.RecGRU(s.features, s.hidden), features),
    "LinearRNN": Entry(lambda s: nr.LinearRNN(s.features, s.hidden), features),
    "MGU": Entry(lambda s: nr.MGU(s.features, s.hidden), features),
    "SRU": Entry(lambda s: nr.SRU(s.features, s.hidden), features),
    "IndRNN": Entry(lambda s: nr.IndRNN(s.features, s.hidden, nonlinearity="tanh"), features),
    "QRNN": Entry(lambda s: nr.QRNN(s.features, s.hidden), features),
    "MinGRU": Entry(lambda s: nr.MinGRU(s.features, s.hidden), features),
    "MinLSTM": Entry(lambda s: nr.MinLSTM(s.features, s.hidden), features),
    "CTRNN": Entry(lambda s: nr.CTRNN(s.features, s.hidden, learns_tau=True), features),
    "LTC": Entry(lambda s: nr.LTC(s.features, s.hidden), features),
    "CoupledLSTM": Entry(lambda s: nr.CoupledLSTM(s.features, s.hidden), features),
    "GRUResetAfter": Entry(lambda s: nr.GRUResetAfter(s.features, s.hidden), features),
    "PlainLSTM with projection": Entry(lambda s: nr.PlainLSTM(s.features, s.hidden, 3, bias=False), features),
    "AntisymmetricRNN": Entry(lambda s: nr.AntisymmetricRNN(s.features, s.hidden, gated=True), features),
    "BatchNormalizedLSTM": Entry(
        lambda s: nr.BatchNormalizedLSTM(s.features, s.hidden, eps=0.1), features, False, False, needs_rows=True
    ),
    "StepLSTM": Entry(lambda s: nr.StepLSTM(s.features, s.hidden), table(features, hidden, hidden), needs_rows=True),
    "StepGRU": Entry(lambda s: nr.StepGRU(s.features, s.hidden), table(features, hidden), needs_rows=True),
    "StepModule": Entry(
        lambda s: nr.StepModule(nr.RNN(s.features, s.hidden)), table(features, hidden), needs_rows=True
    ),
    # recurrences made of modules
    "Recurrence": Entry(lambda s: recurrence(s), features, is_exact=False),
    "Recurrence of letters": Entry(
        lambda s: nr.Recurrence(
            nr.Sequential(
                nr.ParallelTable(nr.LookupTable(LETTERS, s.hidden), nr.Linear(s.hidden, s.hidden)),
                nr.CMulTable(),
                nr.Tanh(),
            ),
            s.hidden,
            0,
        ),
        letters,
        is_exact=False,
    ),
    "Recurrence with a nested state": Entry(nested_recurrence, features, is_exact=False),
    "Recurrence with an LSTM": Entry(
        lambda s: nr.Recurrence(
            nr.Sequential(nr.JoinTable(), nr.LSTM(s.features + s.hidden, 3), nr.Linear(3, s.hidden)), s.hidden, 1
        ),
        features,
        is_exact=False,
    ),
    "Recurrence, mask_zero": Entry(
        lambda s: recurrence(s, 3).mask_zero(), features_with_padding, is_exact=False, has_true_gradient=False
    ),
    "LookupRNN": Entry(lambda s: nr.LookupRNN(LETTERS, s.hidden), words, is_exact=False),
    "NormStabilizer": Entry(
        lambda s: nr.NormStabilizer(0.7), features, False, False, needs_rows=True, has_true_gradient=False
    ),
    "Recurrent": Entry(lambda s: recurrent(s), features, is_exact=False),
    "Recurrent with Tanh": Entry(lambda s: recurrent(s, nr.Tanh()), features, is_exact=False),
    "Recurrent with ReLU": Entry(lambda s: recurrent(s, nr.ReLU()), features, is_exact=False),
    "Recurrent of letters": Entry(
        lambda s: recurrent(s, input=nr.LookupTable(LETTERS, s.hidden)), letters, is_exact=False
    ),
    "Recurrent of a container": Entry(
        lambda s: recurrent(s, input=nr.Sequential(nr.Linear(s.features, 3), nr.Tanh(), nr.Linear(3, s.hidden))),
        features,
        is_exact=False,
    ),
    "Recurrent with a start module": Entry(
        lambda s: recurrent(s, nr.Tanh(), start=nr.Linear(s.hidden, s.hidden)), features, is_exact=False
    ),
    "Recurrent with CMulTable": Entry(
        lambda s: recurrent(s, nr.Tanh(), merge=nr.CMulTable()), features, is_exact=False
    ),
    "Recurrent of larger parts": Entry(
        lambda s: recurrent(
            s,
            nr.Sequential(nr.Linear(s.hidden, s.hidden), nr.Dropout(0.3), nr.Tanh()),
            input=nr.Sequential(nr.Dropout(0.3), nr.GRU(s.features, s.hidden)),
            feedback=nr.Sequential(nr.Linear(s.hidden, 3, bias=False), nr.FastLSTM(3, s.hidden)),
            merge=nr.Sequential(nr.JoinTable(), nr.Linear(2 * s.hidden, s.hidden)),
        ),
        features,
        is_exact=False,
    ),
    "Recursor": Entry(lambda s: nr.Recursor(nr.Linear(s.features, s.hidden)), features),
    "Recursor, mask_zero": Entry(
        lambda s: nr.Recursor(nr.Sequential(nr.Linear(s.features, s.hidden), nr.RNN(s.hidden))).mask_zero(),
        features_with_padding,
        is_exact=False,
        has_true_gradient=False,
    ),
    "Recursor of a stack": Entry(
        lambda s: nr.Recursor(
            nr.Sequential(nr.LSTM(s.features, s.hidden), nr.Dropout(0.3), recurrent(Sizes((), s.hidden, 3, 1)))
        ),
        features,
        is_exact=False,
    ),
    # padding
    "MaskZero": Entry(
        lambda s: nr.MaskZero(nr.Sequential(nr.Linear(s.features, s.hidden), nr.Tanh())),
        features_with_padding,
        has_true_gradient=False,
    ),
    "TrimZero": Entry(
        lambda s: nr.TrimZero(nr.Sequential(nr.Linear(s.features, s.hidden), nr.Tanh())),
        features_with_padding,
        is_exact=False,
        has_true_gradient=False,
    ),
    # whole sequences
    "SeqLSTM": Entry(lambda s: nr.SeqLSTM(s.features, s.hidden), sequence(features), needs_rows=True),
    "SeqLSTMP": Entry(lambda s: nr.SeqLSTMP(s.features, s.hidden, 3), sequence(features), needs_rows=True),
    "SeqGRU": Entry(
        lambda s: nr.SeqGRU(s.features, s.hidden, mask_zero=True),
        sequence(features_with_padding),
        needs_rows=True,
        has_true_gradient=False,
    ),
    "SeqBRNN": Entry(lambda s: nr.SeqBRNN(s.features, s.hidden), sequence(features), needs_rows=True),
    "SeqBLSTM": Entry(
        lambda s: nr.SeqBLSTM(s.features, s.hidden, 2, merge=nr.JoinTable()), sequence(features), needs_rows=True
    ),
    "SeqBGRU": Entry(lambda s: nr.SeqBGRU(s.features, s.hidden), sequence(features), needs_rows=True),
    "StackedLSTM": Entry(
        lambda s: nr.StackedLSTM(s.features, s.hidden, 2, bidirectional=True),
        sequence(features),
        is_row_wise=False,
        needs_rows=True,
    ),
    "StackedGRU": Entry(
        lambda s: nr.StackedGRU(s.features, s.hidden, 2, dropout=0.3),
        sequence(features),
        is_row_wise=False,
        needs_rows=True,
    ),
    "StackedRNN": Entry(
        lambda s: nr.StackedRNN(s.features, s.hidden, batch_first=True),
        sequence(features),
        is_row_wise=False,
        needs_rows=True,
    ),
    "TruncatedSequencer": Entry(
        lambda s: nr.TruncatedSequencer(nr.Sequential(nr.Dropout(0.3), nr.GRU(s.features, s.hidden)), 2, 3),
        sequence(features),
        has_true_gradient=False,
    ),
    "VariableLength": Entry(
        lambda s: nr.VariableLength(nr.GRU(s.features, s.hidden)), ragged, is_exact=False, is_row_wise=False
    ),
    "VariableLength, last only": Entry(
        lambda s: nr.VariableLength(nr.Sequential(nr.LSTM(s.features, 3), nr.Linear(3, 2)), last_only=True),
        ragged,
        is_exact=False,
        is_row_wise=False,
    ),
    "SeqReverseSequence": Entry(lambda s: nr.SeqReverseSequence(-1), features),
    "SeqReverseSequence of rows": Entry(lambda s: nr.SeqReverseSequence(), features, is_row_wise=False),
    "ReverseSequence": Entry(lambda s: nr.ReverseSequence(), sequence(features), is_row_wise=False),
    "ReverseSequence of tables": Entry(
        lambda s: nr.ReverseSequence(), sequence(table(features, letters)), is_row_wise=False
    ),
    "ReverseUnreverse": Entry(lambda s: nr.ReverseUnreverse(nr.LSTM(s.features, s.hidden)), sequence(features)),
    "ReverseUnreverse of letters": Entry(
        lambda s: nr.ReverseUnreverse(nr.Sequencer(language_model(s))), sequence(letters)
    ),
    "BiSequencer": Entry(lambda s: nr.BiSequencer(nr.LSTM(s.features, s.hidden)), sequence(features)),
    "BiSequencer of two modules": Entry(
        lambda s: nr.BiSequencer(
            nr.Sequential(nr.GRU(s.features, s.hidden), nr.Dropout(0.3)),
            nr.Sequencer(recurrent(s)),
            nr.Sequential(nr.CMulTable(), nr.Linear(s.hidden, 2), nr.RNN(2)),
        ),
        sequence(features),
        is_exact=False,
    ),
    "BiSequencer of tables": Entry(
        lambda s: nr.BiSequencer(nr.Sequential(nr.CAddTable(), nr.GRU(s.features, 3)), merge=nr.CAddTable()),
        sequence(table(features, features)),
    ),
    "BiSequencer of SeqLSTM": Entry(
        lambda s: nr.BiSequencer(nr.SeqLSTM(s.features, s.hidden)), sequence(features), needs_rows=True
    ),
    "BiSequencer of letters": Entry(
        lambda s: nr.BiSequencer(nr.Sequential(nr.LookupTable(LETTERS, 3), nr.GRU(3))), sequence(letters)
    ),
    "BiSequencer of a BiSequencer": Entry(
        lambda s: nr.BiSequencer(nr.BiSequencer(nr.RNN(s.features, s.hidden)), nr.Linear(s.features, s.hidden)),
        sequence(features),
    ),
    "BiSequencerLM": Entry(
        lambda s: nr.BiSequencerLM(nr.LSTM(s.features, s.hidden), nr.GRU(s.features, s.hidden)),
        two_or_more(sequence(features)),
    ),
    "BiSequencerLM of tables": Entry(
        lambda s: nr.BiSequencerLM(branches(s), merge=nr.CAddTable()),
        two_or_more(sequence(table(features, features))),
    ),
    "Repeater": Entry(
        lambda s: nr.Repeater(nr.Sequential(nr.LSTM(s.features, s.hidden), nr.Linear(s.hidden, 2)), 3),
        features,
        is_exact=False,
    ),
    "Repeater of letters": Entry(
        lambda s: nr.Repeater(
            nr.Sequential(nr.LookupTable(LETTERS, s.hidden), nr.ConcatTable(nr.GRU(s.hidden), nr.Dropout(0.3))), 2
        ),
        letters,
        is_exact=False,
    ),
    "RecurrentAttention": Entry(attention, features, is_exact=False, needs_rows=True),
    "Sequencer": Entry(lambda s: nr.Sequencer(nr.Linear(s.features, s.hidden)), sequence(features)),
    "Sequencer of a cell": Entry(lambda s: nr.Sequencer(nr.LSTM(s.features, s.hidden)), sequence(features)),
    "Sequencer of a language model": Entry(lambda s: nr.Sequencer(language_model(s)), sequence(letters)),
    "Sequencer of a Recurrent": Entry(lambda s: nr.Sequencer(recurrent(s)), sequence(features)),
    "Sequencer with a table as output": Entry(
        lambda s: nr.Sequencer(nr.ConcatTable(nr.Linear(s.features, s.hidden), nr.Tanh())), sequence(features)
    ),
    "Sequencer of tables": Entry(lambda s: nr.Sequencer(branches(s)), sequence(table(features, features))),
    "Sequencer of a Graph": Entry(lambda s: nr.Sequencer(graph_of_lstms(s)), sequence(table(features, letters))),
    "Sequencer of what mixes rows": Entry(
        lambda s: nr.Sequencer(nr.Sequential(nr.ConcatTable(nr.Tanh(), nr.RNN(s.features)), nr.JoinTable(0))),
        sequence(features),
        is_row_wise=False,
    ),
    "Sequential of Sequencers": Entry(
        lambda s: nr.Sequential(
            nr.Sequencer(nr.GRU(s.features, s.hidden)), nr.Sequencer(recurrent(Sizes((), s.hidden, 3, 1)))
        ),
        sequence(features),
        is_exact=False,
        is_row_wise=False,
    ),
    "Sequencer of a Sequencer": Entry(
        lambda s: nr.Sequencer(nr.Sequential(nr.Sequencer(nr.LSTM(s.features, s.hidden)), nr.Dropout(0.3))),
        sequence(sequence(features)),
        is_row_wise=False,
    ),
}

OF_ONE_STEP = {
    name: entry
    for name, entry in MODULES.items()
    if not name.startswith(("Sequencer", "VariableLength", "NormStabilizer"))
}
"""Modules whose calls may be steps of a sequence. (What NormStabilizer does depends on how much is remembered.)"""


# ---- criterions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CriterionEntry:
    """A line of the table of criterions; `draw` gives an input and a target."""

    make: Callable[[Sizes], nr.Criterion]
    draw: Draw


def scores_of_letters(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(*s.rows, LETTERS))


def scores_and_classes(s: Sizes, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(*s.rows, LETTERS)), letters(s, rng)


def scores_and_some_ignored(s: Sizes, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scores, classes = scores_and_classes(s, rng)
    return scores, np.where(rng.random(classes.shape) < 0.3, -1, classes)


def probabilities_of_noise(s: Sizes, rng: np.random.Generator) -> tuple[Any, np.ndarray]:
    shapes = [s.rows, (*s.rows, s.hidden)] * 2
    return [rng.uniform(1, 2, shape) for shape in shapes], letters(s, rng)


def grid(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    """Draw numbers whose differences, and products with 1 or -1, keep away from 1, where hinges have a kink."""
    return rng.integers(-6, 7, (*s.rows, s.features)) * 0.3


def between(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    """Draw numbers in the middle of those of the grid, so that differences keep away from 0, too."""
    return grid(s, rng) + 0.15


def signs(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.choice([-1.0, 1.0], (*s.rows, s.features))


def score_and_sign(s: Sizes, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = s.rows or (1,)
    return rng.normal(size=(*rows, 1)), rng.choice([-1.0, 1.0], rows)


def chances(s: Sizes, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.05, 0.95, (*s.rows, s.features))


def grid_and_classes(s: Sizes, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(-6, 7, (*s.rows, LETTERS)) * 0.3, letters(s, rng)


def with_one_target(draw: Draw) -> Draw:
    """Return what draws a table of inputs, and a target for all of them."""

    def draw_with_one_target(s: Sizes, rng: np.random.Generator) -> tuple[Any, Any]:
        inputs, targets = draw(s, rng)
        return inputs, targets[0]

    return draw_with_one_target


def sequences(draw: Draw, ragged: bool = False) -> Draw:
    """Return what draws tables of inputs and targets; if ragged, every step has a batch size of its own."""

    def draw_sequences(s: Sizes, rng: np.random.Generator) -> tuple[Any, Any]:
        rows = [(int(rng.integers(1, 4)),) if ragged else s.rows for _ in range(s.time)]
        steps = [draw(Sizes(r, s.features, s.hidden, s.time), rng) for r in rows]
        return [x for x, _ in steps], [y for _, y in steps]

    return draw_sequences


WEIGHTS = np.arange(LETTERS) / 3


def masked(s: Sizes, criterion: nr.Criterion, *steps: int) -> nr.Criterion:
    """Return a criterion that has a mask, of the rows or of steps of rows."""
    mask = np.random.default_rng(3).random((*steps, *s.rows)) < 0.4
    criterion.set_zero_mask(mask if isinstance(mask, np.ndarray) else np.array(mask))
    return criterion


def of_all_kinds() -> nr.Criterion:
    """Return a criterion that has most others in it."""
    parts = nr.ParallelCriterion().add(nr.MaskZeroCriterion(nr.CrossEntropyCriterion()), 2)
    parts.add(nr.MultiCriterion().add(nr.MSECriterion(), 0.5).add(nr.AbsCriterion()))
    return nr.SequencerCriterion(nr.ModuleCriterion(parts, nr.ReverseTable(), nr.ReverseTable()), size_average=True)


CRITERIONS_TESTED_APART = {nr.BinaryClassReward, nr.VRClassReward}
"""Criterions whose loss has no slope: they reward modules."""

CRITERIONS: dict[str, CriterionEntry] = {
    "NCECriterion": CriterionEntry(lambda s: nr.NCECriterion(), probabilities_of_noise),
    "MSECriterion": CriterionEntry(lambda s: nr.MSECriterion(), table(features, features)),
    "MSECriterion, sum": CriterionEntry(lambda s: nr.MSECriterion(size_average=False), table(features, features)),
    "ClassNLLCriterion": CriterionEntry(lambda s: nr.ClassNLLCriterion(), scores_and_classes),
    "ClassNLLCriterion, weights": CriterionEntry(lambda s: nr.ClassNLLCriterion(weights=WEIGHTS), scores_and_classes),
    "ClassNLLCriterion, ignored": CriterionEntry(
        lambda s: nr.ClassNLLCriterion(size_average=False, ignore_index=-1), scores_and_some_ignored
    ),
    "CrossEntropyCriterion": CriterionEntry(lambda s: nr.CrossEntropyCriterion(), scores_and_classes),
    "CrossEntropyCriterion, weights": CriterionEntry(
        lambda s: nr.CrossEntropyCriterion(weights=WEIGHTS), scores_and_classes
    ),
    "CrossEntropyCriterion, ignored": CriterionEntry(
        lambda s: nr.CrossEntropyCriterion(size_average=False, ignore_index=-1), scores_and_some_ignored
    ),
    "MultiMarginCriterion": CriterionEntry(lambda s: nr.MultiMarginCriterion(), grid_and_classes),
    "MultiMarginCriterion, squared": CriterionEntry(
        lambda s: nr.MultiMarginCriterion(2, WEIGHTS, 0.5, size_average=False), grid_and_classes
    ),
    "AbsCriterion": CriterionEntry(lambda s: nr.AbsCriterion(), table(grid, between)),
    "SmoothL1Criterion": CriterionEntry(lambda s: nr.SmoothL1Criterion(), table(grid, between)),
    "BCECriterion": CriterionEntry(lambda s: nr.BCECriterion(), table(chances, chances)),
    "BCECriterion, weights": CriterionEntry(
        lambda s: nr.BCECriterion(np.arange(s.features), size_average=False), table(chances, chances)
    ),
    "DistKLDivCriterion": CriterionEntry(lambda s: nr.DistKLDivCriterion(), table(features, chances)),
    "MarginCriterion": CriterionEntry(lambda s: nr.MarginCriterion(), table(grid, signs)),
    "MarginCriterion, sum": CriterionEntry(lambda s: nr.MarginCriterion(0.4, False), table(grid, signs)),
    "SoftMarginCriterion": CriterionEntry(lambda s: nr.SoftMarginCriterion(), table(features, signs)),
    "BinaryLogisticRegression": CriterionEntry(lambda s: nr.BinaryLogisticRegression(), score_and_sign),
    "ParallelCriterion": CriterionEntry(
        lambda s: nr.ParallelCriterion().add(nr.MSECriterion(), 0.5).add(nr.AbsCriterion()),
        table([features, grid], [features, between]),
    ),
    "ParallelCriterion, one target": CriterionEntry(
        lambda s: nr.ParallelCriterion(repeat_target=True).add(nr.MSECriterion(), 0.5).add(nr.SmoothL1Criterion()),
        with_one_target(table([features, grid], [between])),
    ),
    "MultiCriterion": CriterionEntry(
        lambda s: nr.MultiCriterion().add(nr.CrossEntropyCriterion(), 0.5).add(nr.MultiMarginCriterion()),
        grid_and_classes,
    ),
    "RepeaterCriterion": CriterionEntry(
        lambda s: nr.RepeaterCriterion(nr.ClassNLLCriterion()), with_one_target(sequences(scores_and_classes))
    ),
    "RepeaterCriterion of tables": CriterionEntry(
        lambda s: nr.RepeaterCriterion(nr.ParallelCriterion().add(nr.MSECriterion()), size_average=True),
        with_one_target(sequences(table([features], [features]))),
    ),
    "ModuleCriterion": CriterionEntry(
        lambda s: nr.ModuleCriterion(nr.MSECriterion(), nr.Tanh(), nr.MulConstant(2)), table(features, features)
    ),
    "MaskZeroCriterion": CriterionEntry(
        lambda s: masked(s, nr.MaskZeroCriterion(nr.MSECriterion())), table(features, features)
    ),
    "MaskZeroCriterion of classes": CriterionEntry(
        lambda s: masked(s, nr.MaskZeroCriterion(nr.CrossEntropyCriterion(WEIGHTS))), scores_and_classes
    ),
    "MaskZeroCriterion of a sequence": CriterionEntry(
        lambda s: masked(s, nr.SequencerCriterion(nr.MaskZeroCriterion(nr.ClassNLLCriterion())), s.time),
        sequences(scores_and_classes),
    ),
    "SequencerCriterion of all kinds": CriterionEntry(
        lambda s: of_all_kinds(), sequences(table([between, scores_of_letters], [grid, letters]))
    ),
    "SequencerCriterion": CriterionEntry(
        lambda s: nr.SequencerCriterion(nr.ClassNLLCriterion()), sequences(scores_and_classes)
    ),
    "SequencerCriterion, mean": CriterionEntry(
        lambda s: nr.SequencerCriterion(nr.MSECriterion(), size_average=True),
        sequences(table(features, features), ragged=True),
    ),
}
