"""Torch7's serialised files: samples that the original wrote (`torch7/`), and files made here."""

import gzip
import re
import struct
import tempfile
import tracemalloc
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.interop import load_torch7, torch7
from numrnn.interop.torch7_format import reader_of

FOLDER = Path(__file__).parent / "torch7"
MODELS = ("bisequencer", "fast_lstm", "gru", "lstm", "mlp", "program", "recurrent", "seq_gru", "seq_lstm")
NEEDS = {"bisequencer": "BiSequencer", "seq_gru": "SeqGRU", "seq_lstm": "SeqLSTM"}
FORMS = pytest.mark.parametrize("form", ["", "_ascii"], ids=["binary", "ascii"])
SMALL = [f"{name}{form}" for name in ("mlp", "recurrent", "seq_gru", "tensors") for form in ("", "_ascii")]


def sample(name: str) -> bytes:
    return gzip.decompress((FOLDER / f"{name}.t7.gz").read_bytes())


def load(data: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.t7"
        path.write_bytes(data)
        return load_torch7(path)


def load_sample(name: str) -> Any:
    missing = next((needed for model, needed in NEEDS.items() if name.startswith(model)), None)
    if missing and not hasattr(nr, missing) and not name.endswith("_case"):
        pytest.skip(f"needs {missing}")
    return load(sample(name))


# ---- files made here -------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Object:
    """An object of one of the original's classes."""

    class_name: str
    fields: Any = field(default_factory=dict)


@dataclass(eq=False)
class Tensor:
    """A tensor of a storage; `first` counts from 1."""

    storage: np.ndarray
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    first: int = 1
    class_name: str = ""
    storage_class: str = ""


@dataclass(eq=False)
class Raw:
    """Whole numbers and strings, written as they are."""

    items: tuple[Any, ...]


KINDS = {
    "u1": "Byte",
    "i1": "Char",
    "i2": "Short",
    "i4": "Int",
    "i8": "Long",
    "f2": "Half",
    "f4": "Float",
    "f8": "Double",
}


class Writer:
    """Writes what a reader should read."""

    def __init__(self, is_ascii: bool) -> None:
        self.is_ascii, self.out = is_ascii, b""
        self.indices: dict[Any, tuple[int, Any]] = {}  # by id, with the values themselves, which keeps the ids theirs

    def whole(self, *values: int, bits: int = 32) -> None:
        if self.is_ascii:
            self.out += " ".join(map(str, values)).encode() + b"\n" * bool(values)
        else:
            self.out += b"".join(value.to_bytes(bits // 8, "little", signed=True) for value in values)

    def text(self, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode()
        self.whole(len(data))
        self.out += data + b"\n" * (self.is_ascii and bool(data))

    def is_known(self, kind: int, value: Any, part: str = "") -> bool:
        self.whole(kind)
        is_known = (id(value), part) in self.indices
        index, _ = self.indices.setdefault((id(value), part), (len(self.indices) + 1, value))
        self.whole(index)
        return is_known

    def value(self, value: Any) -> None:
        match value:
            case None:
                self.whole(0)
            case bool():
                self.whole(5, int(value))
            case int() | float():
                self.whole(1)
                self.out += f"{value:.17g}\n".encode() if self.is_ascii else struct.pack("<d", value)
            case str() | bytes():
                self.whole(2)
                self.text(value)
            case Raw():
                for item in value.items:
                    self.whole(item) if isinstance(item, int) else self.text(item)
            case list() | tuple():
                self.table(value, dict(enumerate(value, 1)))
            case dict():
                self.table(value, value)
            case Object():
                if not self.is_known(4, value):
                    self.text("V 1")
                    self.text(value.class_name)
                    self.value(value.fields)
            case np.ndarray():
                strides = tuple(stride // value.itemsize for stride in value.strides)
                storage = value if value.base is None else value.base
                first = (value.ctypes.data - storage.ctypes.data) // value.itemsize + 1
                self.tensor(value, Tensor(storage, value.shape, strides, first))
            case Tensor():
                self.tensor(value, value)

    def table(self, owner: Any, entries: dict[Any, Any]) -> None:
        if not self.is_known(3, owner):
            self.whole(len(entries))
            for pair in entries.items():
                for value in pair:
                    self.value(value)

    def tensor(self, owner: Any, tensor: Tensor) -> None:
        if self.is_known(4, owner):
            return
        kind = KINDS[tensor.storage.dtype.str[1:]]
        self.text("V 1")
        self.text(tensor.class_name or f"torch.{kind}Tensor")
        self.whole(len(tensor.shape))
        self.whole(*tensor.shape, bits=64)
        self.whole(*tensor.strides, bits=64)
        self.whole(tensor.first, bits=64)
        if not self.is_known(4, tensor.storage, "storage"):
            self.text("V 1")
            own = tensor.class_name.replace("Tensor", "Storage") or f"torch.{kind}Storage"
            self.text(tensor.storage_class or own)
            self.whole(tensor.storage.size, bits=64)
            if self.is_ascii and tensor.storage.itemsize > 1:
                digits = "d" if tensor.storage.dtype.kind == "i" else ".17g"
                self.out += " ".join(f"{x:{digits}}" for x in tensor.storage.ravel()).encode() + b"\n"
            else:
                self.out += tensor.storage.tobytes() + b"\n" * self.is_ascii


def written(value: Any, form: str = "") -> bytes:
    writer = Writer(bool(form))
    writer.value(value)
    return writer.out


def read(value: Any, form: str = "") -> Any:
    return load(written(value, form))


def linear(rows: int = 2, columns: int = 3, kind: str = "f8", **fields: Any) -> Object:
    weight = np.arange(rows * columns, dtype=kind).reshape(rows, columns).copy()
    return Object("nn.Linear", {"weight": weight, "bias": np.ones(rows, kind), **fields})


def container(name: str, *parts: Any, **fields: Any) -> Object:
    return Object(f"nn.{name}", {"modules": list(parts), **fields})


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


def same(first: Any, second: Any) -> bool:
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.strides == second.strides and np.array_equal(first, second)
    if isinstance(first, nr.Module):
        return repr(first) == repr(second) and same(first.state_dict(), second.state_dict())
    return type(first) is type(second) and first == second


@pytest.mark.parametrize("name", [*MODELS, "tensors"])
def test_both_forms_hold_the_same(name):
    assert same(load_sample(name), load_sample(f"{name}_ascii"))


@FORMS
def test_the_sample_of_tensors_keeps_types_shapes_and_strides(form):
    values = load_sample(f"tensors{form}")
    assert {name: values[name] for name in ("flag", "list", "scalar", "name")} == {
        "flag": True,
        "list": [1, 2, [3, "x"]],
        "scalar": 2.5,
        "name": "numbers",
    }
    assert values["double"].dtype == "f8"
    assert values["float"].dtype == "f4"
    np.testing.assert_array_equal(values["long"], np.array([1, -2, 3], "i8"), strict=True)
    np.testing.assert_array_equal(values["byte"], np.array([0, 255], "u1"), strict=True)
    assert values["transposed"].shape == (4, 3)
    assert values["transposed"].T.flags.c_contiguous
    assert values["narrow"].shape == (5, 3)
    assert values["narrow"].strides == (40, 8)
    assert values["empty"].shape == (0,)


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


# ---- values ----------------------------------------------------------------------------------------------------------

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False).filter(lambda x: not (x.is_integer() and abs(x) < 2**53) or str(x) == "-0.0")
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner.filter(lambda value: value is not None), max_size=4)
        | st.dictionaries(st.text(max_size=5), inner.filter(lambda value: value is not None), min_size=1, max_size=4)
    ),
    max_leaves=12,
)


@FORMS
@given(value=plain)
def test_plain_values_come_back(form, value):
    assert repr(read(value, form)) == repr(value)


@FORMS
@given(kind=st.sampled_from(sorted(KINDS)), rows=st.integers(1, 4), columns=st.integers(1, 4), step=st.integers(1, 3))
def test_tensors_come_back_with_their_strides(form, kind, rows, columns, step):
    storage = np.arange(rows * columns * step + 2).astype(kind)
    view = storage[2:].reshape(rows, columns, step)[:, :, 0].T
    view = np.ndarray(view.shape, view.dtype, storage, 2 * storage.itemsize, view.strides)
    loaded = read(view, form)
    np.testing.assert_array_equal(loaded, view, strict=True)
    assert loaded.strides == view.strides
    assert loaded.flags.writeable


@FORMS
def test_extreme_numbers_come_back(form):
    values = np.array([np.inf, -np.inf, np.nan, 5e-324, 1.7976931348623157e308, -0.0, 0.1])
    np.testing.assert_array_equal(read(values, form), values, strict=True)
    whole = np.array([-(2**63), 2**63 - 1])
    np.testing.assert_array_equal(read(whole, form), whole, strict=True)
    assert read(float("inf"), form) == float("inf")
    assert np.isnan(read(float("nan"), form))
    assert str(read(-0.0, form)) == "-0.0"


@FORMS
def test_strings_may_hold_any_bytes(form):
    assert read(b"a\n\x00b\xc3\xa9", form) == "a\n\0bé"
    assert read(b"\xff", form).encode("utf-8", "surrogateescape") == b"\xff"
    assert read({"": ""}, form) == {"": ""}


@FORMS
def test_a_storage_and_tensors_of_other_machines_are_arrays(form):
    storage = Raw((4, 1, "V 1", "torch.CharStorage"))
    writer = Writer(bool(form))
    writer.value(storage)
    writer.whole(3, bits=64)
    writer.out += b"\x01\x02\xff" + b"\n" * bool(form)
    np.testing.assert_array_equal(load(writer.out), np.array([1, 2, -1], "i1"), strict=True)
    values = np.arange(3, dtype="f4")
    loaded = read(Tensor(values, (3,), (1,), class_name="torch.CudaTensor"), form)
    np.testing.assert_array_equal(loaded, values, strict=True)
    loaded = read(Tensor(values.astype("i8"), (3,), (1,), class_name="torch.CudaLongTensor"), form)
    np.testing.assert_array_equal(loaded, values.astype("i8"), strict=True)


@FORMS
def test_keys_that_are_not_one_to_n_make_a_dict(form):
    assert read({1: "a", 3: "b"}, form) == {1: "a", 3: "b"}
    assert read({2: "b", 1: "a"}, form) == ["a", "b"]
    assert read({1.5: "a", True: "b"}, form) == {1.5: "a", True: "b"}
    assert read({}, form) == []
    assert read({"gone": None, "here": 1}, form) == {"here": 1}


# ---- shared references -----------------------------------------------------------------------------------------------


@FORMS
def test_what_is_one_object_in_the_file_is_one_here(form):
    table, part, storage = {"a": 1}, linear(), np.arange(6.0)
    whole = np.ndarray((6,), storage.dtype, storage)
    half = np.ndarray((3,), storage.dtype, storage, 24)
    first, second, one, two, model, again = read([table, table, whole, half, container("Sequential", part), part], form)
    assert first is second
    one[3:] = 7
    assert two.tolist() == [7, 7, 7]
    assert model[0] is again


@FORMS
def test_a_table_may_contain_itself(form):
    table: dict[str, Any] = {}
    table["self"], table["list"] = table, [table]
    loaded = read(table, form)
    assert loaded["self"] is loaded
    assert loaded["list"][0] is loaded


@FORMS
def test_an_expanded_tensor_is_read_only(form):
    row = np.arange(3.0)
    loaded = read(Tensor(row, (4, 3), (0, 1)), form)
    np.testing.assert_array_equal(loaded, np.broadcast_to(row, (4, 3)), strict=True)
    assert not loaded.flags.writeable
    assert not read(Tensor(row, (2, 2), (1, 1)), form).flags.writeable
    assert read(Tensor(row, (3, 1, 1), (1, 0, 0)), form).flags.writeable


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


NAMES = [
    "Abs",
    "CAddTable",
    "CDivTable",
    "CMaxTable",
    "CMinTable",
    "CMulTable",
    "CSubTable",
    "CopyGrad",
    "DotProduct",
    "Exp",
    "FlattenTable",
    "Identity",
    "Log",
    "LogSigmoid",
    "LogSoftMax",
    "MSECriterion",
    "ReLU6",
    "ReverseTable",
    "Sigmoid",
    "SoftMax",
    "SoftMin",
    "SoftSign",
    "Sqrt",
    "Square",
    "Tanh",
    "TanhShrink",
    "ZeroGrad",
    "ZipTable",
]


@pytest.mark.parametrize("name", NAMES)
def test_classes_without_arguments_go_by_their_names(name):
    if not hasattr(nr, name):
        pytest.skip(f"needs {name}")
    buffers = {"tanh": Object("nn.Tanh")} if name == "TanhShrink" else {}
    buffers |= {"output": np.ones(3), "gradInput": [], "_type": "torch.DoubleTensor", "_buffer": 7.0, "inplace": True}
    made = read(Object(f"nn.{name}", buffers))
    assert type(made) is getattr(nr, name)


ARGUMENTS = [
    ("AddConstant", {"constant_scalar": 1.5}, (1.5,)),
    ("Clamp", {"min_val": -1, "max_val": 2}, (-1, 2)),
    ("Clip", {"minval": -1, "maxval": 2}, (-1, 2)),
    ("ClassNLLCriterion", {"sizeAverage": False, "ignoreIndex": 2}, (None, False, 1)),
    ("ClassNLLCriterion", {"sizeAverage": True, "ignoreIndex": -100}, ()),
    ("Dropout", {"p": 0.25, "v2": True, "lazy": False, "noise": np.ones(2)}, (0.25,)),
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
    ("AbsCriterion", {"sizeAverage": False}, (False,)),
    ("BCECriterion", {"sizeAverage": False}, (None, False)),
    ("CrossEntropyCriterion", {"nll": Object("nn.ClassNLLCriterion", {"sizeAverage": False})}, (None, False)),
    ("MSECriterion", {"sizeAverage": False}, (False,)),
    ("MarginCriterion", {"margin": 2, "sizeAverage": True}, (2,)),
    ("MultiMarginCriterion", {"p": 2, "margin": 3, "sizeAverage": False}, (2, None, 3, False)),
    ("Max", {"dimension": 2}, (1,)),
    ("Mean", {"dimension": 1, "nInputDims": 1, "sizeAverage": True, "squeeze": True}, (-1,)),
    ("MulConstant", {"constant_scalar": -2}, (-2,)),
    ("Narrow", {"dimension": 1, "index": 2, "length": 3}, (0, 1, 3)),
    ("NarrowTable", {"offset": 2, "length": 2}, (1, 2)),
    ("Padding", {"dim": 1, "pad": -2, "nInputDim": 1, "value": 0.5, "index": 1}, (-1, -2, 0.5)),
    ("Power", {"pow": 3}, (3,)),
    ("ReLU", {"threshold": 0, "val": 0}, ()),
    ("Reshape", {"size": np.array([2, 3]), "nelement": 6, "batchsize": np.array([1, 2, 3])}, (2, 3)),
    ("SAdd", {"addend": -1, "negate": True}, (-1, True)),
    ("SeqReverseSequence", {"dim": 2}, (1,)),
    ("Select", {"dimension": 1, "index": -1}, (0, -1)),
    ("Select", {"dimension": 2, "index": 3}, (1, 2)),
    ("SelectTable", {"index": 2}, (1,)),
    ("SelectTable", {"index": -1}, (-1,)),
    ("SoftPlus", {"beta": 2, "threshold": 20}, (2,)),
    ("SoftShrink", {"lambda": 0.25}, (0.25,)),
    ("SplitTable", {"dimension": 1, "nInputDims": 2}, (-2,)),
    ("Squeeze", {"dim": 2}, (1,)),
    ("Sum", {"dimension": 1, "sizeAverage": True, "squeeze": False}, (0, True, False)),
    ("Threshold", {"threshold": 0.2, "val": -1}, (0.2, -1)),
    ("Transpose", {"permutations": [[1, 2], [2, 3]]}, ((0, 1), (1, 2))),
    ("Transpose", {"permutations": [[1, 2]], "numInputDims": 2}, ((-2, -1),)),
    ("Unsqueeze", {"pos": 2}, (1,)),
    ("Unsqueeze", {"pos": 1, "numInputDims": 1}, (-2,)),
    ("View", {"size": np.array([-1, 4]), "numElements": -4}, (-1, 4)),
]


@FORMS
@pytest.mark.parametrize(
    ("name", "fields", "arguments"), ARGUMENTS, ids=[f"{row[0]} {k}" for k, row in enumerate(ARGUMENTS)]
)
def test_arguments_are_read_and_positions_count_from_zero(name, fields, arguments, form):
    if not hasattr(nr, name):
        pytest.skip(f"needs {name}")
    made, expected = read(Object(f"nn.{name}", fields), form), getattr(nr, name)(*arguments)
    settings = [
        {key: value for key, value in vars(module).items() if isinstance(value, int | float | str | tuple | type(None))}
        for module in (made, expected)
    ]
    assert type(made) is type(expected)
    assert settings[0] == settings[1]


@pytest.mark.parametrize(("padding", "expected"), [(0, None), (3, 2)])
def test_the_padding_of_a_lookup_table_counts_from_zero(padding, expected):
    layer = read(Object("nn.LookupTable", {"weight": np.ones((4, 2)), "paddingValue": padding}))
    assert layer.padding_value == expected
    assert layer.weight.shape == (4, 2)


def test_learned_weights_are_read():
    weight = np.arange(1.0, 4)
    assert read(Object("nn.Add", {"bias": weight})).bias.tolist() == [1, 2, 3]
    assert read(Object("nn.CMul", {"weight": weight})).weight.tolist() == [1, 2, 3]
    assert read(Object("nn.CMul", {"weight": np.ones((1, 2, 3))})).weight.shape == (2, 3)
    assert read(Object("nn.Mul", {"weight": weight[:1].copy()})).weight.tolist() == [1]
    assert read(Object("nn.PReLU", {"weight": np.ones(1), "nOutputPlane": 0})).weight.tolist() == [1]
    words = read(Object("nn.LookupTableMaskZero", {"weight": np.ones((5, 2)), "paddingValue": 0}))
    assert words(np.array([0, 4])).sum(axis=1).tolist() == [0, 2]
    fields = {"weight": np.ones((2, 3, 4)), "bias": np.arange(2.0)}
    assert read(Object("nn.Bilinear", fields)).parameters()[0][0].shape == (2, 3, 4)


def test_batch_normalization_keeps_its_averages():
    averages = {"running_mean": np.arange(3.0), "running_var": np.full(3, 4.0), "eps": 1e-3, "momentum": 0.2}
    layer = read(Object("nn.BatchNormalization", {**averages, "train": False}))
    np.testing.assert_allclose(layer(np.full((2, 3), 2.0)), [(2 - np.arange(3.0)) / np.sqrt(4.001)] * 2)
    layer = read(Object("nn.BatchNormalization", {**averages, "weight": np.full(3, 5.0), "bias": np.ones(3)}))
    assert layer.is_training
    assert layer.weight.tolist() == [5, 5, 5]
    assert layer.momentum == 0.2


def test_modes_are_those_of_the_file():
    dropout = Object("nn.Dropout", {"p": 0.5, "v2": True, "train": True})
    model = read(container("Sequential", linear(train=False), dropout, Object("nn.Tanh"), train=False))
    assert [module.is_training for module in (model, *model.children())] == [False, False, True, False]
    assert read(linear()).is_training


def test_a_sequencer_remembers_as_in_the_file_and_needs_no_recursor():
    recursor = Object("nn.Recursor", {"recurrentModule": linear(), "rho": 5})
    model = read(Object("nn.Sequencer", {"module": recursor, "_remember": "eval"}))
    assert isinstance(model.module, nr.Linear)
    assert [model.training().remembers, model.evaluate().remembers] == [False, True]
    recursor = read(recursor)
    assert (type(recursor), recursor.rho) == (nr.Recursor, 5)
    with pytest.raises(ValueError, match="remember"):
        read(Object("nn.Sequencer", {"module": linear(), "_remember": "never"}))


# Cells as the original builds them: the arrays in the order of its `parameters()`.


def step_of(*arrays: np.ndarray) -> Object:
    parts = [Object("nn.Linear", {"weight": array} if array.ndim == 2 else {"bias": array}) for array in arrays]
    return container("Sequential", container("ConcatTable", *parts[:3]), Object("nn.Tanh"), *parts[3:])


def cell(name: str, module: nr.Module, **fields: Any) -> Object:
    step = step_of(*[np.array(parameter, "f8") for parameter in module.parameters()[0]])
    return Object(f"nn.{name}", {"recurrentModule": step, "modules": [step], "sharedClones": [step], **fields})


@pytest.mark.parametrize("peepholes", [True, False])
def test_cells_of_every_kind_come_back(peepholes):
    lstm = nr.LSTM(3, 4, cell2gate=peepholes)
    for name, module, options in (
        ("LSTM", lstm, {"cell2gate": peepholes}),
        ("FastLSTM", nr.FastLSTM(3, 4), {}),
        ("GRU", nr.GRU(3, 4), {}),
    ):
        loaded = read(cell(name, module, rho=7, p=0, mono=False, **options))
        assert (type(loaded), loaded.rho, loaded.input_size, loaded.hidden_size) == (type(module), 7, 3, 4)
        assert same(loaded.state_dict(), module.astype("f8").state_dict())


@pytest.mark.parametrize("name", ["LSTM", "FastLSTM", "GRU"])
def test_cells_with_dropout_come_back(name):
    module = getattr(nr, name)(3, 4, p=0.25, mono=True)
    loaded = read(cell(name, module, p=0.25, mono=True, train=False))
    assert (loaded.p, loaded.mono, loaded.is_training) == (0.25, True, False)
    assert same(loaded.state_dict(), module.astype("f8").state_dict())


def test_a_start_state_comes_back():
    h, c = np.ones((2, 4)), np.full((2, 4), 2.0)
    model = nr.LSTM(3, 4)
    loaded = read(cell("LSTM", model, userPrevOutput=h, userPrevCell=c))
    model.astype("f8").set_hidden_state(0, [h, c])
    x = np.zeros((2, 3))
    np.testing.assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("method", ["mask_zero", "trim_zero"])
def test_masked_cells_are_masked(method):
    if not hasattr(nr.LSTM, method):
        pytest.skip(f"needs LSTM.{method}")
    model = nr.GRU(3, 4)
    own = cell("GRU", model)
    masked = {"mask_zero": "nn.MaskZero", "trim_zero": "nn.TrimZero"}[method]
    own.fields["recurrentModule"] = Object(masked, {"modules": [own.fields["recurrentModule"]], "nInputDim": 1})
    loaded = read(own)
    getattr(model.astype("f8"), method)(1)
    for x in (np.ones((2, 3)), np.array([[0.0, 0, 0], [1, 2, 3]])):
        np.testing.assert_array_equal(loaded(x), model(x))


SEQUENCES = [
    ("SeqLSTM", (3, 4), {"inputsize": 3, "hiddensize": 4, "batchfirst": False, "maskzero": False}, {}),
    ("SeqLSTM", (3, 4), {"batchfirst": True, "maskzero": True}, {"batch_first": True, "mask_zero": True}),
    ("SeqGRU", (3, 4), {"inputSize": 3, "outputSize": 4, "batchfirst": True}, {"batch_first": True}),
    ("SeqLSTMP", (3, 4, 2), {"outputsize": 2}, {}),
]


@pytest.mark.parametrize(("name", "sizes", "fields", "options"), SEQUENCES)
def test_modules_over_sequences_come_back(name, sizes, fields, options):
    if not hasattr(nr, name):
        pytest.skip(f"needs {name}")
    model = getattr(nr, name)(*sizes, **options).astype("f8")
    arrays = dict(zip(("weight", "bias", "weightO"), model.parameters()[0], strict=False))
    loaded = read(Object(f"nn.{name}", {**fields, **arrays}))
    assert same(loaded, model)
    x = np.arange(30.0).reshape(5, 2, 3)
    x[:, :1] = 0
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_bi_sequencer_has_its_own_modules():
    if not hasattr(nr, "BiSequencer"):
        pytest.skip("needs BiSequencer")
    forward, backward, merge = nr.GRU(3, 4).astype("f8"), nr.GRU(3, 4).astype("f8"), Object("nn.CAddTable")
    recursor = Object("nn.Recursor", {"recurrentModule": merge})
    modules = {"forwardModule": cell("GRU", forward), "backwardModule": cell("GRU", backward), "mergeModule": recursor}
    x = [np.ones((2, 3)), np.zeros((2, 3)), np.full((2, 3), 2.0)]
    expected = nr.BiSequencer(forward, backward, nr.CAddTable())(x)
    np.testing.assert_array_equal(read(Object("nn.BiSequencer", modules))(x), expected)


def test_modules_around_others_come_back():
    for name, fields, arguments in (
        ("MaskZero", {"modules": [linear()], "nInputDim": 1}, (1,)),
        ("TrimZero", {"modules": [linear()], "nInputDim": 1}, (1,)),
        ("Repeater", {"module": linear(3, 3), "nStep": 4}, (4,)),
        ("Recurrence", {"recurrentModule": container("Sequential", Object("nn.CAddTable")), "nInputDim": 1}, (3, 1)),
        ("MapTable", {"module": linear()}, ()),
    ):
        if hasattr(nr, name):
            part = fields.get("module") or fields.get("recurrentModule") or fields["modules"][0]
            sizes = {"outputSize": {1: 3}, "rho": 7} if name == "Recurrence" else {}
            expected = getattr(nr, name)(read(part), *arguments)
            loaded = read(Object(f"nn.{name}", {**fields, **sizes}))
            assert repr(loaded) == repr(expected)
            assert getattr(loaded, "rho", 7) in (7, *arguments)


# ---- what is refused -------------------------------------------------------------------------------------------------

deep_module: Any = Object("nn.Tanh")
for _ in range(torch7.MOST_MODULES + 1):
    deep_module = container("Sequential", deep_module)
itself = container("Sequential")
itself.fields["modules"] = [itself]
one = np.ones(1)

REFUSED = [
    ("a function", Raw((6, 3, "abc", 0)), "a function"),
    ("a function with upvalues", Raw((8, 1, 3, "abc", 0)), "a function"),
    ("an old function", {"f": Raw((7, 2, 3, "abc", 0))}, "a function"),
    ("an unknown type", Raw((9,)), "unknown type 9"),
    ("a negative type", {"x": Raw((-1,))}, "unknown type -1"),
    ("a boolean of 2", Raw((5, 2)), "the boolean 2"),
    ("a class outside nn", Object("torch.Timer"), "torch.Timer"),
    ("a class of the system", Object("os.system", {"command": "true"}), "os.system"),
    ("a tensor of no type", Object("torch.Tensor"), "torch.Tensor"),
    ("a graph", Object("nn.gModule", {"fg": Object("graph.Graph")}), "nn.gModule"),
    ("an unknown layer", container("Sequential", Object("nn.SpatialConvolution")), "nn.SpatialConvolution"),
    ("a base class", container("Container"), "nn.Container"),
    ("a node", [Object("nngraph.Node")], "nngraph.Node"),
    ("a function of the library", Object("nn.load_torch7"), "nn.load_torch7"),
    ("an object without fields", Object("nn.Tanh", "text"), "'text' as the fields"),
    ("parameters of bytes", linear(kind="u1"), "parameters of uint8"),
    ("two element types", linear(weight=np.ones((2, 3), "f4")), "parameters of float32, float64"),
    ("a bias of another size", linear(bias=np.ones(4)), r"shapes \(2, 3\), \(4,\)"),
    ("a weight that is a table", linear(weight=[1, 2]), "weight = table of 2"),
    ("a weight larger than its storage", linear(weight=Tensor(one, (1000, 1000), (0, 0))), "repeats elements"),
    ("a list of modules with a hole", Object("nn.Sequential", {"modules": {1: linear(), 3: linear()}}), "modules ="),
    ("a module that is a number", container("Sequential", 3), "modules ="),
    ("a module inside itself", itself, "inside itself"),
    ("a position of 0", Object("nn.SelectTable", {"index": 0}), "index = 0"),
    ("a position that is no number", Object("nn.SelectTable", {"index": "last"}), "index = 'last'"),
    ("an old dropout", Object("nn.Dropout", {"p": 0.5, "v2": False}), "evaluate mode"),
    ("a dropout of everything", Object("nn.Dropout", {"p": 1.5}), "p=1.5"),
    ("one bias for all", Object("nn.Add", {"bias": one, "scalar": True}), "scalar = True"),
    ("a cell without parameters", Object("nn.LSTM", {"recurrentModule": Object("nn.Tanh")}), "shapes none"),
    ("a cell of another kind", cell("LSTM", nr.GRU(3, 4)), "parameters of shapes"),
    ("a cell of huge sizes", Object("nn.GRU", {"recurrentModule": step_of(np.ones((20000, 1)))}), "of shapes"),
    ("a tensor as a key", Raw((3, 1, 1, 4, 2, "V 1", "torch.IntTensor", 0)), ""),
    ("nan as a key", {float("nan"): 1}, "as a key"),
    ("nil as a key", {None: 1}, "as a key"),
    ("a key twice", Raw((3, 1, 2, 2, "a", 0, 2, "a")), ""),
    ("a tensor beyond its storage", Tensor(np.ones(4), (2, 3), (3, 1)), r"sizes \[2, 3\]"),
    ("a tensor before its storage", Tensor(np.ones(4), (2,), (1,), 0), "from element 0"),
    ("a negative stride", Tensor(np.ones(4), (2,), (-1,), 2), r"strides \[-1\]"),
    ("a negative size", Tensor(np.ones(4), (-2,), (1,)), r"sizes \[-2\]"),
    ("a size of zero", Tensor(np.ones(4), (0, 2), (1, 1)), r"sizes \[0, 2\]"),
    ("an endless tensor", Tensor(one, (2**40, 2**40), (0, 0)), r"sizes \[1099511627776, 1"),
    (
        "a storage of another type",
        Tensor(np.ones(1, "f4"), (1,), (1,), class_name="torch.IntTensor", storage_class="torch.FloatStorage"),
        "float32 array",
    ),
    ("too many dimensions", Tensor(one, (1,) * 33, (1,) * 33), "33 dimensions"),
    ("a tensor of a table", Raw((4, 1, "V 1", "torch.IntTensor", 0)), ""),
    ("modules too deep", deep_module, "inside"),
    ("a reference to the future type", Raw((3, 1, 1, 1)), ""),
]


@FORMS
@pytest.mark.parametrize(("value", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(value, message, form, tmp_path):
    path = tmp_path / "some.t7"
    path.write_bytes(written(value, form))
    place = r"at line \d+" if form else r"at byte \d+"
    with pytest.raises(ValueError, match=rf"(?s)^load_torch7\('.*some\.t7'\): got .*{message}.*{place}; expects "):
        load_torch7(path)


@pytest.mark.parametrize("size", [-1, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("head", [(2,), (3, 1), (4, 1), (4, 1, "V 1")], ids=["string", "table", "version", "class"])
@FORMS
def test_no_size_is_believed(size, head, form):
    with pytest.raises(ValueError, match=f"of size {size} at"):
        read(Raw((*head, size)), form)


@FORMS
@pytest.mark.parametrize("size", [-1, 2**62, 2**63 - 1, 10**9])
def test_no_size_of_a_storage_is_believed(size, form):
    writer = Writer(bool(form))
    writer.value(Raw((4, 1, "V 1", "torch.DoubleStorage")))
    writer.whole(size, bits=64)
    tracemalloc.start()
    with pytest.raises(ValueError, match=f"storage of size {size} at"):
        load(writer.out)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


size_or_stride = st.integers(0, 4) | st.sampled_from([-1, 2**31, 2**62, 2**63 - 1, -(2**63)])


@given(dimensions=st.lists(st.tuples(size_or_stride, size_or_stride), max_size=4), first=size_or_stride)
def test_a_tensor_of_any_sizes_and_strides_stays_inside_its_storage(dimensions, first):
    shape, strides = (tuple(pair[k] for pair in dimensions) for k in range(2))
    storage = np.arange(6.0)
    loaded = load_or_refuse(written(Tensor(storage, shape, strides, first)))
    if isinstance(loaded, np.ndarray) and shape:
        assert loaded.shape == shape
        places = first - 1 + sum(index * stride for index, stride in zip(np.indices(shape), strides, strict=True))
        np.testing.assert_array_equal(loaded, storage[places])


def test_modules_that_share_a_storage_take_no_endless_memory():
    own = linear(100, 100)
    few = [Object("nn.Linear", dict(own.fields)) for _ in range(5)]
    assert len(read(few)) == 5
    with pytest.raises(ValueError, match="share their storages"):
        read([Object("nn.Linear", dict(own.fields)) for _ in range(100)])


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


@FORMS
@pytest.mark.parametrize("more", [b"\x00", b"1", b"\x01\x00\x00\x00"])
def test_nothing_may_follow(more, form):
    with pytest.raises(ValueError, match=rf"{len(more)} more bytes after the value"):
        load(written({"a": 1}, form) + more)


def test_an_empty_and_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="an empty file"):
        load(b"")
    with pytest.raises(ValueError, match="got"):
        load(b"PK\x03\x04 something else")
    with pytest.raises(FileNotFoundError):
        load_torch7(tmp_path / "missing.t7")


# ---- damage ----------------------------------------------------------------------------------------------------------


def load_or_refuse(data: bytes) -> Any:
    """Return what a file holds, or the error; any other exception passes."""
    try:
        return load(data)
    except ValueError as error:
        if not re.search(r"file\.t7'\): got .* at (byte|line) \d+; expects ", str(error), re.DOTALL):
            raise AssertionError("a message without the file and the place") from error
        return error


@pytest.mark.parametrize("name", ["tensors", "tensors_ascii", "mlp", "mlp_ascii"])
def test_a_file_cut_off_anywhere_is_refused(name):
    data = sample(name)
    for size in range(len(data) - 1):
        assert isinstance(load_or_refuse(data[:size]), ValueError)
    # only the newline after a string at the very end of a file can be missing
    last = load_or_refuse(data[:-1])
    assert isinstance(last, ValueError) or (name.endswith("_ascii") and same(last, load(data)))


@pytest.mark.parametrize("name", [*MODELS, "program_case"])
@FORMS
@given(data=st.data())
def test_larger_files_cut_off_anywhere_are_refused(name, form, data):
    whole = sample(name if name.endswith("case") else name + form)
    assert isinstance(load_or_refuse(whole[: data.draw(st.integers(0, len(whole) - 2))]), ValueError)


@pytest.mark.parametrize("name", SMALL)
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4))
def test_flipped_bytes_give_an_array_of_other_numbers_or_an_error(name, flips):
    damaged = bytearray(sample(name))
    for where, change in flips:
        damaged[int(where * len(damaged))] ^= change
    load_or_refuse(bytes(damaged))


@pytest.mark.parametrize("name", SMALL)
@given(where=st.floats(0, 1), size=st.integers(0, 9), more=st.binary(max_size=9))
def test_bytes_lost_and_added_give_other_values_or_an_error(name, where, size, more):
    data = sample(name)
    start = int(where * len(data))
    load_or_refuse(data[:start] + more + data[start + size :])


@given(start=st.sampled_from([b"", b"\x03\x00\x00\x00\x01\x00\x00\x00", b"3\n1\n4\n"]), rest=st.binary(max_size=60))
def test_any_bytes_give_a_value_or_an_error(start, rest):
    load_or_refuse(start + rest)


numbers = [None, True, -1, 0, 3, 2.5, 1e300, float("inf"), "text", [], [1], {"a": 1}]
arrays = [np.ones(2), np.ones((2, 2), "f4"), np.ones((1, 1, 1)), np.arange(3), Tensor(one, (3, 3), (0, 0))]
junk = st.sampled_from([*numbers, *arrays, linear(), Object("nn.Tanh"), container("Sequential")])
MADE = {
    "bilinear": Object("nn.Bilinear", {"weight": np.ones((2, 3, 4)), "bias": np.ones(2)}),
    "cell": cell("LSTM", nr.LSTM(2, 2), userPrevOutput=np.ones(2), p=0, cell2gate=True, rho=3, _remember="neither"),
    "criterion": Object(
        "nn.SequencerCriterion", {"criterion": Object("nn.ClassNLLCriterion", {"weights": np.ones(3)})}
    ),
    "lookup": Object("nn.LookupTable", {"weight": np.ones((3, 2)), "paddingValue": 1, "maxNorm": 2.0, "normType": 2}),
    "normalization": Object("nn.BatchNormalization", {"running_mean": np.ones(2), "running_var": np.ones(2), "eps": 1}),
    "recurrent": Object(
        "nn.Recurrent",
        {f"{name}Module": Object("nn.Identity") for name in ("start", "input", "feedback", "transfer", "merge")},
    ),
    "sequencer": Object("nn.Sequencer", {"module": Object("nn.Recursor", {"recurrentModule": linear()})}),
    "sequential": container("Sequential", linear(), Object("nn.Tanh"), train=True),
    "seq_lstm": Object("nn.SeqLSTM", {"weight": np.ones((3, 8)), "bias": np.ones(8), "batchfirst": True}),
    **{f"{name} {k}": Object(f"nn.{name}", fields) for k, (name, fields, _) in enumerate(ARGUMENTS)},
}


@pytest.mark.parametrize("name", MADE)
@given(data=st.data())
def test_fields_of_any_kind_give_a_module_or_an_error(name, data):
    own = MADE[name]
    changed = {key: data.draw(junk | st.just(value)) for key, value in own.fields.items()}
    load_or_refuse(written(Object(own.class_name, changed)))
