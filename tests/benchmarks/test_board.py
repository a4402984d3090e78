"""The board's own machinery: what is compared, judged and reported. No time is asserted."""

import sys

import numpy as np
import pytest

import numrnn as nr
from benchmarks import __main__ as program
from benchmarks import board, cells, check, data, measure, others, peers, report, timing
from benchmarks.marks import AtLeast, AtMost
from benchmarks.works import Product, Sequence


def a_row(**changes):
    """Return a row as `measure` makes it, in which numrnn takes 1 ms and PyTorch 2 ms."""
    time, ratio = ({"median": m, "low": m, "high": m} for m in (1e-3, 2.0))
    row = {"section": "LSTM training", "name": "LSTM train 5,10,64", "threads": 1, "unit": "s", "flops": 10**6}
    row |= {"shape": [5, 10, 64], "times": {"numrnn": time, "PyTorch": {**time, "median": 2e-3}}}
    row |= {"ratios": {"PyTorch": ratio}, "absent": {"JAX": "missing (jax not installed)"}, "wrong": {}, "marks": []}
    return row | changes


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def test_reset_after_gru_has_the_equations_of_the_peers():
    weights = data.layer("GRU", 3)
    x, _ = data.sequences(4, 2, 3)
    h, outputs = np.zeros((2, 3)), []
    for step in x:
        r, z, n = np.split(step @ weights.weight_x.T + weights.bias_x, 3, -1)
        rh, zh, nh = np.split(h @ weights.weight_h.T + weights.bias_h, 3, -1)
        z = sigmoid(z + zh)
        h = (1 - z) * np.tanh(n + sigmoid(r + rh) * nh) + z * h
        outputs.append(h)
    np.testing.assert_allclose(nr.Sequencer(cells.with_weights("GRU", weights)).forward(x), outputs, atol=1e-5)


