"""Models in Torch7 files: samples that the original wrote (`torch7/`), and every class that can be in one."""

import copy
import inspect
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.interop import torch7
from numrnn.interop.torch7_format import reader_of
from tests.interop.nngraph import gmodule, layer, old_gmodule
from tests.interop.torch7_files import (
    FORMS,
    MODELS,
    Entries,
    Object,
    Storage,
    Tensor,
    check_refused,
    container,
    linear,
    load_or_refuse,
    load_sample,
    read,
    same,
    sample,
    slots,
    written,
)

# ---- the samples -----------------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def mlp_output(model, x):
    h = np.tanh(x @ model[0].weight.T + model[0].bias) @ model[2].weight.T + model[2].bias
    return h - np.log(np.exp(h).sum(-1, keepdims=True))


def seq_gru_output(model, x):
    weight, bias = model.parameters()[0]
    size, h, outputs = bias.size // 3, 0, []
    w_x, w_h = np.split(weight, [x.shape[-1]])
    h = np.zeros((x.shape[1], size))
    for step in x:
        gates = sigmoid(step @ w_x[:, : 2 * size] + h @ w_h[:, : 2 * size] + bias[: 2 * size])
        r, z = gates[:, :size], gates[:, size:]
        n = np.tanh(step @ w_x[:, 2 * size :] + (r * h) @ w_h[:, 2 * size :] + bias[2 * size :])
        h = (1 - z) * n + z * h
        outputs.append(h)
    return np.stack(outputs)


