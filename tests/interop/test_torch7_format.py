"""Torch7's serialised files as plain values: from bytes to numbers, strings, arrays and tables."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numrnn.interop import load_torch7, torch7_format
from tests.interop.torch7_files import (
    FORMS,
    KINDS,
    MODELS,
    Entries,
    Object,
    Raw,
    Storage,
    Tensor,
    Writer,
    check_refused,
    container,
    linear,
    load,
    load_or_refuse,
    load_sample,
    read,
    same,
    sample,
    written,
)

SMALL = [f"{name}{form}" for name in ("mlp", "recurrent", "seq_gru", "tensors") for form in ("", "_ascii")]


def plain(data: bytes) -> Any:
    """Return a file's plain values."""
    return torch7_format.reader_of("file.t7", data).read_file()


# ---- values ----------------------------------------------------------------------------------------------------------

values = st.recursive(
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
@given(value=values)
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
    whole = np.array([1, 2, -1], "i1")
    np.testing.assert_array_equal(read(Storage(whole), form), whole, strict=True)
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


@FORMS
def test_tables_and_objects_may_be_keys_of_what_is_left_alone(form):
    table, part = Entries([("a", 1)]), Object("nn.Tanh")
    index = Entries([(1, table), (table, 1), (part, True)])
    made = read([Object("nn.Tanh", {"index": index}), part, table], form)
    assert made[2] == {"a": 1}
    value = plain(written(index, form))
    assert value[value[1]] == 1
    check_refused(index, "as a key", form)


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


# ---- depth -----------------------------------------------------------------------------------------------------------


def nested(levels: int, kind: str) -> Any:
    """Return values of a kind, one inside the other."""
    value: Any = "bottom"
    for _ in range(levels):
        value = Object("nn.Tanh", {"buffer": value}) if kind == "objects" else Entries([(1, value)])
    return value


def test_tables_may_be_nested_deeply():
    data = written(nested(100_000, "tables"))
    value, depth = load(data), 0
    while isinstance(value, list):
        (value,), depth = value, depth + 1
    assert (value, depth) == ("bottom", 100_000)
    with pytest.raises(ValueError, match="the 5 bytes left"):
        load(data[:-1])


def test_objects_may_be_nested_deeply():
    value, depth = plain(written(nested(50_000, "objects"), "_ascii")), 0
    while isinstance(value, torch7_format.TorchObject):
        value, depth = value.fields["buffer"], depth + 1
    assert (value, depth) == ("bottom", 50_000)


@FORMS
def test_no_depth_is_endless(form, monkeypatch):
    monkeypatch.setattr(torch7_format, "MOST_NESTED", 100)
    assert len(read(nested(100, "tables"), form)) == 1
    check_refused(nested(101, "tables"), "a value inside 100 others", form)


# ---- what is refused -------------------------------------------------------------------------------------------------

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
    ("an object without fields", Object("nn.Tanh", "text"), "'text' as the fields"),
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
    ("a reference to the future type", Raw((3, 1, 1, 1)), ""),
]


@FORMS
@pytest.mark.parametrize(("value", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(value, message, form):
    check_refused(value, message, form)


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


@pytest.mark.parametrize("name", ["tensors", "tensors_ascii", "mlp", "mlp_ascii"])
def test_a_file_cut_off_anywhere_is_refused(name):
    data = sample(name)
    for size in range(len(data) - 1):
        with pytest.raises(ValueError, match=r"file\.t7'\): got .* at (byte|line) \d+; expects "):
            plain(data[:size])
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