def test_lstm_has_the_peers_order_of_gates():
    weights = data.layer("LSTM", 3)
    x, _ = data.sequences(4, 2, 3)
    h, c, outputs = np.zeros((2, 3)), np.zeros((2, 3)), []
    for step in x:
        a = step @ weights.weight_x.T + h @ weights.weight_h.T + weights.bias_x + weights.bias_h
        i, f, g, o = np.split(a, 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    np.testing.assert_allclose(nr.Sequencer(cells.with_weights("LSTM", weights)).forward(x), outputs, atol=1e-5)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gradients_come_back_in_the_order_of_the_weights(kind):
    weights = data.layer(kind, 3)
    cell = cells.with_weights(kind, weights)
    for (_, parameter), gradient in zip(cell.named_parameters(), cell.parameters()[1], strict=True):
        gradient[...] = parameter
    weight_x, weight_h, bias_x, bias_h = cells.gradients(cell)
    np.testing.assert_array_equal(weight_x, weights.weight_x)
    np.testing.assert_array_equal(weight_h, weights.weight_h)
    parts = slice(None, 2 * 3) if kind == "GRU" else slice(None)  # where both biases are one parameter
    np.testing.assert_array_equal(bias_x[parts], (weights.bias_x + weights.bias_h)[parts])
    np.testing.assert_array_equal(bias_h[parts], bias_x[parts])


@pytest.mark.parametrize(
    "theirs",
    [
        {"y": np.array([1.0, 2.001])},
        {"y": np.array([1.0, np.nan])},
        {"y": np.array([1.0, 2.0, 3.0])},
        {"z": np.array([1.0, 2.0])},
    ],
    ids=["value", "NaN", "shape", "name"],
)
def test_different_numbers_are_found(theirs):
    assert check.difference({"y": np.array([1.0, 2.0])}, theirs) is not None


def test_rounding_is_no_difference():
    ours = np.random.default_rng(0).standard_normal(100)
    assert check.difference({"y": ours}, {"y": ours * (1 + 1e-6)}) is None


def test_a_peer_that_computes_something_else_is_reported_and_fails(monkeypatch, tmp_path, capsys):
    rows = [a_row(wrong={"PyTorch": "output differs"}), {"machine": {"processor": "any"}}]
    monkeypatch.setattr(program, "measured", lambda *args, **kwargs: iter(rows))
    monkeypatch.setattr(program.pictures, "draw", lambda *args: [])
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--threads", "1", "--out", str(tmp_path)])
    assert program.main() == 1
    assert "WRONG NUMBERS, PyTorch: output differs" in capsys.readouterr().err
    assert "WRONG" in (tmp_path / "board.md").read_text()


def test_a_wrong_peer_is_found_in_a_measurement(monkeypatch):
    class Wrong:
        @staticmethod
        def prepare(work, name):
            ours = peers.load("numrnn", 1).prepare(work, "numrnn")
            return timing.Contestant(ours.run, lambda: {"product": 1.01 * ours.numbers()["product"]})

    load = peers.load
    monkeypatch.setattr(peers, "load", lambda name, threads: Wrong if name == "NumPy" else load(name, threads))
    row = measure.measure(Product(8, 8, 8), threads=1, repetitions=1)
    assert list(row["wrong"]) == ["NumPy"]


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setitem(peers.PEERS, "NumPy", peers.Peer("blas", ("no_such_package",)))
    row = measure.measure(Product(8, 8, 8), threads=1, repetitions=1)
    assert row["absent"] == {"NumPy": "missing (no_such_package not installed)"}
    assert "missing" in report.table([row | {"section": "Matrix product"}])


@pytest.mark.parametrize(
    ("ratios", "met"),
    [
        ({"PyTorch": 1.6, "ONNX Runtime": 1.5}, True),
        ({"PyTorch": 1.6, "ONNX Runtime": 1.4}, False),
        ({"PyTorch": 1.6}, None),
        ({"PyTorch": 1.4}, False),
        ({}, None),
    ],
)
def test_the_fastest_peer_decides_a_mark(ratios, met):
    assert AtLeast(1.5, ("PyTorch", "ONNX Runtime")).is_met(1.0, ratios) is met


def test_a_limit_is_a_mark():
    assert AtMost(4e-6).is_met(3.9e-6, {})
    assert not AtMost(4e-6).is_met(4.1e-6, {})


def test_contestants_take_turns():
    order = []
    contestants = {name: timing.Contestant(sample=lambda name=name: order.append(name) or 1.0) for name in "abc"}
    assert timing.take_turns(contestants, 4, 100.0) == {name: [1.0] * 4 for name in "abc"}
    assert "".join(order) == "abcbcacababc"


def test_a_row_that_others_disturbed_decides_no_mark(monkeypatch):
    monkeypatch.setattr(others.Watch, "share", lambda self: 0.5)
    row = measure.measure(Product(8, 8, 8, marks=(AtLeast(1, ("NumPy",)),)), threads=1, repetitions=1)
    assert [mark["met"] for mark in row["marks"]] == [None]
    assert "DISTURBED" in report.verdict(row)


def test_every_row_can_be_told_from_the_others():
    for quick in (False, True):
        names = [(section, work.name) for section, work in board.rows(quick, "")]
        assert len(set(names)) == len(names)


def test_every_peer_of_a_row_is_known():
    for quick in (False, True):
        for _, work in board.rows(quick, ""):
            marked = {name for mark in work.marks for name in getattr(mark, "peers", ())}
            assert marked <= set(work.peers) <= set(peers.PEERS)


def test_rows_are_chosen_by_a_pattern():
    chosen = [work.name for _, work in board.rows(False, "gru inference 5,|first use: import")]
    assert chosen == ["GRU inference 5,10,64", "import"]


def test_operations_are_counted():
    assert Sequence("LSTM", "inference", 2, 3, 5).flops == 2 * 3 * (2 * 4 * 5 * 5 * 2)
    assert Sequence("GRU", "train", 1, 1, 7, 2).flops == 3 * 2 * (2 * 3 * 7 * 7 * 2)


def test_the_table_shows_times_ratios_and_who_is_missing():
    text = report.text({"rows": [a_row()], "problems": [], "skipped": ["2 threads"], "machine": {}})
    assert "| LSTM train 5,10,64 | 1       | 1 ms   | 1.0     | 2 ms (2.00) | missing |" in text
    assert "- JAX: missing (jax not installed)" in text
    assert "- 2 threads" in text


@pytest.mark.parametrize(
    ("value", "shown"), [(12.3456, "12.3 s"), (0.0123456, "12.3 ms"), (1.5e-5, "15 us"), (1.23e-4, "123 us")]
)
def test_times_have_three_digits(value, shown):
    assert report.quantity(value, "s") == shown
