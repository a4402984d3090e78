"""Activations, LogSoftMax, Identity and Dropout."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numrnn.layers import Dropout, Identity, LogSoftMax, ReLU, Sigmoid, Tanh, TotalDropout
from tests.finite_differences import numeric_gradient

LAYERS = [Sigmoid, Tanh, ReLU, LogSoftMax, Identity, lambda: Dropout(0.4, rng=3)]
DTYPES = ["float32", "float64"]
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
each_layer = pytest.mark.parametrize("make", LAYERS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def normal(shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(dtype)


@each_layer
@settings(deadline=None, max_examples=10)
@given(shape=shapes, seed=st.integers(0, 99))
def test_gradient_is_the_finite_difference(make, shape, seed):
    layer, x, direction = make(), normal(shape, seed=seed), normal(shape, seed=seed + 1)
    layer.forward(x)
    mask = getattr(layer, "noise", None)
    grad = layer.backward(x, direction)
    if mask is not None:  # every forward draws another mask
        np.testing.assert_array_equal(grad, direction * mask)
    else:
        numeric = numeric_gradient(lambda: float((layer.forward(x) * direction).sum()), x)
        np.testing.assert_allclose(grad, numeric, rtol=1e-6, atol=1e-7)


@each_dtype
@each_layer
@settings(deadline=None, max_examples=10)
@given(shape=shapes, time=st.integers(1, 40), seed=st.integers(0, 99))
def test_sequence_equals_stepping_bit_for_bit(make, dtype, shape, time, seed):
    x, grad = normal((time, *shape), dtype, seed), normal((time, *shape), dtype, seed + 1)
    whole, stepped = make(), make()
    output, grad_input = whole.forward_sequence(x), whole.backward_sequence(x, grad)
    outputs, memories = [], []
    for t in range(time):
        outputs.append(stepped.forward(x[t]))
        memories.append(stepped._take_memory())
    for t in reversed(range(time)):
        stepped._restore_memory(memories[t])
        np.testing.assert_array_equal(stepped.backward(x[t], grad[t]), grad_input[t])
    np.testing.assert_array_equal(np.stack(outputs), output)


@each_dtype
@each_layer
def test_strided_and_read_only_arrays_give_the_same_and_nothing_is_shared(make, dtype):
    x, grad = normal((7, 6), dtype), normal((7, 6), dtype, 1)
    layer = make()
    output, grad_input = layer.forward(x), layer.backward(x, grad)
    assert output.dtype == grad_input.dtype == x.dtype
    for result in (output, grad_input):
        assert not np.shares_memory(result, x)
        assert not np.shares_memory(result, grad)
    odd_x, odd_grad = np.asfortranarray(x), np.repeat(grad, 2, axis=1)[:, ::2]
    odd_x.flags.writeable = odd_grad.flags.writeable = False
    layer = make()
    np.testing.assert_array_equal(layer.forward(odd_x), output)
    np.testing.assert_array_equal(layer.backward(odd_x, odd_grad), grad_input)


@each_dtype
def test_values_are_numpys(dtype):
    x = normal((50, 40), dtype)
    exact = x.astype("longdouble")
    close = {"rtol": 20 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
    np.testing.assert_allclose(Sigmoid().forward(x), 1 / (1 + np.exp(-exact)), **close)
    np.testing.assert_allclose(Tanh().forward(x), np.tanh(exact), **close)
    np.testing.assert_array_equal(ReLU().forward(x), np.maximum(x, 0))
    log_sum = np.log(np.exp(exact).sum(-1, keepdims=True))
    np.testing.assert_allclose(LogSoftMax().forward(x), exact - log_sum, **close)


@each_dtype
@pytest.mark.parametrize("classes", [1, 63, 64, 65, 1000])
def test_log_softmax_is_stable_and_sums_to_one(classes, dtype):
    x = normal((3, 2, classes), dtype) * 500 + 1000
    probabilities = np.exp(LogSoftMax().forward(x).astype("float64"))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-4 if dtype == "float32" else 1e-12)


@each_dtype
def test_extremes_neither_overflow_nor_warn(dtype):
    x = np.array([-np.inf, -1e30, 0, 1e30, np.inf], dtype)
    assert Sigmoid().forward(x).tolist() == [0, 0, 0.5, 1, 1]
    assert Tanh().forward(x).tolist() == [-1, -1, 0, 1, 1]
    for layer, at_zero in ((Sigmoid(), 0.25), (Tanh(), 1)):
        layer.forward(x)
        assert layer.backward(x, np.ones_like(x)).tolist() == [0, 0, at_zero, 0, 0]
    assert all(np.isnan(layer().forward(np.array([np.nan], dtype)))[0] for layer in (Sigmoid, Tanh, ReLU, LogSoftMax))


@pytest.mark.parametrize("make", LAYERS[:4] + LAYERS[5:])
@pytest.mark.parametrize("wrong", [np.arange(3), [np.zeros(2)], np.zeros(2, "float16"), 1.0])
def test_refuses_what_is_not_one_float_array(make, wrong):
    with pytest.raises(TypeError, match=r"\(.*\): got .* expects one float32 or float64 array"):
        make().forward(wrong)


@pytest.mark.parametrize("wrong", [np.float32(1), np.zeros((3, 0))])
def test_log_softmax_needs_classes(wrong):
    with pytest.raises(ValueError, match="at least one class"):
        LogSoftMax().forward(wrong)


def test_identity_copies_tables_and_gives_indices_no_gradient():
    x = [np.arange(3.0), [np.arange(2)]]
    layer = Identity()
    output = layer.forward(x)
    np.testing.assert_array_equal(output[1][0], x[1][0])
    assert not np.shares_memory(output[0], x[0])
    assert layer.backward(x, output)[1] == [None]


def test_dropout_keeps_the_expected_share_and_scale():
    layer = Dropout(0.25, rng=0)
    output = layer.forward(np.ones((200, 200), "float32"))
    assert set(np.unique(output)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((output == 0).mean() - 0.25) < 0.01


def test_dropout_does_nothing_in_evaluate_mode_and_at_p_0():
    x = normal((4, 3))
    layer = Dropout(0.9).evaluate()
    np.testing.assert_array_equal(layer.forward(x), x)
    np.testing.assert_array_equal(layer.backward(x, x), x)
    np.testing.assert_array_equal(Dropout(0).forward(x), x)


@pytest.mark.parametrize("p", [-0.1, 1, float("nan")])
def test_dropout_checks_its_probability(p):
    with pytest.raises(ValueError, match="0 <= p < 1"):
        Dropout(p)


def test_total_dropout_keeps_or_drops_all_of_a_step():
    layer, x = TotalDropout(0.3, rng=0), np.ones((4, 2))
    kept = []
    for _ in range(400):
        output = layer(x)
        np.testing.assert_array_equal(layer.backward(x, 3 * x), 3 * output)
        assert len(np.unique(output)) == 1
        kept.append(output[0, 0])
    assert np.mean(kept) == pytest.approx(0.7, abs=0.1)
    np.testing.assert_array_equal(layer.evaluate()(x), x)
    with pytest.raises(ValueError, match="TotalDropout: got p=1; expects a probability"):
        TotalDropout(1)


def test_dropout_v1_scales_in_evaluate_mode_instead_of_in_training():
    x, grad = normal((40, 5)), normal((40, 5), seed=1)
    layer, other = Dropout(0.4, rng=3, v1=True), Dropout(0.4, rng=3)
    np.testing.assert_allclose(layer(x), other(x) * 0.6, rtol=1e-15)
    np.testing.assert_allclose(layer.backward(x, grad), other.backward(x, grad) * 0.6, rtol=1e-15)
    np.testing.assert_array_equal(layer.evaluate()(x), x * 0.6)
    np.testing.assert_array_equal(layer.backward(x, grad), grad * 0.6)