def seq_lstm_output(model, x):
    weight, bias = model.parameters()[0]
    size, outputs = bias.size // 4, []
    h = c = np.zeros((x.shape[1], size))
    for step in x:
        i, f, o, z = np.split(np.hstack([step, h]) @ weight + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(z)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


CLEARED = {"mlp": mlp_output, "seq_gru": seq_gru_output, "seq_lstm": seq_lstm_output}
"""Models whose output was a buffer of theirs that was emptied before it was written: the equations give it again."""


@FORMS
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_it_gave_in_the_original(name, form):
    model, case = load_sample(name + form), load_sample(f"{name}_case")
    x = [words - 1 for words in case["input"]] if name == "program" else case["input"]  # words count from 0 here
    expected = CLEARED[name](model, x) if name in CLEARED else case["output"]
    output = model(x)
    assert len(output) == len(expected) > 0
    for own, recorded in zip(output, expected, strict=True):
        np.testing.assert_allclose(own, recorded, rtol=1e-10, strict=True)


@FORMS
def test_the_last_output_of_seq_lstm_is_still_in_its_file(form):
    model, case = load_sample(f"seq_lstm{form}"), load_sample("seq_lstm_case")
    data = sample(f"seq_lstm{form}")
    reader = reader_of("", data)
    last = reader.read_file().fields["next_h"]
    np.testing.assert_allclose(model(case["input"])[-1], last, rtol=1e-10)
    np.testing.assert_allclose(model(case["input"]), last.base.reshape(4, 3, 6), rtol=1e-10)


@pytest.mark.parametrize("name", [*MODELS, "tensors"])
def test_both_forms_hold_the_same(name):
    assert same(load_sample(name), load_sample(f"{name}_ascii"))


def test_a_loaded_model_can_be_trained():
    model, case = load_sample("program"), load_sample("program_case")
    model.training()
    x, loss = [words - 1 for words in case["input"]], nr.SequencerCriterion(nr.ClassNLLCriterion())
    losses = []
    for _ in range(3):
        model.zero_grad_parameters()
        losses.append(loss(model(x), x))
        model.backward(x, loss.backward(model(x), x))
        model.update_parameters(0.1)
    assert losses[2] < losses[1] < losses[0]


# ---- modules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
def test_parameters_keep_their_element_type(kind):
    own = linear(kind=kind)
    layer = read(own)
    assert layer.dtype == ("f4" if kind == "f2" else kind)
    np.testing.assert_array_equal(layer.weight, own.fields["weight"])
    assert not layer.grad_weight.any()
    no_bias = Object("nn.LinearNoBias", {"weight": own.fields["weight"]})
    assert [parameter.shape for parameter in read(no_bias).parameters()[0]] == [(2, 3)]


def test_parameters_are_copies_of_their_own():
    own = linear()
    other = Object("nn.Linear", dict(own.fields))
    weight, first, second = read([own.fields["weight"], own, other])
    weight[:] = 0
    first.weight[:] = 1
    np.testing.assert_array_equal(second.weight, own.fields["weight"])


# ---- every class -----------------------------------------------------------------------------------------------------

BUFFERS = {"output": np.ones(3), "gradInput": [], "_type": "torch.DoubleTensor", "_buffer": 7.0, "inplace": True}
ARGUMENTS = [
    ("AbsCriterion", {"sizeAverage": False}, (False,)),
    ("AddConstant", {"constant_scalar": 1.5}, (1.5,)),
    ("ArgMax", {"dim": 2, "nInputDim": 9999, "asLong": True}, (1,)),
    ("ArgMax", {"dim": 1, "nInputDim": 1, "asLong": True}, (-1,)),
    ("BCECriterion", {"sizeAverage": False}, (None, False)),
    ("BinaryLogisticRegression", {"sizeAverage": False}, (False,)),
    ("Clamp", {"min_val": -1, "max_val": 2}, (-1, 2)),
    ("ClassNLLCriterion", {"sizeAverage": False, "ignoreIndex": 2}, (None, False, 1)),
    ("ClassNLLCriterion", {"sizeAverage": True, "ignoreIndex": -100}, ()),
    ("Clip", {"minval": -1, "maxval": 2}, (-1, 2)),
    ("CrossEntropyCriterion", {"nll": Object("nn.ClassNLLCriterion", {"sizeAverage": False})}, (None, False)),
    ("DistKLDivCriterion", {"sizeAverage": False}, (False,)),
    ("Dropout", {"p": 0.25, "v2": True, "lazy": False, "noise": np.ones(2)}, (0.25,)),
    ("Dropout", {"p": 0.5, "v2": True, "lazy": True, "mono": True, "flag": True}, (0.5, True, True)),
    ("ELU", {"alpha": 0.5}, (0.5,)),
    ("HardShrink", {"lambda": 0.25}, (0.25,)),
    ("HardTanh", {"min_val": -2, "max_val": 1}, (-2, 1)),
    ("JoinTable", {"dimension": 1, "nInputDims": 1}, (-1,)),
    ("JoinTable", {"dimension": 2, "nInputDims": 2}, (-1,)),
    ("JoinTable", {"dimension": 1, "nInputDims": 2}, (-2,)),
    ("JoinTable", {"dimension": 2}, (1,)),
    ("JoinTable", {"dimension": -1}, (-1,)),
    ("LeakyReLU", {"negval": 0.2}, (0.2,)),
    ("MM", {"transA": False, "transB": True}, (False, True)),
    ("MSECriterion", {"sizeAverage": False}, (False,)),
    ("MarginCriterion", {"margin": 2, "sizeAverage": True}, (2,)),
    ("Max", {"dimension": 2}, (1,)),
    ("Mean", {"dimension": 1, "nInputDims": 1, "sizeAverage": True, "squeeze": True}, (-1,)),
    ("Min", {"dimension": 1}, (0,)),
    ("MixtureTable", {"dim": 2, "dimG": 2, "batchSize": 3, "size": Storage(np.array([3, 2, 1]))}, ()),
    ("MulConstant", {"constant_scalar": -2}, (-2,)),
    ("MultiMarginCriterion", {"p": 2, "margin": 3, "sizeAverage": False}, (2, None, 3, False)),
    ("NCECriterion", {"sizeAverage": True}, ()),
    ("Narrow", {"dimension": 1, "index": 2, "length": 3}, (0, 1, 3)),
    ("NarrowTable", {"offset": 2, "length": 2}, (1, 2)),
    ("NormStabilizer", {"beta": 2, "rho": 7, "recurrentModule": Object("nn.CopyGrad")}, (2, 7)),
    ("Padding", {"dim": 1, "pad": -2, "nInputDim": 1, "value": 0.5, "index": 1}, (-1, -2, 0.5)),
    ("Power", {"pow": 3}, (3,)),
    ("ReLU", {"threshold": 0, "val": 0}, ()),
    ("ReinforceBernoulli", {"stochastic": True}, (True,)),
    ("ReinforceCategorical", {"stochastic": False}, ()),
    ("ReinforceGamma", {"scale": 2, "stochastic": False}, (2,)),
    ("ReinforceNormal", {"stdev": 0.5, "stochastic": True}, (0.5, True)),
    ("ReinforceNormal", {"stochastic": False}, ()),
    ("Reshape", {"size": Storage(np.array([2, 3])), "nelement": 6, "batchsize": np.array([1, 2, 3])}, (2, 3)),
    ("SAdd", {"addend": -1, "negate": True}, (-1, True)),
    ("Select", {"dimension": 1, "index": -1}, (0, -1)),
    ("Select", {"dimension": 2, "index": 3}, (1, 2)),
    ("SelectTable", {"index": 2}, (1,)),
    ("SelectTable", {"index": -1}, (-1,)),
    ("SeqReverseSequence", {"dim": 2}, (1,)),
    ("SmoothL1Criterion", {"sizeAverage": False}, (False,)),
    ("SoftMarginCriterion", {"sizeAverage": False}, (False,)),
    ("SoftPlus", {"beta": 2, "threshold": 20}, (2,)),
    ("SoftShrink", {"lambda": 0.25}, (0.25,)),
    ("SpatialGlimpse", {"size": 4, "depth": 2, "scale": 3, "module": Object("nn.SpatialReSampling")}, (4, 2, 3)),
    ("SplitTable", {"dimension": 1, "nInputDims": 2}, (-2,)),
    ("Sqrt", {"eps": 0}, ()),
    ("Squeeze", {"dim": 2}, (1,)),
    ("Sum", {"dimension": 1, "sizeAverage": True, "squeeze": False}, (0, True, False)),
    ("Threshold", {"threshold": 0.2, "val": -1}, (0.2, -1)),
    ("TotalDropout", {"p": 0.25, "inplace": False}, (0.25,)),
    ("Transpose", {"permutations": [[1, 2], [2, 3]]}, ((0, 1), (1, 2))),
    ("Transpose", {"permutations": [[1, 2]], "numInputDims": 2}, ((-2, -1),)),
    ("Unsqueeze", {"pos": 2}, (1,)),
    ("Unsqueeze", {"pos": 1, "numInputDims": 1}, (-2,)),
    ("View", {"size": Storage(np.array([-1, 4])), "numElements": -4}, (-1, 4)),
    *((name, BUFFERS, ()) for name in torch7._PLAIN),
]
"""Classes without parameters and parts: the original's fields, and the arguments here."""

Row = tuple[Object, Any]
EMPTY = Tensor(np.zeros(0), (), ())


def kept(module: nr.Module, *names: str, class_name: str = "", **fields: Any) -> Row:
    """Return an object with a module's parameters under these names, and the module."""
    parameters = module.astype("f8").parameters()[0]
    name = class_name or type(module).__name__
    return Object(f"nn.{name}", {**dict(zip(names, parameters, strict=True)), **fields}), module


def step_of(*arrays: np.ndarray) -> Object:
    """Return a step that is made of layers with these arrays, in the order of the original's `parameters()`."""
    parts = [Object("nn.Linear", {"weight": array} if array.ndim == 2 else {"bias": array}) for array in arrays]
    return container("Sequential", container("ConcatTable", *parts[:3]), Object("nn.Tanh"), *parts[3:])


def cell(module: nr.Module, class_name: str = "", **fields: Any) -> Row:
    """Return a cell as the original has it, around its step, and the module."""
    step = step_of(*module.astype("f8").parameters()[0])
    name = class_name or type(module).__name__
    own = {"recurrentModule": step, "modules": [step], "sharedClones": [step], "zeroTensor": EMPTY, "rho": 7}
    return Object(f"nn.{name}", {**own, **fields}), module


def fast_lstm_graph(*arrays: np.ndarray) -> Object:
    """Return the step of a FastLSTM as a graph, with batch normalisation if there are parameters for it."""
    x, h, c = (layer("Identity") for _ in range(3))
    rows = len(arrays[0])

    def normalized(node: Any, weight: np.ndarray, bias: np.ndarray) -> Any:
        averages = {"running_mean": weight + 1, "running_var": weight + 2, "eps": 1e-3, "momentum": 0.2}
        return layer(Object("nn.BatchNormalization", {"weight": weight, "bias": bias, **averages}), node)

    mapped = layer(Object("nn.Linear", {"weight": arrays[0], "bias": arrays[1]}), x, annotations={"name": "i2h"})
    fed = layer(Object("nn.LinearNoBias", {"weight": arrays[2 if len(arrays) == 3 else 4]}), h)
    if len(arrays) > 3:
        mapped, fed = normalized(mapped, *arrays[2:4]), normalized(fed, *arrays[5:7])
        fed = layer(Object("nn.Add", {"bias": arrays[7]}), fed)
    sums = layer("CAddTable", fed, mapped)
    shaped = layer(Object("nn.Reshape", {"size": Storage(np.array([4, rows // 4]))}), sums)
    gates = layer(Object("nn.SplitTable", {"dimension": 2}), shaped).split(4)
    i, z, f, o = (layer("Tanh" if k == 1 else "Sigmoid", gate) for k, gate in enumerate(gates))
    next_c = layer("CAddTable", layer("CMulTable", f, c), layer("CMulTable", i, z))
    out = normalized(next_c, *arrays[8:]) if len(arrays) > 3 else next_c
    return gmodule([x, h, c], [layer("CMulTable", o, layer("Tanh", out)), next_c])


def batch_normalized() -> Row:
    module = nr.BatchNormalizedLSTM(3, 4, rho=7, eps=1e-3, momentum=0.2).astype("f8")
    for part in module.modules():
        if isinstance(part, nr.BatchNormalization):
            part.running_mean, part.running_var = part.weight + 1, part.weight + 2
    step = fast_lstm_graph(*module.parameters()[0])
    return Object("nn.FastLSTM", {"recurrentModule": step, "modules": [step], "rho": 7, "p": 0}), module


def layer_normalization(affine: bool) -> Row:
    module = nr.LayerNormalization(4, eps=1e-5, affine=affine).astype("f8")
    parts = [
        container("ConcatTable", Object("nn.Identity"), container("Sequential", Object("nn.Mean"))),
        Object("nn.CSubTable"),
        Object("nn.Normalize", {"p": 2, "eps": 1e-5}),
        Object("nn.MulConstant", {"constant_scalar": 2}),
    ]
    if affine:
        module.weight, module.bias = np.arange(4.0), np.arange(4.0) + 4
        parts += [Object("nn.CMul", {"weight": module.weight}), Object("nn.Add", {"bias": module.bias})]
    return container("LayerNormalization", *parts), module


def both_ways(forward: Object, backward: Object, merge: Any, name: str = "") -> dict[str, Any]:
    """Return the fields of a module that runs in both directions: Sequential(ConcatTable(., reversed), merge)."""
    turn = Object(f"nn.{name or 'SeqReverseSequence'}", {"dim": 1})
    turned = container("Sequential", turn, backward, turn)
    if name:
        turned = container("ReverseUnreverse", turned)
    return {"modules": [container("Sequential", container("ConcatTable", forward, turned), merge)]}


def seq_brnn(module: nr.Module, name: str, merge: Object, names: tuple[str, ...] = ("weight", "bias")) -> Row:
    module = module.astype("f8")
    forward, backward = (kept(part, *names, class_name=name)[0] for part in (module.forward_part, module.backward_part))
    return Object(
        f"nn.{type(module).__name__}",
        both_ways(forward, backward, merge, "" if type(module) is nr.SeqBRNN else "ReverseSequence"),
    ), module


def batch_first(row: Row) -> Row:
    turn = Object("nn.Transpose", {"permutations": [[1, 2]]})
    own, module = row
    inside = own.fields["modules"][0].fields["modules"]
    module.batch_first = True
    return Object(own.class_name, {"modules": [container("Sequential", turn, *inside, turn)]}), module


def wrapped(name: str, row: Row, make: Any, field: str = "", **fields: Any) -> Row:
    """Return an object around another one, which is in a field or the only one of `modules`."""
    own, module = row
    return Object(f"nn.{name}", {(field or "modules"): own if field else [own], **fields}), make(module)


def row(name: str, *arguments: Any, **fields: Any) -> Row:
    return Object(f"nn.{name}", fields), getattr(nr, name)(*arguments)


def recurrent() -> Row:
    parts = {name: kept(nr.Linear(4, 4), "weight", "bias") for name in ("input", "feedback")}
    start, transfer, merge = kept(nr.Add(4), "bias"), row("Tanh"), row("CAddTable")
    fields = {f"{name}Module": own for name, (own, _) in parts.items()}
    fields |= {"startModule": start[0], "transferModule": transfer[0], "mergeModule": merge[0], "rho": 7}
    fields |= {"initialModule": container("Sequential", linear(4, 4), start[0], transfer[0])}
    modules = start[1], parts["input"][1], parts["feedback"][1], transfer[1], 7, merge[1]
    return Object("nn.Recurrent", fields), nr.Recurrent(*modules)


def lookup_rnn() -> Row:
    module = nr.LookupRNN(5, 4, nr.Tanh(), rho=7).astype("f8")
    words, weight, bias = module.parameters()[0]
    fed = Object("nn.Linear", {"weight": weight, "bias": bias})
    both = container("ParallelTable", Object("nn.LookupTableMaskZero", {"weight": words}), fed)
    step = container("Sequential", both, Object("nn.CAddTable"), Object("nn.Tanh"))
    return Object("nn.LookupRNN", {"modules": [step], "outputSize": [4], "nInputDim": 0, "seqlen": 7}), module


def linear_rnn(transfer: str) -> Row:
    module = nr.LinearRNN(3, 4, getattr(nr, transfer)(), rho=7).astype("f8")
    inside = Object("nn.Linear", dict(zip(("weight", "bias"), module.parameters()[0], strict=True)))
    join = Object("nn.JoinTable", {"dimension": 1, "nInputDims": 1})
    step = container("Sequential", join, inside, Object(f"nn.{transfer}"))
    return Object("nn.LinearRNN", {"modules": [step], "outputSize": [4], "nInputDim": 1, "seqlen": 7}), module


def attention() -> Row:
    (rnn, made_rnn), (action, made_action) = cell(nr.GRU(3, 4, rho=7)), row("ReinforceNormal", 0.5, stdev=0.5)
    recursor = Object("nn.Recursor", {"recurrentModule": action})
    fields = {"rnn": rnn, "action": recursor, "nStep": 3, "hiddenSize": [4], "forwardActions": False}
    return Object("nn.RecurrentAttention", fields), nr.RecurrentAttention(made_rnn, made_action, 3, 4)


def criterions(name: str, made: nr.Criterion, weights: Any, **fields: Any) -> Row:
    parts = [Object("nn.MSECriterion", {"sizeAverage": True}), Object("nn.AbsCriterion", {"sizeAverage": False})]
    made.add(nr.MSECriterion(), 0.5).add(nr.AbsCriterion(False), 2)
    return Object(f"nn.{name}", {"criterions": parts, "weights": weights, **fields}), made


def small_graph(build: Any = gmodule) -> Row:
    """Return a graph of two inputs and outputs, in which one layer is in two places."""
    shared, made = kept(nr.Linear(3, 3), "weight", "bias")
    x, y = layer("Identity"), layer("Tanh")
    both = layer("CAddTable", layer(shared, x), layer(shared, y))
    a, b = nr.Input(), nr.Input()
    tanh = nr.Tanh()(b)
    total = nr.CAddTable()([made(a), made(tanh)])
    expected = nr.Graph([a, b], [nr.Sigmoid()(total), total])
    return build([x, y], [layer("Sigmoid", both), both]), expected


LSTM = ("weight", "bias")
WEIGHTS, SCALE = np.arange(3.0), nr.CMul(3).astype("f8")
MADE: dict[str, Row] = {
    **{f"{name}, {k}": row(name, *arguments, **fields) for k, (name, fields, arguments) in enumerate(ARGUMENTS)},
    # layers
    "Add": kept(nr.Add(3), "bias", scalar=False),
    "BatchNormalization": kept(
        nr.BatchNormalization(3, 1e-3, 0.2),
        "weight",
        "bias",
        running_mean=np.zeros(3),
        running_var=np.ones(3),
        eps=1e-3,
        momentum=0.2,
    ),
    "BatchNormalization, not affine": kept(
        nr.BatchNormalization(3, affine=False), running_mean=np.zeros(3), running_var=np.ones(3)
    ),
    "Bilinear": kept(nr.Bilinear(2, 3, 4), "weight", "bias"),
    "CMul": kept(nr.CMul(2, 3), "weight", size=Storage(np.array([2, 3]))),
    "CMul, for a batch": (Object("nn.CMul", {"weight": SCALE.weight[None, None]}), SCALE),
    "LayerNormalization": layer_normalization(True),
    "LayerNormalization, not affine": layer_normalization(False),
    "Linear": kept(nr.Linear(3, 2), "weight", "bias"),
    "Linear, without bias": kept(nr.LinearNoBias(3, 2), "weight", class_name="Linear"),
    "LinearNoBias": kept(nr.LinearNoBias(3, 2), "weight"),
    "LookupTable": kept(
        nr.LookupTable(4, 2, 2, 1.5, 1, True),
        "weight",
        paddingValue=3,
        maxNorm=1.5,
        normType=1,
        shouldScaleGradByFreq=True,
    ),
    "LookupTableMaskZero": kept(nr.LookupTableMaskZero(4, 2), "weight", paddingValue=0),
    "Mul": kept(nr.Mul(), "weight"),
    "NCEModule": kept(
        nr.NCEModule(3, 3, 2, WEIGHTS, 2, True, True, True),
        "weight",
        "bias",
        k=2,
        unigrams=WEIGHTS,
        Z=np.array([2.0]),
        batchnoise=True,
        normalized=True,
        logsoftmax=True,
        aliasmultinomial=Object("torch.AliasMultinomial"),
    ),
    "PReLU": kept(nr.PReLU(), "weight", nOutputPlane=0),
    "ReinforceNormal, of each feature": row("ReinforceNormal", WEIGHTS + 1, stdev=WEIGHTS + 1),
    "View, of samples": (
        Object("nn.View", {"size": Storage(np.array([6])), "numInputDims": 2}),
        nr.View(6, n_input_dims=2),
    ),
    "Collapse": (Object("nn.Collapse", {"nInputDim": 2}), nr.View(-1, n_input_dims=2)),
    "Contiguous": (Object("nn.Contiguous"), nr.Identity()),
    "Copy": (Object("nn.Copy", {"intype": "torch.FloatTensor"}), nr.Identity()),
    # containers
    **{
        name: (container(name, linear(), Object("nn.Tanh")), getattr(nr, name)(read(linear()), nr.Tanh()))
        for name in ("ConcatTable", "ParallelTable", "Sequential")
    },
    "Concat": (container("Concat", linear(), linear(), dimension=2), nr.Concat(1, read(linear()), read(linear()))),
    "MapTable": wrapped("MapTable", row("Tanh"), nr.MapTable, "module"),
    **{
        name: wrapped(name, row("Tanh"), lambda module: module)
        for name in ("Bottle", "Decorator", "DontCast", "GPU", "Serial")
    },
    "gModule": small_graph(),
    "gModule, old": small_graph(old_gmodule),
    "nngraph.JustElement": (Object("nngraph.JustElement"), nr.SelectTable(0)),
    "nngraph.JustTable": (Object("nngraph.JustTable"), nr.ConcatTable(nr.Identity())),
    # cells
    "LSTM": cell(nr.LSTM(3, 4, rho=7), cell2gate=True, p=0, mono=False),
    "LSTM, without peepholes": cell(nr.LSTM(3, 4, rho=7, cell2gate=False), cell2gate=False),
    "FastLSTM": cell(nr.FastLSTM(3, 4, rho=7), p=0),
    "GRU": cell(nr.GRU(3, 4, rho=7), p=0, mono=False),
    **{
        f"{name}, dropout": cell(getattr(nr, name)(3, 4, rho=7, p=0.25, mono=True), p=0.25, mono=True)
        for name in ("LSTM", "FastLSTM", "GRU")
    },
    "FastLSTM, batch normalisation": batch_normalized(),
    "MuFuRu": cell(nr.MuFuRu(3, 4, ["max", "keep"], rho=7), ops=["max", "keep"], num_ops=2),
    "LinearRNN": linear_rnn("Tanh"),
    "LookupRNN": lookup_rnn(),
    **{name: kept(getattr(nr, name)(3, 4), "weight", "bias", maskzero=False) for name in ("StepGRU", "StepLSTM")},
    "StepLSTM, projection": kept(nr.StepLSTM(3, 4, 2), "weight", "bias", "weightO"),
    "RecGRU": wrapped("RecGRU", kept(nr.RecGRU(3, 4, rho=7), *LSTM, class_name="StepGRU"), lambda m: m, seqlen=7),
    "RecLSTM": wrapped("RecLSTM", kept(nr.RecLSTM(3, 4, rho=7), *LSTM, class_name="StepLSTM"), lambda m: m, rho=7),
    "RecLSTM, projection": wrapped(
        "RecLSTM", kept(nr.RecLSTM(3, 4, 2, 7), *LSTM, "weightO", class_name="StepLSTM"), lambda m: m, seqlen=7
    ),
    "Recurrent": recurrent(),
    "Recursor": wrapped("Recursor", row("Tanh"), lambda m: nr.Recursor(m, 7), "recurrentModule", rho=7),
    "Recursor, successor": wrapped("Recursor", row("Tanh"), lambda m: nr.Recursor(m, 7), seqlen=7),
    "Recurrence": wrapped(
        "Recurrence", row("CAddTable"), lambda m: nr.Recurrence(m, 3, 1, 7), outputSize=[3], nInputDim=1, rho=7
    ),
    "Recurrence, of tables": wrapped(
        "Recurrence",
        row("SelectTable", 1, index=2),
        lambda m: nr.Recurrence(m, [[3], [2, 2]], 1, 7),
        "recurrentModule",
        outputSize=[[3], Storage(np.array([2, 2]))],
        nInputDim=1,
        rho=7,
    ),
    # sequences
    "Sequencer": wrapped("Sequencer", cell(nr.GRU(3, 4, rho=7)), nr.Sequencer, "module", _remember="neither"),
    "Sequencer, successor": wrapped("Sequencer", wrapped("Recursor", row("Tanh"), lambda m: m), nr.Sequencer),
    "Repeater": wrapped("Repeater", cell(nr.GRU(3, 4, rho=7)), lambda m: nr.Repeater(m, 3), "module", rho=3),
    "Repeater, successor": wrapped("Repeater", row("Tanh"), lambda m: nr.Repeater(m, 3), seqlen=3),
    "RecurrentAttention": attention(),
    "SeqLSTM": kept(nr.SeqLSTM(3, 4), *LSTM, inputsize=3, hiddensize=4, batchfirst=False, maskzero=False),
    "SeqLSTM, batch first": kept(nr.SeqLSTM(3, 4, True, True), *LSTM, batchfirst=True, maskzero=True),
    "SeqLSTM, mask that is given": kept(nr.SeqLSTM(3, 4), *LSTM, maskzero=True, v2=True),
    "SeqLSTM, projection": kept(nr.SeqLSTMP(3, 4, 2), *LSTM, "weightO", class_name="SeqLSTM"),
    "SeqLSTMP": kept(nr.SeqLSTMP(3, 4, 2), *LSTM, "weightO", outputsize=2),
    "SeqGRU": kept(nr.SeqGRU(3, 4, True), *LSTM, inputSize=3, outputSize=4, batchfirst=True),
    "SeqBRNN": seq_brnn(nr.SeqBRNN(3, 4), "SeqLSTM", Object("nn.CAddTable")),
    "SeqBRNN, batch first": batch_first(
        seq_brnn(nr.SeqBRNN(3, 4, merge=nr.JoinTable(1)), "SeqLSTM", Object("nn.JoinTable", {"dimension": 3}))
    ),
    "SeqBLSTM": seq_brnn(nr.SeqBLSTM(3, 4), "SeqLSTM", Object("nn.CAddTable")),
    "SeqBLSTM, projection": seq_brnn(nr.SeqBLSTM(3, 4, 2), "SeqLSTM", Object("nn.CAddTable"), (*LSTM, "weightO")),
    "SeqBGRU": seq_brnn(nr.SeqBGRU(3, 4), "SeqGRU", Object("nn.CAddTable")),
    **{
        name: (
            Object(
                f"nn.{name}",
                {
                    "forwardModule": linear(),
                    "backwardModule": linear(),
                    "mergeModule": Object("nn.JoinTable", {"dimension": 1, "nInputDims": 1}),
                },
            ),
            getattr(nr, name)(read(linear()), read(linear()), nr.JoinTable()),
        )
        for name in ("BiSequencer", "BiSequencerLM")
    },
    "BiSequencer, successor": (
        Object(
            "nn.BiSequencer",
            both_ways(
                Object("nn.Sequencer", {"module": linear()}),
                Object("nn.Sequencer", {"module": linear()}),
                container(
                    "Sequential", Object("nn.ZipTable"), Object("nn.Sequencer", {"module": Object("nn.CSubTable")})
                ),
                "ReverseSequence",
            ),
        ),
        nr.BiSequencer(read(linear()), read(linear()), nr.CSubTable()),
    ),
    "ReverseUnreverse": (
        container(
            "ReverseUnreverse",
            container(
                "Sequential",
                Object("nn.ReverseSequence"),
                Object("nn.Sequencer", {"module": linear()}),
                Object("nn.ReverseSequence"),
            ),
        ),
        nr.ReverseUnreverse(nr.Sequencer(read(linear()))),
    ),
    "VariableLength": wrapped(
        "VariableLength", kept(nr.SeqGRU(3, 4), *LSTM), lambda m: nr.VariableLength(m, True), lastOnly=True
    ),
    "MaskZero": wrapped("MaskZero", row("Tanh"), lambda m: nr.MaskZero(m, 2), nInputDim=2),
    "MaskZero, successor": wrapped("MaskZero", row("Tanh"), nr.MaskZero, v2=True, maskoutput=True),
    "TrimZero": wrapped("TrimZero", row("Tanh"), lambda m: nr.TrimZero(m, 1), "module", nInputDim=1),
    # criterions
    "BCECriterion": row("BCECriterion", WEIGHTS, weights=WEIGHTS, sizeAverage=True),
    "CrossEntropyCriterion": row(
        "CrossEntropyCriterion",
        WEIGHTS,
        nll=Object("nn.ClassNLLCriterion", {"weights": WEIGHTS}),
        lsm=Object("nn.LogSoftMax"),
    ),
    "SequencerCriterion": wrapped(
        "SequencerCriterion", row("MSECriterion"), nr.SequencerCriterion, "criterion", sizeAverage=False, clones=[]
    ),
    "SequencerCriterion, successor": (
        Object("nn.SequencerCriterion", {"clones": [Object("nn.MSECriterion")], "sizeAverage": True}),
        nr.SequencerCriterion(nr.MSECriterion(), True),
    ),
    "RepeaterCriterion": wrapped("RepeaterCriterion", row("MSECriterion"), nr.RepeaterCriterion, "criterion"),
    "MaskZeroCriterion": wrapped(
        "MaskZeroCriterion", row("MSECriterion"), lambda c: nr.MaskZeroCriterion(c, 2), "criterion", nInputDim=2
    ),
    "MaskZeroCriterion, successor": wrapped(
        "MaskZeroCriterion", row("MSECriterion"), nr.MaskZeroCriterion, "criterion", v2=True
    ),
    "ModuleCriterion": wrapped(
        "ModuleCriterion",
        row("MSECriterion"),
        lambda c: nr.ModuleCriterion(c, nr.Tanh()),
        "criterion",
        inputModule=Object("nn.Tanh"),
        castTarget=True,
    ),
    "ParallelCriterion": criterions("ParallelCriterion", nr.ParallelCriterion(True), [0.5, 2], repeatTarget=True),
    "MultiCriterion": criterions("MultiCriterion", nr.MultiCriterion(), Storage(np.array([0.5, 2]))),
    **{
        name: wrapped(
            name,
            row("ReinforceBernoulli"),
            lambda m, name=name: getattr(nr, name)(m, 2),
            "module",
            scale=2,
            sizeAverage=True,
            criterion=Object("nn.MSECriterion"),
        )
        for name in ("BinaryClassReward", "VRClassReward")
    },
}
"""By the name of the original's class, and perhaps something more: an object as the original has it, and its like."""

OWN = "the original has no such cell"
NOT_MADE = {
    "AbstractRecurrent": "a base class",
    "AbstractSequencer": "a base class",
    "AntisymmetricRNN": OWN,
    "BatchNormalizedLSTM": "an nn.FastLSTM, in the original",
    "CTRNN": OWN,
    "Cell": "a base class",
    "Container": "a base class",
    "CoupledLSTM": OWN,
    "Criterion": "a base class",
    "GRUResetAfter": OWN,
    "Graph": "an nn.gModule, in the original",
    "IndRNN": OWN,
    "LRU": OWN,
    "LTC": OWN,
    "LayerNormGRU": OWN,
    "LayerNormLSTM": OWN,
    "MGU": OWN,
    "MLSTM": OWN,
    "MinGRU": OWN,
    "MinLSTM": OWN,
    "Module": "a base class",
    "PlainLSTM": OWN,
    "QRNN": OWN,
    "RNN": OWN,
    "Reinforce": "a base class",
    "SLSTM": OWN,
    "SRU": OWN,
    "StackedGRU": OWN,
    "StackedLSTM": OWN,
    "StackedRNN": OWN,
    "StepModule": "any cell's step; the original has StepLSTM and StepGRU",
    "TruncatedSequencer": "what rho does in the original",
    "ZoneoutGRU": OWN,
    "ZoneoutLSTM": OWN,
}
"""Classes here that no class of the original becomes, and why."""


def settings(value: Any) -> dict[str, Any]:
    kinds = int | float | str | tuple | type(None)
    return {name: repr(setting) for name, setting in vars(value).items() if isinstance(setting, kinds)}


def check_alike(made: Any, expected: Any) -> None:
    """Check that two modules or criterions have the same class, arguments, parameters and parts."""
    assert (type(made), repr(made), settings(made)) == (type(expected), repr(expected), settings(expected))
    if isinstance(made, nr.Module):
        assert same(made.state_dict(), expected.state_dict())
        for part, like in zip(made.modules(), expected.modules(), strict=True):
            assert (type(part), settings(part)) == (type(like), settings(like))
    else:
        np.testing.assert_array_equal(getattr(made, "weights", None), getattr(expected, "weights", None))
        for part, like in zip(getattr(made, "criterions", []), getattr(expected, "criterions", []), strict=True):
            check_alike(part, like)


@FORMS
@pytest.mark.parametrize("name", MADE)
def test_every_class_comes_over_with_all_that_it_has(name, form):
    own, expected = MADE[name]
    check_alike(read(own, form), expected)


def test_every_class_is_made_or_there_is_a_reason():
    kinds = (nr.Module, nr.Criterion)
    ours = {name for name, value in vars(nr).items() if inspect.isclass(value) and issubclass(value, kinds)}
    made = ours & torch7._MAKERS.keys()
    assert ours == made | NOT_MADE.keys()
    assert not made & NOT_MADE.keys()


def test_every_maker_is_tested():
    assert {name.partition(",")[0] for name in MADE} == torch7._MAKERS.keys()


# ---- what else an object tells ---------------------------------------------------------------------------------------


def test_modes_are_those_of_the_file():
    dropout = Object("nn.Dropout", {"p": 0.5, "v2": True, "train": True})
    model = read(container("Sequential", linear(train=False), dropout, Object("nn.Tanh"), train=False))
    assert [module.is_training for module in (model, *model.children())] == [False, False, True, False]
    assert read(linear()).is_training


def test_batch_normalization_keeps_its_averages():
    averages = {"running_mean": np.arange(3.0), "running_var": np.full(3, 4.0), "eps": 1e-3, "momentum": 0.2}
    layer = read(Object("nn.BatchNormalization", {**averages, "train": False}))
    np.testing.assert_allclose(layer(np.full((2, 3), 2.0)), [(2 - np.arange(3.0)) / np.sqrt(4.001)] * 2)


def test_padding_is_word_0_of_a_table_that_masks():
    words = read(Object("nn.LookupTableMaskZero", {"weight": np.ones((5, 2)), "paddingValue": 0}))
    assert words(np.array([0, 4])).sum(axis=1).tolist() == [0, 2]


@pytest.mark.parametrize("count", [3, 12])
def test_a_fast_lstm_that_is_a_graph_gives_what_its_graph_gives(count):
    _, expected = (cell(nr.FastLSTM(3, 4, rho=7)), batch_normalized())[count == 12]
    arrays = [np.array(a) for a in expected.parameters()[0]]
    arrays = [a + np.arange(a.size).reshape(a.shape) / 50 for a in arrays]
    step = fast_lstm_graph(*arrays)
    averages = {part: part.fields["running_var"] for part in (step.fields["modules"]) if "running_var" in part.fields}
    assert len(averages) == (3 if count == 12 else 0)
    fields = {"recurrentModule": step, "modules": [step], "rho": 7, "p": 0, "train": False}
    graph, lstm = read([step, Object("nn.FastLSTM", fields)])
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    h = c = np.zeros((2, 4))
    graph.evaluate()
    for k in range(3):
        h, c = graph([x + k, h, c])
        np.testing.assert_allclose(lstm(x + k), h, rtol=1e-12)


def test_a_sequencer_remembers_as_in_the_file_and_needs_no_recursor():
    recursor = Object("nn.Recursor", {"recurrentModule": linear(), "rho": 5})
    model = read(Object("nn.Sequencer", {"module": recursor, "_remember": "eval"}))
    assert isinstance(model.module, nr.Linear)
    assert [model.training().remembers, model.evaluate().remembers] == [False, True]
    check_refused(Object("nn.Sequencer", {"module": linear(), "_remember": "never"}), "remember", "")


STATES = {
    "userPrevOutput": ({"userPrevOutput": np.ones((2, 4)), "userPrevCell": np.full((2, 4), 2.0)}, 2),
    "userPrevOutput alone": ({"userPrevOutput": np.ones((2, 4)), "userPrevCell": EMPTY}, 1),
    "startState": ({"startState": [np.ones((2, 4)), np.full((2, 4), 2.0)]}, 2),
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("cells", ["LSTM", "FastLSTM", "GRU"])
def test_a_start_state_comes_over(name, cells):
    fields, count = STATES[name]
    if cells == "GRU":
        fields, count = {key: value[0] if key == "startState" else value for key, value in fields.items()}, 1
    own, model = cell(getattr(nr, cells)(3, 4))
    own.fields |= fields
    start = [np.ones((2, 4)), np.full((2, 4), 2.0)][:count]
    model.set_hidden_state(0, start + [None] * (len(model.states) - count))
    x = np.zeros((2, 3))
    np.testing.assert_array_equal(read(own)(x), model(x))


MASKED = {
    "MaskZero": ("mask_zero", {"nInputDim": 1}),
    "TrimZero": ("trim_zero", {"nInputDim": 1}),
    "MaskZero of version 1": ("mask_zero", {"v2": False}),
    "MaskZero of version 2": (None, {"v2": True}),
}


@pytest.mark.parametrize("name", MASKED)
@pytest.mark.parametrize("masked", ["GRU", "Recurrence"])
def test_masked_steps_are_masked(name, masked):
    method, fields = MASKED[name]
    own, model = MADE[masked] if masked == "GRU" else recurrence_with_parameters()
    step = own.fields.get("recurrentModule") or own.fields["modules"][0]
    mask = Object(f"nn.{name.partition(' ')[0]}", {"modules": [step], **fields})
    changed = {"modules": [mask]} | ({"recurrentModule": mask} if "recurrentModule" in own.fields else {})
    model = model.clone()
    model.forget()
    if method:
        getattr(model, method)(1)
    loaded = read(Object(own.class_name, own.fields | changed))
    for x in (np.ones((2, 3)), np.array([[0.0, 0, 0], [1, 2, 3]])):
        np.testing.assert_array_equal(loaded(x), model(x))


def recurrence_with_parameters() -> Row:
    (mapped, first), (fed, second) = (kept(nr.Linear(columns, 4), "weight", "bias") for columns in (3, 4))
    step = container("Sequential", container("ParallelTable", mapped, fed), Object("nn.CAddTable"), Object("nn.Tanh"))
    made = nr.Sequential(nr.ParallelTable(first, second), nr.CAddTable(), nr.Tanh())
    fields = {"modules": [step], "outputSize": [4], "nInputDim": 1, "seqlen": 7}
    return Object("nn.Recurrence", fields), nr.Recurrence(made, 4, 1, 7)


@pytest.mark.parametrize("name", ["RecGRU", "RecLSTM"])
def test_steps_that_mask_themselves_are_masked(name):
    own, model = MADE[name]
    step = own.fields["modules"][0]
    model = model.clone().mask_zero()
    loaded = read(Object(own.class_name, {"modules": [Object(step.class_name, step.fields | {"maskzero": True})]}))
    for x in (np.ones((2, 3)), np.array([[0.0, 0, 0], [1, 2, 3]])):
        np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("name", ["LinearRNN", "LookupRNN"])
def test_recurrences_of_another_make_are_a_recurrence(name):
    own, _ = MADE[name]
    step = own.fields["modules"][0]
    parts = list(step.fields["modules"])
    if name == "LinearRNN":
        parts[2] = Object("nn.HardTanh", {"min_val": -1, "max_val": 1})
    else:
        parts[0] = container("ParallelTable", Object("nn.LookupTable", {"weight": np.ones((5, 4))}), linear(4, 4))
    made = read(Object(own.class_name, own.fields | {"modules": [container("Sequential", *parts)]}))
    assert type(made) is nr.Recurrence
    x = np.array([1, 2]) if name == "LookupRNN" else np.ones((2, 3))
    assert made(x).shape == (2, 4)


# ---- graphs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [gmodule, old_gmodule])
def test_a_graph_computes_what_its_nodes_say(build):
    x, y = layer(linear()), layer("Identity")
    a, b = layer(container("ConcatTable", Object("nn.Tanh"), Object("nn.Sigmoid")), y).split(2)
    both = layer("Identity", a, b)  # a table
    graph = read(build([x, y], [layer("CSubTable", both), layer("CAddTable", layer("Square", a), x, b), b]))
    weights, given = read(linear()).weight, np.linspace(-1, 1, 12).reshape(2, 2, 3)[:, :1]
    first, second = given[0], given[1][:, :2]
    outputs = graph([first, second])
    tanh, sigmoid_ = np.tanh(second), sigmoid(second)
    expected = [tanh - sigmoid_, tanh**2 + first @ weights.T + 1 + sigmoid_, sigmoid_]
    for output, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(output, wanted, rtol=1e-12)


@pytest.mark.parametrize("build", [gmodule, old_gmodule])
def test_a_graph_with_one_input_and_output_takes_and_gives_an_array(build):
    x = layer("Tanh", annotations={"name": "first"})
    graph = read(build([x], [layer("CAddTable", layer("Square", x), x)]))
    given = np.linspace(-1, 1, 6).reshape(2, 3)
    np.testing.assert_allclose(graph(given), np.tanh(given) ** 2 + np.tanh(given), rtol=1e-12)
    assert "first" in graph.draw()


def test_a_graph_may_have_a_graph_inside():
    x, y = layer("Identity"), layer("Identity")
    inner = gmodule([y], [layer("Tanh", y)])
    graph = read(container("Sequential", gmodule([x], [layer(inner, layer("Square", x))])))
    np.testing.assert_allclose(graph(np.ones((1, 2))), np.tanh(np.ones((1, 2))), rtol=1e-12)


def test_a_graph_may_be_deep():
    h = x = layer("Identity")
    for _ in range(2000):  # more than Python's stack has room for
        h = layer("Tanh", h)
    graph = read(gmodule([x], [h]))
    assert len(graph.children()) == 2000
    assert 0 < graph(np.ones((1, 1), "f4")).item() < 0.1


def changed_graph(change: Any) -> Object:
    """Return a graph x -> Tanh -> Sigmoid after a change of its last two nodes."""
    x = layer("Identity")
    first = layer("Tanh", x)
    last = layer("Sigmoid", first)
    graph = gmodule([x], [last])
    change(graph, first.data.pairs, last.data.pairs)
    return graph


def a_cycle(graph: Object, first: Any, last: Any) -> None:
    dict(first)["mapindex"].pairs[:] = [(1, Entries(last))]
    dict(last)["mapindex"].pairs[:] = [(1, Entries(first))]


def a_loop(graph: Object, first: Any, last: Any) -> None:
    mapindex = dict(last)["mapindex"]
    mapindex.pairs[:] = [(1, dict(graph.fields["outnode"].fields["data"].pairs)["mapindex"].pairs[0][1])]


BAD_GRAPHS = [
    ("a node that reads nothing", lambda graph, first, last: dict(first)["mapindex"].pairs.clear(), "reads nothing"),
    ("a node that reads itself", a_loop, "reads what it gives"),
    (
        "a node that reads a number",
        lambda g, f, last: dict(last)["mapindex"].pairs.__setitem__(0, (1, 3)),
        "something else",
    ),
    ("no node at the end", lambda graph, first, last: graph.fields.pop("outnode"), "outnode"),
    ("no data at the start", lambda graph, f, last: graph.fields["innode"].fields.pop("data"), "as a node"),
    ("inputs that are not split", lambda graph, first, last: graph.fields.update(nInputs=2), "not split"),
    ("another kind of module", lambda graph, first, last: first.__setitem__(0, ("module", 3)), "for a module"),
    ("a module that is unknown", lambda g, first, last: first.__setitem__(0, ("module", Object("nn.Foo"))), "nn.Foo"),
    (
        "a criterion",
        lambda g, first, last: first.__setitem__(0, ("criterion", Object("nn.MSECriterion"))),
        "a MSECriterion",
    ),
    ("an index of nothing", lambda g, first, last: first.__setitem__(0, ("selectindex", 0)), "selectindex = 0"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in BAD_GRAPHS], ids=[row[0] for row in BAD_GRAPHS])
def test_a_graph_that_is_none_is_refused(change, message):
    check_refused(changed_graph(change), message, "")


# ---- what is refused -------------------------------------------------------------------------------------------------

deep_module: Any = Object("nn.Tanh")
for _ in range(torch7.MOST_MODULES + 1):
    deep_module = container("Sequential", deep_module)
itself = container("Sequential")
itself.fields["modules"] = [itself]
masked_itself = Object("nn.MaskZero", {"v2": True})
masked_itself.fields["modules"] = [masked_itself]
one = np.ones(1)
huge = Tensor(one, (2**15, 2**15), (0, 0))

REFUSED = [
    ("an unknown layer", container("Sequential", Object("nn.SpatialConvolution")), "nn.SpatialConvolution"),
    ("a base class", container("Container"), "nn.Container"),
    ("a node", [Object("nngraph.Node")], "nngraph.Node"),
    ("a function of the library", Object("nn.load_torch7"), "nn.load_torch7"),
    ("a class of numrnn alone", Object("nn.MGU"), "nn.MGU"),
    ("parameters of bytes", linear(kind="u1"), "parameters of uint8"),
    ("two element types", linear(weight=np.ones((2, 3), "f4")), "parameters of float32, float64"),
    ("a bias of another size", linear(bias=np.ones(4)), r"shapes \(2, 3\), \(4,\)"),
    ("a weight that is a table", linear(weight=[1, 2]), "weight = table of 2"),
    ("a weight larger than its storage", linear(weight=huge), "repeats elements"),
    ("a list of modules with a hole", Object("nn.Sequential", {"modules": {1: linear(), 3: linear()}}), "modules ="),
    ("a module that is a number", container("Sequential", 3), "modules ="),
    ("a module inside itself", itself, "inside itself"),
    ("a mask inside itself", Object("nn.GRU", {"recurrentModule": masked_itself}), "a mask inside a mask"),
    ("modules too deep", deep_module, "inside"),
    ("nothing inside", Object("nn.Recursor"), "no module inside"),
    ("no criterion inside", Object("nn.SequencerCriterion", {"clones": []}), "no criterion inside"),
    ("a position of 0", Object("nn.SelectTable", {"index": 0}), "index = 0"),
    ("a position that is no number", Object("nn.SelectTable", {"index": "last"}), "index = 'last'"),
    ("sizes larger than their storage", Object("nn.View", {"size": Tensor(np.array([1]), (2**31,), (0,))}), "repeats"),
    ("an old dropout", Object("nn.Dropout", {"p": 0.5, "v2": False}), "evaluate mode"),
    ("a dropout of everything", Object("nn.Dropout", {"p": 1.5}), "p=1.5"),
    ("one bias for all", Object("nn.Add", {"bias": one, "scalar": True}), "scalar = True"),
    ("another reward", Object("nn.VRClassReward", {"sizeAverage": False}), "sizeAverage = False"),
    ("actions that are given out", Object("nn.RecurrentAttention", {"forwardActions": True}), "forwardActions = True"),
    ("endless patches", Object("nn.SpatialGlimpse", {"size": 4, "depth": 2**40}), "depth = 1099511627776"),
    ("slopes of another size", Object("nn.PReLU", {"weight": one, "nOutputPlane": 3}), "nOutputPlane = 3"),
    ("a bottle of a reduction", container("Bottle", Object("nn.Max", {"dimension": 1})), "a Max inside"),
    ("a cell without parameters", Object("nn.LSTM", {"recurrentModule": Object("nn.Tanh")}), "shapes none"),
    ("a cell of another kind", Object("nn.LSTM", MADE["GRU"][0].fields), "parameters of shapes"),
    ("a start state of any size", Object("nn.GRU", MADE["GRU"][0].fields | {"startState": huge}), "repeats"),
    ("one direction", Object("nn.SeqBRNN", {"modules": [container("Sequential", linear())]}), "other modules inside"),
    ("no way back", container("ReverseUnreverse", container("Sequential", linear())), "1 modules in a row"),
    ("two kinds of cells", Object("nn.SeqBLSTM", MADE["SeqBGRU"][0].fields), "a SeqGRU inside"),
    ("a merge module over time", Object("nn.SeqBRNN", both_ways(*[MADE["SeqLSTM"][0]] * 2, itself)), "several layers"),
]


@FORMS
@pytest.mark.parametrize(("value", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(value, message, form):
    check_refused(value, message, form)


@pytest.mark.parametrize("name", ["FastLSTM", "GRU", "LSTM", "LinearRNN", "LookupRNN", "MuFuRu"])
def test_no_cell_is_made_before_its_parameters_fit(name):
    long = np.ones((60_000, 1))  # of a cell with 60000 features, which would take 28 GB
    table = Object("nn.LookupTableMaskZero", {"weight": long.T})
    step = container("Sequential", table, linear()) if name == "LookupRNN" else step_of(long, long[:, 0])
    fields = {"recurrentModule": step, "ops": ["keep"] * 5, "outputSize": [4], "nInputDim": 1}
    data = written(Object(f"nn.{name}", fields))
    tracemalloc.start()
    assert isinstance(load_or_refuse(data), ValueError)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e7


def test_modules_that_share_a_storage_take_no_endless_memory():
    own = linear(100, 100)
    few = [Object("nn.Linear", dict(own.fields)) for _ in range(5)]
    assert len(read(few)) == 5
    with pytest.raises(ValueError, match="share their tensors or tables"):
        read([Object("nn.Linear", dict(own.fields)) for _ in range(100)])
    several = {"criterions": [Object("nn.MSECriterion") for _ in range(1000)], "weights": [1] * 1000}
    with pytest.raises(ValueError, match="share their tensors or tables"):
        read([Object("nn.ParallelCriterion", several) for _ in range(100)])


def test_a_chain_of_references_is_not_followed_too_far():
    chain = [Object("nn.Tanh")]
    for _ in range(3000):
        chain.append(container("Sequential", chain[-1]))
    with pytest.raises(ValueError, match="inside"):
        read(Object("nn.Sequential", {"_ignored": chain, "modules": chain[-1:]}))
    twice = [linear()]
    for _ in range(60):
        twice.append(container("Sequential", twice[-1], twice[-1]))
    with pytest.raises(ValueError, match="parameters of shapes"):
        read(Object("nn.LSTM", {"_ignored": twice, "recurrentModule": twice[-1]}))


numbers = [None, True, -1, 0, 3, 2.5, 2**40, 1e300, float("inf"), "text", [], [1], {"a": 1}]
arrays = [np.ones(2), np.ones((2, 2), "f4"), np.ones((1, 1, 1)), np.arange(3), Tensor(one, (3, 3), (0, 0))]
objects = [linear(), Object("nn.Tanh"), container("Sequential"), Object("nn.MSECriterion"), Object("nn.Foo")]
JUNK = [*numbers, *arrays, *objects, container("MaskZero", linear()), Object("nn.Recursor", {"module": linear()})]


@pytest.mark.parametrize("name", [name for name in MADE if name.partition(",")[0] not in torch7._PLAIN])
@given(data=st.data())
def test_whatever_is_inside_gives_a_module_or_an_error(name, data):
    own = copy.deepcopy(MADE[name][0])
    for _ in range(data.draw(st.integers(1, 3))):
        places = slots(own)
        if places:
            (owner, key), (other, another) = (places[data.draw(st.integers(0, len(places) - 1))] for _ in range(2))
            is_moved = data.draw(st.booleans())
            value = other[another] if is_moved else copy.deepcopy(data.draw(st.sampled_from(JUNK)))
            value = value[1] if isinstance(value, tuple) else value
            owner[key] = (owner[key][0], value) if isinstance(owner[key], tuple) else value  # a key and its value
    load_or_refuse(written(own))
