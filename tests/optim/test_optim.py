"""SGD, Adam and clip_grad_norm."""

import math

import numpy as np
import pytest

from numrnn.containers import Sequential
from numrnn.layers import LookupTable, Tanh
from numrnn.optim import SGD, Adam, clip_grad_norm

DTYPES = ["float32", "float64"]
SGDS = [
    {},
    {"weight_decay": 0.1},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
    {"momentum": 0.9, "nesterov": True},
]
ADAMS = [{}, {"betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}]
RULES = [(SGD, options) for options in SGDS] + [(Adam, options) for options in ADAMS]


def network(dtype="float64", seed=0):
    return Sequential(LookupTable(3, 2, rng=seed), LookupTable(4, 5, rng=seed + 1)).astype(dtype)


def gradients(count, size, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size))


def naive_sgd(w, grads, lr, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    v = None
    for grad in grads:
        g = grad + weight_decay * w
        v = g if v is None else momentum * v + (1 - dampening) * g
        w = w - lr * (g + momentum * v if nesterov else v if momentum else g)
    return w


def naive_adam(w, grads, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    m = v = 0
    for t, grad in enumerate(grads, 1):
        g = grad + weight_decay * w
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        w = w - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return w


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rule", "options"), RULES)
def test_steps_equal_a_naive_loop(rule, options, dtype):
    module = network(dtype)
    optimizer = rule(module, 0.1, **options)
    start = optimizer.weights.astype("float64")
    grads = gradients(6, start.size)
    for grad in grads:
        optimizer.gradients[:] = grad
        optimizer.step()
    naive = naive_sgd if rule is SGD else naive_adam
    tolerance = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(module.get_parameters()[0], naive(start, grads, 0.1, **options), tolerance, tolerance)
    assert optimizer.weights.dtype == dtype
    assert all(getattr(optimizer, name).dtype == dtype for name in rule.buffers)
    assert module[0].weight[0, 0] == optimizer.weights[0]


@pytest.mark.parametrize(("rule", "options"), RULES)
@pytest.mark.parametrize("pause", [0, 3])
def test_a_resumed_run_is_the_same_to_the_bit(rule, options, pause):
    module = network("float32")
    optimizer = rule(module, 0.1, **options)
    grads = gradients(6, optimizer.weights.size).astype("float32")
    for k, grad in enumerate(grads):
        if k == pause:
            later = network("float32", seed=7)
            later.load_state_dict(module.state_dict())
            resumed = rule(later, 99.0)
            resumed.load_state_dict(optimizer.state_dict())
        optimizer.gradients[:] = grad
        optimizer.step()
    for grad in grads[pause:]:
        resumed.gradients[:] = grad
        resumed.step()
    np.testing.assert_array_equal(resumed.weights, optimizer.weights)


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = Adam(network(), 0.5)
    state = optimizer.state_dict()
    for wrong in ({**state, "mean": np.zeros(3)}, {**state, "beta1": np.zeros(2)}, {**state, "more": 1}, {}):
        with pytest.raises(ValueError, match="Adam"):
            optimizer.load_state_dict({**wrong, "learning_rate": 9.0} if wrong else wrong)
    assert optimizer.state_dict().keys() == state.keys()
    assert optimizer.learning_rate == 0.5


@pytest.mark.parametrize("rule", [SGD, Adam])
def test_a_step_after_the_parameters_moved_is_an_error(rule):
    inner = network()
    optimizer = rule(inner, 0.1)
    outer = Sequential(inner, LookupTable(2, 2).astype("float64"))
    outer.get_parameters()
    with pytest.raises(RuntimeError, match="moved to other memory"):
        optimizer.step()
    optimizer = rule(inner, 0.1)  # on a part of the larger vectors
    optimizer.step()
    inner.astype("float32")
    with pytest.raises(RuntimeError, match="moved to other memory"):
        optimizer.step()


def test_zero_grad_and_parameters_changed(monkeypatch):
    module = network()
    optimizer = SGD(module, 0.1)
    optimizer.gradients[:] = 1
    told = []
    monkeypatch.setattr(type(module[1]), "parameters_changed", lambda self: told.append(optimizer.weights[0]))
    optimizer.step()
    assert told[-1] == optimizer.weights[0]
    optimizer.zero_grad()
    assert not module[0].grad_weight.any()


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (SGD, {"learning_rate": -1}),
        (SGD, {"learning_rate": math.nan}),
        (SGD, {"learning_rate": 1, "momentum": 1}),
        (SGD, {"learning_rate": 1, "nesterov": True}),
        (SGD, {"learning_rate": 1, "dampening": -0.1}),
        (SGD, {"learning_rate": 1, "weight_decay": -0.1}),
        (Adam, {"betas": (1, 0.9)}),
        (Adam, {"betas": (0.9, 1)}),
        (Adam, {"eps": 0}),
    ],
)
def test_numbers_out_of_range_are_refused(rule, options):
    with pytest.raises(ValueError, match=rule.__name__):
        rule(network(), **options)


def test_a_module_without_parameters_is_refused():
    with pytest.raises(ValueError, match="a module with parameters"):
        SGD(Tanh(), 0.1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flat", [False, True])
def test_clipping_scales_all_gradients_together(dtype, flat):
    module = network(dtype)
    if flat:
        module.get_parameters()
    grads = module.parameters()[1]
    for k, gradient in enumerate(grads):
        gradient[:] = gradients(1, gradient.size, k)[0].reshape(gradient.shape)
    old = np.concatenate([gradient.ravel() for gradient in grads])
    norm = math.sqrt((old.astype("float64") ** 2).sum())
    assert math.isclose(clip_grad_norm(module, norm * 2), norm, rel_tol=1e-12)
    np.testing.assert_array_equal(np.concatenate([gradient.ravel() for gradient in grads]), old)
    assert math.isclose(clip_grad_norm(module, norm / 2), norm, rel_tol=1e-12)
    np.testing.assert_allclose(np.concatenate([gradient.ravel() for gradient in grads]), old / 2, rtol=1e-6)


def test_clipping_leaves_gradients_that_are_not_finite():
    module = network()
    module[0].grad_weight[0, 0] = np.inf
    module[1].grad_weight[:] = 3
    assert clip_grad_norm(module, 1) == math.inf
    assert (module[1].grad_weight == 3).all()


@pytest.mark.parametrize("max_norm", [0, -1, math.inf])
def test_clipping_can_be_switched_off_and_still_tells_the_norm(max_norm):
    module = network()
    for gradient in module.parameters()[1]:
        gradient[:] = 3
    count = module.get_parameters()[1].size
    assert math.isclose(clip_grad_norm(module, max_norm), 3 * math.sqrt(count), rel_tol=1e-12)
    assert (module.get_parameters()[1] == 3).all()


def test_clipping_needs_a_number():
    with pytest.raises(ValueError, match="max_norm=nan; expects a number"):
        clip_grad_norm(network(), math.nan)
