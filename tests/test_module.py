"""What every module can do: parameters and their vectors, copies, states to save, modes, names."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr

D = 3
x = np.random.default_rng(0).normal(size=(2, D))


def network(seed=0):
    nr.seed(seed)
    inner = nr.ConcatTable(nr.CMul(D), nr.Sequential(nr.Linear(D, 2), nr.PReLU(2)))
    return nr.Sequential(nr.Add(D), inner, nr.JoinTable(), nr.BatchNormalization(D + 2)).astype("float64")


def trained(seed=0):
    """Return a network that has run forward and backward, so that all gradients and averages are something."""
    model = network(seed)
    output = model.forward(x)
    model.backward(x, np.random.default_rng(seed).normal(size=output.shape))
    return model


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


# ---- parameters --------------------------------------------------------------------------------------------------


def test_parameters_are_the_arrays_themselves_in_the_order_of_the_modules():
    model = network()
    names, values = zip(*model.named_parameters(), strict=True)
    assert names[:4] == ("0.bias", "1.0.weight", "1.1.0.weight", "1.1.0.bias")
    parameters, gradients = model.parameters()
    for own, value, gradient in zip(parameters, values, gradients, strict=True):
        assert own is value
        assert gradient.shape == own.shape
        assert not gradient.any()
    assert model[1][0].weight is parameters[1]
    assert model[1][0].grad_weight is gradients[1]
    model[1][0].weight = np.ones(D)  # into the array, which stays
    assert model[1][0].weight is parameters[1]
    with pytest.raises(ValueError, match=r"weight of shape \(4,\); expects shape \(3,\)"):
        model[1][0].weight = np.ones(4)


@given(seed=st.integers(0, 2**16))
def test_flat_vectors_hold_what_the_parameters_were_and_are_views_both_ways(seed):
    model = trained(seed)
    before = [[array.copy() for array in arrays] for arrays in model.parameters()]
    for vector, arrays, old in zip(model.get_parameters(), model.parameters(), before, strict=True):
        np.testing.assert_array_equal(vector, np.concatenate([array.ravel() for array in old]))
        vector *= 2
        for own, was in zip(arrays, old, strict=True):
            np.testing.assert_array_equal(own, was * 2)
            own /= 8
        np.testing.assert_array_equal(vector, np.concatenate([array.ravel() for array in old]) / 4)
    again = model.get_parameters()
    assert all(np.shares_memory(*pair) and pair[0].size == pair[1].size for pair in zip(again, again, strict=True))
    inner = model[1].get_parameters()[0]  # a part of a flat network is a part of its vector
    assert np.shares_memory(inner, again[0])


def test_gradients_are_zeroed_and_steps_are_taken_also_in_flat_vectors():
    plain, flat = trained(), trained()
    vector, gradient = flat.get_parameters()
    expected = vector - 0.5 * gradient
    for model in (plain, flat):
        model.update_parameters(0.5)
        model.zero_grad_parameters()
        assert not any(array.any() for array in model.parameters()[1])
        np.testing.assert_allclose(model.get_parameters()[0], expected, rtol=1e-15)
    assert not gradient.any()
    np.testing.assert_array_equal(vector, flat.get_parameters()[0])


def test_a_module_without_parameters_has_empty_vectors():
    values, gradients = nr.Sequential(nr.Tanh()).get_parameters()
    assert values.size == gradients.size == 0


def test_a_module_in_two_places_counts_once():
    layer = nr.CMul(D)
    model = nr.Sequential(layer, nr.Tanh(), layer)
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert model.get_parameters()[0].size == D
    assert np.shares_memory(layer.weight, model.get_parameters()[0])


# ---- copies and states --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [nr.Module.clone, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("is_flat", [False, True])
def test_a_copy_is_equal_and_apart(copied, is_flat):
    model = trained()
    if is_flat:
        model.get_parameters()
    other = copied(model)
    assert same(model.state_dict(), other.state_dict())
    np.testing.assert_array_equal(other.forward(x), model.forward(x))
    before = model.state_dict()
    for array in [*other.parameters()[0], *other.parameters()[1]]:
        array += 1
    other.forward(x)
    assert same(model.state_dict(), before)
    assert not any(np.shares_memory(a, b) for a in model.parameters()[1] for b in other.parameters()[1])


@given(seed=st.integers(0, 2**16))
def test_a_saved_state_brings_a_module_back(seed):
    model, other = trained(seed), trained(seed + 1)
    state = model.state_dict()
    assert not same(state, other.state_dict())
    other.load_state_dict(state)
    assert same(state, other.state_dict())
    np.testing.assert_array_equal(other.evaluate().forward(x), model.evaluate().forward(x))
    for array in state.values():  # which was a copy
        array.fill(0)
    np.testing.assert_array_equal(other.forward(x), model.forward(x))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda state: state.pop("0.bias"), ValueError),
        (lambda state: state.update(more=np.zeros(1)), ValueError),
        (lambda state: state.update({"3.bias": np.zeros(D)}), ValueError),
        (lambda state: state.update({"3.bias": np.array(["a"] * (D + 2))}), TypeError),
    ],
)
def test_a_state_that_does_not_fit_is_refused_as_a_whole(change, error):
    model, state = trained(), trained(1).state_dict()
    before = model.state_dict()
    change(state)
    with pytest.raises(error):
        model.load_state_dict(state)
    assert same(model.state_dict(), before)


def test_another_element_type_is_for_everything_inside():
    model = trained()
    assert model.astype("float32") is model
    arrays = [*model.parameters()[0], *model.parameters()[1], *(value for _, value in model.named_buffers())]
    assert {array.dtype for array in arrays} == {model.dtype} == {np.dtype("float32")}
    assert model.forward(x.astype("float32")).dtype == "float32"
    with pytest.raises(TypeError, match="float32 or float64"):
        model.astype("int32")
    assert model.dtype == "float32"


# ---- what is inside -----------------------------------------------------------------------------------------------


def test_a_function_is_applied_to_every_module_once():
    layer, seen = nr.CMul(D), []
    model = nr.Sequential(layer, nr.ConcatTable(layer, nr.Tanh()))
    assert model.apply(seen.append) is model
    assert seen == list(model.modules())
    assert len(seen) == 4


def test_parts_are_modules():
    module = nr.Module()
    with pytest.raises(TypeError, match="expects a Module as 'part'"):
        module.add_child("part", np.tanh)
    assert module.children() == []
    module.add_child("part", nr.Tanh())
    module.add_child("part", nr.Sigmoid())  # takes its place
    assert [type(part) for part in module.children()] == [nr.Sigmoid]


def test_what_a_module_does_not_have_is_missed_by_name():
    with pytest.raises(AttributeError, match="'CMul' object has no attribute 'wieght'"):
        nr.CMul(D).wieght  # noqa: B018
    with pytest.raises(NotImplementedError, match="Module has no update_output"):
        nr.Module().forward(x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.backward(x, x), RuntimeError, "a backward before any forward"),
        (lambda m: m.forward("x"), TypeError, "CMul"),
        (lambda m: m.forward(np.ones(4)), ValueError, r"expects shape \(\.\.\., 3\)"),
        (lambda m: (m.forward(x), m.backward(x[:1], x)), ValueError, "the input of the last forward"),
        (lambda m: (m.forward(x), m.backward(x, x[:1])), ValueError, "a grad_output like the last output"),
        (lambda m: (m.forward(x), m.backward(x, x.astype("float32"))), TypeError, "a grad_output like the last"),
    ],
)
def test_a_refused_call_changes_nothing(call, error, message):
    module = nr.CMul(D).astype("float64")
    before = module.weight.copy()
    with pytest.raises(error, match=message):
        call(module)
    np.testing.assert_array_equal(module.weight, before)
    assert not module.grad_weight.any()
    np.testing.assert_array_equal(module.backward(x, module.forward(x) * 0 + 1), before * np.ones((2, 1)))
