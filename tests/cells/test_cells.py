"""The library's cells: they are what their papers say, row by row, whatever the shape."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import numrnn as nr
import numrnn.cells
from tests import naive


@dataclass(frozen=True)
class Row:
    make: type | object
    step: naive.Step
    parameters: tuple[str, ...]
    """Names and shapes, in order: "name HxD"."""
    is_bounded: bool = True
    """Whether outputs stay within -1 and 1, or the start state."""
    start: Callable[[list[np.ndarray]], list[np.ndarray]] = list
    """Makes a start state that may occur from one of random numbers."""


def _three(prefix):
    return (f"{prefix}_weight_x HxD", f"{prefix}_bias H", f"{prefix}_weight_h HxH")


def _of_x(prefix, parts=""):
    return (f"{prefix}_weight_x {parts}HxD", f"{prefix}_bias {parts}H")


def _four(prefix):
    return (*_three(prefix), f"{prefix}_peephole H")


def _blocks(prefix, parts):
    return (f"{prefix}_weight_x {parts}HxD", f"{prefix}_bias {parts}H", f"{prefix}_weight_h {parts}HxH")


def _in_scale(h, c, n, m):
    """Return a state of an sLSTM whose cell is within its normaliser."""
    return [h, np.tanh(c) * np.abs(n), np.abs(n), m]


CELLS = {
    "RNN": Row(nr.RNN, naive.rnn_tanh, _three("hidden")),
    "RNN-relu": Row(lambda *sizes: nr.RNN(*sizes, nonlinearity="relu"), naive.rnn_relu, _three("hidden"), False),
    "LSTM": Row(nr.LSTM, naive.lstm, (*_four("forget"), *_four("input"), *_three("candidate"), *_four("output"))),
    "LSTM-plain": Row(
        lambda *sizes: nr.LSTM(*sizes, cell2gate=False),
        naive.lstm_without_peepholes,
        (*_three("forget"), *_three("input"), *_three("candidate"), *_three("output")),
    ),
    "FastLSTM": Row(nr.FastLSTM, naive.fast_lstm, _blocks("gates", 4)),
    "SLSTM": Row(
        lambda d, h=None: nr.SLSTM(d, h, heads=math.gcd(h or d, 4)),
        naive.slstm,
        ("gates_weight_x 4HxD", "gates_bias 4H", "gates_weight_h 2x2HxP"),
        start=lambda s: _in_scale(*s),
    ),
    "MLSTM": Row(
        lambda d, h=None: nr.MLSTM(d, h, heads=math.gcd(h or d, 4)),
        naive.mlstm,
        (*_of_x("keys", 2), *_of_x("values", 2), "gates_weight_x 4xD", "gates_bias 4"),
        False,
    ),
    "LayerNormLSTM": Row(
        lambda *sizes: nr.LayerNormLSTM(*sizes, eps=0.1),
        naive.layer_norm_lstm,
        ("x_weight_x 4HxD", "x_gain 4H", "h_weight_h 4HxH", "h_gain 4H", "bias 4H", "cell_gain H", "cell_bias H"),
    ),
    "LayerNormGRU": Row(
        lambda *sizes: nr.LayerNormGRU(*sizes, eps=0.1),
        naive.layer_norm_gru,
        (
            *("x_weight_x 2HxD", "x_gain 2H", "h_weight_h 2HxH", "h_gain 2H", "bias 2H"),
            *("candidate_x_weight_x HxD", "candidate_x_gain H", "candidate_h_weight_h HxH", "candidate_h_gain H"),
            *("candidate_x_bias H", "candidate_h_bias H"),
        ),
    ),
    "LRU": Row(
        nr.LRU,
        naive.lru,
        (
            *("nu H", "theta H", "gamma H", "input_weight_x 2HxD", "skip_weight_x HxD"),
            *("output_weight_re HxH", "output_weight_im HxH"),
        ),
        is_bounded=False,
    ),
    "GRU": Row(nr.GRU, naive.gru, (*_blocks("gates", 2), *_three("candidate"))),
    "RecLSTM": Row(nr.RecLSTM, naive.rec_lstm, ("weight D+Hx4H", "bias 4H")),
    "RecLSTM-projected": Row(
        lambda d, h=None: nr.RecLSTM(d, h, h or d), naive.rec_lstm, ("weight D+Hx4H", "bias 4H", "weight_o HxH")
    ),
    "RecGRU": Row(nr.RecGRU, naive.rec_gru, ("weight D+Hx3H", "bias 3H")),
    "LinearRNN": Row(nr.LinearRNN, naive.linear_rnn, ("weight HxD+H", "bias H")),
    "MuFuRu": Row(
        lambda d, h=None: nr.MuFuRu(d, h, ["keep", "replace", "mul", "forget", "max", "min"]),
        naive.mufuru,
        (
            *("reset_x_weight_x HxD", "reset_x_bias H", "reset_h_weight_h HxH", "reset_h_bias H"),
            *("feature_weight HxD+H", "feature_bias H", "operations_weight 6HxD+H", "operations_bias 6H"),
        ),
    ),
    "MGU": Row(nr.MGU, naive.mgu, (*_three("forget"), *_three("candidate"))),
    "SRU": Row(
        nr.SRU,
        naive.sru,
        (*_of_x("gates", 2), "candidate_weight_x HxD", "forget_peephole H", "reset_peephole H", "skip_weight_x HxD"),
        False,
    ),
    "IndRNN": Row(nr.IndRNN, naive.indrnn, (*_of_x("hidden"), "hidden_peephole H"), False),
    "QRNN": Row(nr.QRNN, naive.qrnn, _of_x("gates", 3)),
    "MinGRU": Row(nr.MinGRU, naive.min_gru, _of_x("gates", 2), False),
    "MinLSTM": Row(nr.MinLSTM, naive.min_lstm, _of_x("gates", 3), False),
    "CTRNN": Row(
        lambda *sizes: nr.CTRNN(*sizes, tau=1.5, learns_tau=True), naive.ctrnn, ("log_tau H", *_three("hidden"))
    ),
    "LTC": Row(nr.LTC, naive.ltc, (*_three("hidden"), "level H", "log_tau H")),
    "CoupledLSTM": Row(nr.CoupledLSTM, naive.coupled_lstm, _blocks("gates", 3)),
    "GRUResetAfter": Row(
        nr.GRUResetAfter,
        naive.gru_reset_after,
        (*_blocks("gates", 2), "candidate_h_weight_h HxH", "candidate_h_bias H", *_of_x("candidate_x")),
    ),
    "PlainLSTM": Row(nr.PlainLSTM, naive.plain_lstm, _blocks("gates", 4)),
    "AntisymmetricRNN": Row(
        nr.AntisymmetricRNN, naive.antisymmetric_rnn, ("recurrent_weight HxH", *_of_x("candidate")), False
    ),
    "AntisymmetricRNN-gated": Row(
        lambda *sizes: nr.AntisymmetricRNN(*sizes, gated=True),
        naive.antisymmetric_rnn,
        ("recurrent_weight HxH", *_of_x("candidate"), *_of_x("gate")),
        False,
    ),
}
each_cell = pytest.mark.parametrize("row", CELLS.values(), ids=CELLS.keys())
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
widths = st.one_of(st.integers(1, 70), st.sampled_from([1, 2, 16, 31, 32, 33, 64, 65, 96]))
shapes = st.tuples(st.integers(1, 5), st.integers(1, 14), widths, widths)


def made(row, shape, dtype, seed=0):
    """Return a cell that starts from a random state, its input and a gradient of its output."""
    time, batch, input_size, hidden_size = shape
    rng = np.random.default_rng(seed)
    cell = row.make(input_size, hidden_size)
    cell.reset(rng)
    cell = cell.astype(dtype)
    start = row.start([rng.normal(0, 0.5, (batch, width)) for width in cell.state_widths()])
    cell.set_hidden_state(0, [state.astype(dtype) for state in start])
    x, grad = rng.normal(0, 1, (time, batch, input_size)), rng.normal(0, 1, (time, batch, hidden_size))
    return cell, x.astype(dtype), grad.astype(dtype)


def results(cell, x, grad_output):
    """Return the results of a forward and a backward through a sequence: (row by row, of the parameters)."""
    cell.zero_grad_parameters()
    cell.forget()
    output = cell.forward_sequence(x)
    states = cell.get_hidden_state()
    grad_x = cell.backward_sequence(x, grad_output)
    grad_states = cell.get_grad_hidden_state(0)
    last = [*_listed(states), *_listed(grad_states)]
    return [output, grad_x, *(array[np.newaxis] for array in last)], [g.copy() for g in cell.parameters()[1]]


def _listed(states):
    return states if isinstance(states, list) else [states]


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_table_has_every_cell_of_the_library():
    of_library = {c for c in vars(numrnn.cells).values() if isinstance(c, type) and issubclass(c, nr.Cell)}
    random = {nr.ZoneoutLSTM, nr.ZoneoutGRU}
    assert {type(row.make(2, 2)) for row in CELLS.values()} == of_library - random


@each_dtype
@each_cell
@settings(deadline=None, max_examples=25)
@given(shape=shapes, seed=st.integers(0, 99))
@example(shape=(1, 1, 1, 1), seed=0)
@example(shape=(3, 13, 5, 33), seed=0)
@example(shape=(2, 6, 300, 65), seed=0)
def test_equals_its_naive_twin(row, dtype, shape, seed):
    cell, x, _ = made(row, shape, dtype, seed)
    parameters = {name: array.astype("float64") for name, array in cell.state_dict().items()}
    start = [state.astype("float64") for state in _listed(cell.get_hidden_state(0))]
    expected = naive.run(row.step, parameters, x.astype("float64"), *start)
    output = cell.forward_sequence(x)
    assert output.dtype == dtype
    close = {"rtol": 1e-12, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-5, "atol": 2e-6}
    np.testing.assert_allclose(output, expected[0], **close)
    for state, after in zip(_listed(cell.get_hidden_state()), expected, strict=True):
        np.testing.assert_allclose(state, after[-1], **close)


@each_cell
@settings(deadline=None, max_examples=10)
@given(shape=shapes, seed=st.integers(0, 99))
def test_gradients_are_the_derivatives_of_the_naive_twin(row, shape, seed):
    cell, x, grad = made(row, shape, "float64", seed)
    start = {f"start{k}": state for k, state in enumerate(_listed(cell.get_hidden_state(0)))}
    arrays = {**cell.state_dict(), "x": x, **start}

    def loss(a):
        outputs = naive.run(row.step, a, a["x"], *(a[name] for name in start))[0]
        return sum((output * g).sum() for output, g in zip(outputs, grad, strict=True))

    by_row, by_parameter = results(cell, x, grad)
    names = [*cell.state_dict(), "x", *start]
    found = dict(zip(names, [*by_parameter, by_row[1], *by_row[-len(start) :]], strict=True))
    rng = np.random.default_rng(seed)
    for name, gradient in found.items():
        direction = rng.normal(0, 1, arrays[name].shape)
        expected = naive.derivative(loss, arrays, name, direction)
        scale = np.abs(gradient * direction).sum()
        assert abs((gradient * direction).sum() - expected) <= 1e-12 * scale + 1e-15, name


@each_dtype
@each_cell
@settings(deadline=None, max_examples=8)
@given(shape=shapes, seed=st.integers(0, 99))
def test_sequence_equals_stepping_bit_for_bit(row, dtype, shape, seed):
    cell, x, grad = made(row, shape, dtype, seed)
    by_row, by_parameter = results(cell, x, grad)
    cell.zero_grad_parameters()
    cell.forget()
    output = np.stack([cell.forward(x_t) for x_t in x])
    states = _listed(cell.get_hidden_state())
    grad_x = np.stack([cell.backward(x_t, g) for x_t, g in zip(x[::-1], grad[::-1], strict=True)][::-1])
    last = [state[np.newaxis] for state in (*states, *_listed(cell.get_grad_hidden_state(0)))]
    assert_same(by_row, [output, grad_x, *last])
    assert_same(by_parameter, cell.parameters()[1])


@each_dtype
@each_cell
def test_unbatched_equals_a_batch_of_one(row, dtype):
    cell, x, grad = made(row, (4, 1, 5, 35), dtype)
    by_row, by_parameter = results(cell, x, grad)
    by_row_unbatched, by_parameter_unbatched = results(cell, x[:, 0], grad[:, 0])
    assert_same([array[:, 0] for array in by_row], by_row_unbatched)
    assert_same(by_parameter, by_parameter_unbatched)
    cell.forget()
    assert cell.forward(x[0, 0]).shape == (35,)
    assert cell.backward(x[0, 0], grad[0, 0]).shape == (5,)


@each_dtype
@each_cell
@settings(deadline=None, max_examples=10)
@given(shape=shapes, data=st.data())
def test_a_row_does_not_depend_on_its_batch_mates_bit_for_bit(row, dtype, shape, data):
    cell, x, grad = made(row, shape, dtype)
    everyone, _ = results(cell, x, grad)
    some = data.draw(st.lists(st.integers(0, shape[1] - 1), min_size=1, max_size=shape[1]))
    cell.set_hidden_state(0, [state[some] for state in _listed(cell.get_hidden_state(0))])
    chosen, _ = results(cell, np.ascontiguousarray(x[:, some]), np.ascontiguousarray(grad[:, some]))
    assert_same([array[:, some] for array in everyone], chosen)


@each_dtype
@each_cell
def test_nan_in_one_row_stays_in_that_row(row, dtype):
    cell, x, grad = made(row, (3, 7, 5, 35), dtype)
    clean, _ = results(cell, x, grad)
    x[0, 2, 1] = np.nan
    spoilt, _ = results(cell, x, grad)
    others = [0, 1, 3, 4, 5, 6]
    assert_same([array[:, others] for array in clean], [array[:, others] for array in spoilt])
    assert np.isnan(spoilt[0][:, 2]).all()


@each_dtype
@each_cell
def test_evaluate_equals_training_bit_for_bit(row, dtype):
    cell, x, _ = made(row, (150, 3, 5, 35), dtype)
    output, states = cell.forward_sequence(x), _listed(cell.get_hidden_state())
    cell.forget()
    cell.evaluate()
    assert_same([cell.forward_sequence(x), *_listed(cell.get_hidden_state())], [output, *states])
    cell.forget()
    assert_same([np.stack([cell.forward(x_t) for x_t in x]), *_listed(cell.get_hidden_state())], [output, *states])


@each_dtype
@each_cell
def test_large_values_saturate_without_nan(row, dtype):
    cell, x, grad = made(row, (4, 6, 5, 35), dtype)
    x *= 1e6
    by_row, by_parameter = results(cell, x, grad)
    assert all(np.isfinite(array).all() for array in (*by_row, *by_parameter))
    if row.is_bounded:
        start = max(np.abs(state).max() for state in _listed(cell.get_hidden_state(0)))  # gates hold on to a part of it
        assert np.abs(by_row[0]).max() <= max(1, start)


@each_cell
def test_strided_and_read_only_arrays_give_the_same_and_are_not_changed(row):
    cell, x, grad = made(row, (3, 4, 5, 35), "float64")
    expected = results(cell, x, grad)
    odd_x, odd_grad = np.asfortranarray(x), np.repeat(grad, 2, axis=2)[..., ::2]
    odd_x.flags.writeable = odd_grad.flags.writeable = False
    before = odd_x.copy(), odd_grad.copy()
    found = results(cell, odd_x, odd_grad)
    assert_same([*expected[0], *expected[1]], [*found[0], *found[1]])
    assert_same(before, (odd_x, odd_grad))


def _sized(text, sizes):
    return int(text) if text.isdecimal() else int(text[:-1] or 1) * sizes[text[-1]]


@each_cell
def test_parameters_have_the_names_shapes_and_order_of_the_original(row):
    sizes = {"H": 6, "D": 4, "P": 3}  # P: half of H

    def shape(text):
        factors = [[_sized(f, sizes) for f in factor.split("+")] for factor in text.split("x")]
        return tuple(map(sum, factors))

    expected = [(name, shape(text)) for name, text in (entry.split() for entry in row.parameters)]
    cell = row.make(4, 6)
    assert [(name, array.shape) for name, array in cell.named_parameters()] == expected
    assert [array.shape for array in cell.parameters()[1]] == [shape for _, shape in expected]
    assert all(
        array.dtype == "float32" and not gradient.any() for array, gradient in zip(*cell.parameters(), strict=True)
    )


def test_lstm_has_fifteen_parameters_and_twelve_without_peepholes():
    assert len(nr.LSTM(4, 6).parameters()[0]) == 15
    assert len(nr.LSTM(4, 6, cell2gate=False).parameters()[0]) == 12


@each_cell
def test_initial_weights_fill_their_range_and_follow_the_seed(row):
    cell = row.make(25, 400)
    if type(cell).reset is not nr.Cell.reset or cell.joint:
        pytest.skip("a range of its own")
    cell.reset(3)
    first = cell.state_dict()
    for name, array in first.items():
        if not name.endswith("_bias"):  # a bias shares the range of the weight before it
            bound = array.shape[-1] ** -0.5
        assert np.abs(array).max() <= np.float32(bound), name
        if array.size > 100:
            assert 0.97 * bound < np.abs(array).max(), name
            assert abs(array.mean()) < 0.15 * bound, name
    cell.reset(3)
    assert_same(cell.state_dict().values(), first.values())
    cell.reset(4)
    assert not any((array == first[name]).any() for name, array in cell.state_dict().items() if array.size < 500)


@each_cell
def test_hidden_size_is_the_input_size_if_not_given(row):
    assert row.make(7).hidden_size == 7


@pytest.mark.parametrize("make", [nr.RNN, nr.LSTM, nr.FastLSTM, nr.GRU])
@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3), (2.0, 3), (True, 3), (3, "4")])
def test_sizes_are_whole_positive_numbers(make, sizes):
    with pytest.raises(ValueError, match=f"{make.__name__}: got (input|hidden)_size = .*; expects a whole number >= 1"):
        make(*sizes)


def test_rnn_names_the_nonlinearities_it_knows():
    with pytest.raises(ValueError, match=r"RNN: got nonlinearity = 'gelu'; expects 'tanh' or 'relu'"):
        nr.RNN(3, 4, nonlinearity="gelu")


def test_mufuru_has_finite_gradients_where_state_and_feature_are_equal():
    cell = nr.MuFuRu(2, 3).astype("float64")
    cell.feature_weight, cell.feature_bias = np.zeros((3, 5)), np.zeros(3)  # the feature is 1/2
    cell.set_hidden_state(0, np.full((1, 3), 0.5))
    x = np.ones((1, 2))
    cell.forward(x)
    assert np.isfinite(cell.backward(x, np.ones((1, 3)))).all()
    assert all(np.isfinite(gradient).all() for gradient in cell.parameters()[1])


def test_a_gru_with_dropout_takes_over_the_parameters_of_one_without():
    plain, x = nr.GRU(2, 3).astype("float64"), np.random.default_rng(0).normal(size=(4, 2))
    other = nr.GRU(2, 3, p=0.3).astype("float64").migrate(plain.parameters()[0]).evaluate()
    np.testing.assert_allclose(other.forward(x), plain.forward(x), rtol=1e-13)
    with pytest.raises(ValueError, match="expects a GRU with p > 0"):
        plain.migrate(plain.parameters()[0])
    with pytest.raises(ValueError, match="parameters of shapes"):
        other.migrate(plain.parameters()[0][:5])


@each_cell
def test_kernels_are_the_same_for_all_sizes(row):
    assert row.make(4, 6).source() == row.make(8, 12).source()
