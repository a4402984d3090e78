"""update_grad_parameters, weight_decay and max_param_norm."""

import math

import numpy as np
import pytest

import numrnn as nr
from numrnn.optim import max_param_norm, update_grad_parameters, weight_decay


def network(dtype="float64"):
    nr.seed(0)
    return nr.Sequential(nr.LookupTable(4, 3), nr.Sequential(nr.LSTM(3, 5), nr.Linear(5, 2))).astype(dtype)


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def set_gradients(module, values):
    for gradient in module.parameters()[1]:
        gradient[...] = values[: gradient.size].reshape(gradient.shape)
        values = values[gradient.size :]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("damping", [None, 0, 0.3])
@pytest.mark.parametrize("nesterov", [False, True])
def test_gradients_become_running_sums(dtype, damping, nesterov):
    module, rng, running = network(dtype), np.random.default_rng(0), None
    for _ in range(4):
        g = rng.normal(size=flat(module.parameters()[0]).size).astype(dtype)
        set_gradients(module, g)
        update_grad_parameters(module, 0.9, damping, nesterov)
        running = 0.9 * (g if running is None else running) + (0.1 if damping is None else 1 - damping) * g
        found = flat(module.parameters()[1])
        assert found.dtype == dtype
        np.testing.assert_allclose(found, g + 0.9 * running if nesterov else running, rtol=1e-5, atol=1e-6)


def test_parts_keep_their_own_sums():
    """It does not matter whether one call is for the whole network or several are for its parts."""
    whole, parts = network(), network()
    size = flat(whole.parameters()[0]).size
    for k in range(3):
        for module in (whole, parts):
            set_gradients(module, np.random.default_rng(k).normal(size=size))
        update_grad_parameters(whole, 0.5)
        for part in parts.children() if k == 1 else [parts]:
            update_grad_parameters(part, 0.5)
        np.testing.assert_array_equal(flat(whole.parameters()[1]), flat(parts.parameters()[1]))


def test_a_shared_module_is_counted_once():
    linear = nr.Linear(2, 2)
    module = nr.Sequential(linear, nr.Tanh(), linear)
    linear.grad_weight = np.ones((2, 2))
    update_grad_parameters(module, 0.5, 0)
    assert linear.grad_weight.tolist() == [[1.5, 1.5], [1.5, 1.5]]


def test_sums_follow_when_parameters_move_or_change_their_type():
    module = nr.Mul()
    for dtype in ("float32", "float64", "float32"):
        module.astype(dtype)
        module.get_parameters()
        module.grad_weight = np.ones(1)
        update_grad_parameters(module, 0.5)
        assert module.grad_weight.tolist() == [1]
        assert module.grad_weight.dtype == dtype
    assert module.state_dict().keys() == nr.Mul().state_dict().keys()


def test_no_momentum_and_no_decay_change_nothing():
    module = network()
    set_gradients(module, np.arange(1000.0))
    before = flat(module.parameters()[1])
    update_grad_parameters(module, 0)
    weight_decay(module, 0)
    np.testing.assert_array_equal(flat(module.parameters()[1]), before)


@pytest.mark.parametrize("min_dim", [1, 2, 3])
def test_decay_adds_parameters_of_enough_axes(min_dim):
    module = network()
    set_gradients(module, np.ones(1000))
    weight_decay(module, 0.5, min_dim)
    for parameter, gradient in zip(*module.parameters(), strict=True):
        np.testing.assert_array_equal(gradient, 1 + 0.5 * parameter * (parameter.ndim >= min_dim))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_flat", [False, True])
def test_long_weights_are_shortened(dtype, is_flat):
    layer = nr.Linear(3, 4).astype(dtype)
    if is_flat:
        layer.get_parameters()
    start = np.random.default_rng(0).normal(size=(4, 3))
    layer.weight, layer.bias = start, np.full(4, 9)
    start = layer.weight.astype("float64")
    rows = np.linalg.norm(start, axis=1, keepdims=True)
    assert (rows < 1.5).any()
    assert (rows > 1.5).any()
    max_param_norm(layer, 1.5)
    expected = np.where(rows > 1.5, start / rows * 1.5, start)
    np.testing.assert_allclose(layer.weight, expected, rtol=1e-6)
    max_param_norm(layer, max_in_norm=1)
    columns = np.linalg.norm(expected, axis=0, keepdims=True)
    np.testing.assert_allclose(layer.weight, expected * np.minimum(1, 1 / columns), rtol=1e-6)
    before = layer.weight.copy()
    max_param_norm(layer, 1.5, 1)
    max_param_norm(layer)
    np.testing.assert_array_equal(layer.weight, before)
    assert (layer.bias == 9).all()


def test_the_words_of_a_lookup_table_are_its_inputs():
    table = nr.LookupTable(2, 2)
    table.weight = np.array([[3.0, 0.0], [4.0, 0.5]])
    max_param_norm(table, max_out_norm=1)
    np.testing.assert_allclose(table.weight, [[0.6, 0], [0.8, 0.5]], rtol=1e-6)
    max_param_norm(table, max_in_norm=0.6)
    np.testing.assert_allclose(np.linalg.norm(table.weight, axis=1), [0.6, 0.6], rtol=1e-6)


def test_parameters_with_three_axes_are_cut_along_the_first_and_the_last():
    module = nr.Bilinear(2, 3, 4).astype("float64")
    max_param_norm(module, 0.1)
    np.testing.assert_allclose(np.linalg.norm(module.weight.reshape(4, -1), axis=1), 0.1, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: update_grad_parameters(m, -0.1), "update_grad_parameters: got momentum=-0.1"),
        (lambda m: update_grad_parameters(m, math.nan), "momentum=nan"),
        (lambda m: update_grad_parameters(m, 0.9, math.inf), "damping=inf"),
        (lambda m: weight_decay(m, -1), "weight_decay: got factor=-1"),
        (lambda m: max_param_norm(m, 0), "max_param_norm: got max_out_norm=0"),
        (lambda m: max_param_norm(m, 0.1, -1), "max_param_norm: got max_in_norm=-1"),
    ],
)
def test_numbers_out_of_range_change_nothing(call, message):
    module = network()
    set_gradients(module, np.ones(1000))
    before = module.state_dict()
    with pytest.raises(ValueError, match=message):
        call(module)
    assert (flat(module.parameters()[1]) == 1).all()
    np.testing.assert_equal(module.state_dict(), before)
