"""Containers: how data runs through their modules, and how these are put in, taken out, found and shared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.table import leaves

D = 3
x = np.random.default_rng(0).normal(size=(2, D))
grad = np.random.default_rng(1).normal(size=(2, D))
LAYERS = [
    lambda: nr.CMul(D),
    lambda: nr.Add(D),
    lambda: nr.Linear(D, D),
    lambda: nr.Tanh(),
    lambda: nr.Dropout(0.4),
    lambda: nr.Sequential(nr.CMul(D), nr.Tanh()),
]
stacks = st.lists(st.sampled_from(LAYERS), min_size=1, max_size=4)


def made(layers, seed=0):
    nr.seed(seed)
    return [make().astype("float64") for make in layers]


def gradients(module):
    return [array.copy() for array in module.parameters()[1]]


@given(layers=stacks)
def test_a_sequential_is_its_modules_one_after_the_other(layers):
    model, alone = nr.Sequential(*made(layers)), made(layers)
    inputs = [x]
    for module in alone:
        inputs.append(module.forward(inputs[-1]))
    np.testing.assert_array_equal(model.forward(x), inputs[-1])
    expected = grad
    for module, own in zip(alone[::-1], inputs[-2::-1], strict=True):
        expected = module.backward(own, expected, 0.5)
    np.testing.assert_array_equal(model.backward(x, grad, 0.5), expected)
    for own, wanted in zip(gradients(model), [g for m in alone for g in gradients(m)], strict=True):
        np.testing.assert_array_equal(own, wanted)


@given(layers=stacks)
def test_branches_get_the_same_input_and_their_gradients_are_added(layers):
    model, joined, alone = nr.ConcatTable(*made(layers)), nr.Concat(-1, *made(layers)), made(layers)
    outputs = [module.forward(x) for module in alone]
    np.testing.assert_array_equal(model.forward(x), outputs)
    np.testing.assert_array_equal(joined.forward(x), np.concatenate(outputs, -1))
    expected = sum(module.backward(x, (k + 1) * grad) for k, module in enumerate(alone))
    grads = [(k + 1) * grad for k in range(len(alone))]
    np.testing.assert_allclose(model.backward(x, grads), expected, rtol=1e-13)
    np.testing.assert_allclose(joined.backward(x, np.concatenate(grads, -1)), expected, rtol=1e-13)


@given(layers=stacks)
def test_parallel_modules_get_an_element_each(layers):
    model, alone = nr.ParallelTable(*made(layers)), made(layers)
    inputs = [x + k for k in range(len(layers))]
    for own, module, element in zip(model.forward(inputs), alone, inputs, strict=True):
        np.testing.assert_array_equal(own, module.forward(element))
    for own, module, element in zip(model.backward(inputs, [grad] * len(layers)), alone, inputs, strict=True):
        np.testing.assert_array_equal(own, module.backward(element, grad))
    with pytest.raises(ValueError, match=rf"expects a table of {len(layers)} elements"):
        model.forward([*inputs, x])


def test_a_map_uses_one_module_for_any_number_of_elements():
    (module, alone) = made([LAYERS[2]] * 2)
    alone.load_state_dict(module.state_dict())
    model = nr.MapTable(module)
    for count in (1, 3):
        inputs = [x + k for k in range(count)]
        outputs = model.forward(inputs)
        model.zero_grad_parameters()
        alone.zero_grad_parameters()
        for k in reversed(range(count)):
            np.testing.assert_array_equal(outputs[k], alone.forward(inputs[k]))
            alone.backward(inputs[k], grad)
        model.backward(inputs, [grad] * count)
        np.testing.assert_allclose(model.parameters()[1][0], alone.grad_weight, rtol=1e-13)
    with pytest.raises(ValueError, match="a module without a state"):
        nr.MapTable(nr.GRU(2))


def test_modules_are_put_in_taken_out_and_found_by_position():
    a, b, c = nr.Tanh(), nr.Sigmoid(), nr.ReLU()
    model = nr.Sequential(a).add(b)
    assert model.insert(c, 1) is model
    assert [model.get(k) for k in range(len(model))] == [a, c, b] == model.children()
    assert model[-1] is b
    assert [name for name, _ in model.named_children()] == ["0", "1", "2"]
    assert model.remove(1) is c
    assert model.remove() is b
    assert model.insert(b).insert(c, 0).children() == [c, a, b]
    np.testing.assert_array_equal(model.forward(x), b.forward(a.forward(c.forward(x))))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.add("Tanh"), TypeError),
        (lambda m: m.insert("Tanh", 0), TypeError),
        (lambda m: m.insert(nr.Tanh(), 3), IndexError),
        (lambda m: m.insert(m[1], 0), ValueError),
        (lambda m: m.add(m[1]), ValueError),
        (lambda m: m.remove(2), IndexError),
        (lambda m: m.get(2), IndexError),
    ],
)
def test_a_refused_change_leaves_the_modules_as_they_were(call, error):
    model = nr.Sequential(nr.Tanh(), nr.Dropout(0.3))
    before = model.named_children()
    with pytest.raises(error):
        call(model)
    assert model.named_children() == before


def test_a_shared_layer_has_one_set_of_parameters_whose_gradients_add_up():
    (layer,) = made([LAYERS[2]])
    model = nr.Sequential(layer, nr.Tanh(), layer)
    assert len(model.parameters()[0]) == 2
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    hidden = np.tanh(layer.forward(x))
    layer.zero_grad_parameters()
    model.backward(x, model.forward(x) * 0 + grad)
    back = (grad @ layer.weight) * (1 - hidden**2)
    np.testing.assert_allclose(layer.grad_weight, grad.T @ hidden + back.T @ x, rtol=1e-12)


def test_modes_forgetting_and_remembering_reach_everything_inside():
    model = nr.Sequential(nr.ConcatTable(nr.Dropout(0.5), nr.Sequential(nr.Sequencer(nr.GRU(D)))))
    assert all(module.is_training for module in model.modules())
    assert model.evaluate() is model
    assert not any(module.is_training for module in model.modules())
    model.training()
    assert all(module.is_training for module in model.modules())
    assert model.remember("both") is model
    assert [m.remembers for m in model.modules() if isinstance(m, nr.Sequencer)] == [True]


@pytest.mark.parametrize("kind", [nr.Sequential, nr.ConcatTable, nr.ParallelTable])
def test_a_container_names_what_is_in_it(kind):
    assert repr(kind(nr.Linear(2, 3), nr.Tanh())) == f"{kind.__name__}(Linear(2 -> 3), Tanh())"


class Broken(nr.Module):
    """Fails when told to."""

    fails = False

    def update_output(self, input):
        if self.fails:
            raise RuntimeError("it failed")
        return np.array(input)

    def update_grad_input(self, input, grad_output):
        return np.array(grad_output)


@pytest.mark.parametrize("kind", [nr.Sequential, nr.ConcatTable])
def test_a_forward_that_fails_half_way_leaves_everything_as_it_was(kind):
    nr.seed(0)
    model = kind(nr.Dropout(0.5), nr.RNN(D), Broken()).astype("float64")
    other = model.clone()
    first = model.forward(x)
    model[2].fails = True
    with pytest.raises(RuntimeError, match="it failed"):
        model.forward(x)
    model[2].fails = False
    other.forward(x)
    output = model.forward(x)
    for own, wanted in zip(leaves(output), leaves(other.forward(x)), strict=True):
        np.testing.assert_array_equal(own, wanted)
    grads = grad if kind is nr.Sequential else [grad] * 3
    for own, wanted in zip(leaves(model.backward(x, grads)), leaves(other.backward(x, grads)), strict=True):
        np.testing.assert_array_equal(own, wanted)
    assert len(leaves(first)) == len(leaves(output))
