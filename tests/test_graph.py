"""Graph: the same as its modules called by hand, one step or a whole sequence at a time."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.graph import Graph, Input, Node
from numrnn.module import Module
from numrnn.table import add_tables, leaves, map_table, step_of
from tests.finite_differences import numeric_gradient

FEATURES = 3


class Scale(Module):
    """Multiplies with a parameter."""

    row_wise = True

    def __init__(self, rng=None):
        super().__init__()
        self.add_parameter("weight", np.random.default_rng(rng).normal(size=FEATURES))

    def update_output(self, input):
        return input * self.weight

    def update_grad_input(self, input, grad_output):
        return grad_output * self.weight

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        rows = (scale * grad_output * input).reshape(-1, FEATURES)
        self.grad_weight += rows.sum(axis=0)


class Mask(Scale):
    """A Scale behind a random mask, which it remembers; whole sequences are stepped."""

    memory = ("mask",)
    row_wise = False

    def __init__(self, rng=None):
        super().__init__(rng)
        self.rng, self.mask = np.random.default_rng(rng), None

    def update_output(self, input):
        self.mask = self.rng.random(input.shape) < 0.5
        return super().update_output(self.mask * input)

    def update_grad_input(self, input, grad_output):
        return self.mask * super().update_grad_input(input, grad_output)

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(self.mask * input, grad_output, scale)


class Gate(Mask):
    """A Mask that lets through what is positive: the same however the steps are taken in turn."""

    def update_output(self, input):
        self.mask = input > 0
        return Scale.update_output(self, self.mask * input)


class Broken(Module):
    """Runs once, and fails from then on."""

    def __init__(self):
        super().__init__()
        self.is_used = False

    def update_output(self, input):
        if self.is_used:
            raise OverflowError("the pipe is full")
        self.is_used = True
        return input + 0

    def update_grad_input(self, input, grad_output):
        return grad_output + 0


UNARY = [Scale, Mask, lambda rng: nr.Tanh(), lambda rng: nr.Sequential(Mask(rng), nr.Sigmoid())]
TIMED = [Scale, Gate, lambda rng: nr.Sequential(Gate(rng), nr.Tanh()), lambda rng: nr.LSTM(FEATURES).astype("float64")]
TABLES = [lambda rng: nr.CAddTable(), lambda rng: nr.CMulTable()]


@st.composite
def recipes(draw, unary):
    """Draw modules, and a graph as text: places are the inputs, and then (module, the places that it reads from)."""
    inputs = draw(st.integers(1, 3))
    modules, steps = [], []
    for place in range(inputs, inputs + draw(st.integers(1, 7))):
        is_table = draw(st.booleans())
        makers = TABLES if is_table else unary
        places = st.integers(0, place - 1)
        reads = draw(st.lists(places, min_size=1, max_size=3)) if is_table else draw(places)
        fitting = [k for k, (_, kind) in enumerate(modules) if kind == is_table]
        reused = [k for k in fitting if not any(part.keeps_steps for part in modules[k][0].modules())]
        if reused and draw(st.booleans()):
            chosen = draw(st.sampled_from(reused))
        else:
            chosen = len(modules)
            modules.append((draw(st.sampled_from(makers))(len(modules)), is_table))
        steps.append((chosen, reads))
    ends = draw(st.lists(st.integers(0, inputs + len(steps) - 1), min_size=1, max_size=4))
    return inputs, [module for module, _ in modules], steps, [ends[0], ends[1:]]


def wire(recipe):
    """Return the Graph of a recipe."""
    inputs, modules, steps, ends = recipe
    nodes = [Input(f"x{k}") for k in range(inputs)]
    for chosen, reads in steps:
        nodes.append(modules[chosen](map_table(lambda k: nodes[k], reads)))
    return Graph(nodes[:inputs], map_table(lambda k: nodes[k], ends))


class ByHand:
    """The modules of a recipe called one by one: a copy for each call, and the gradients of all copies added up."""

    def __init__(self, recipe):
        self.count, modules, self.steps, self.ends = recipe
        self.modules = copy.deepcopy(modules)

    def forward(self, input):
        self.values, self.calls = dict(enumerate(input)), {}
        for end in leaves(self.ends):
            self.compute(end)
        return map_table(self.values.get, self.ends)

    def compute(self, place):
        if place in self.values:
            return
        chosen, reads = self.steps[place - self.count]
        for read in leaves(reads):
            self.compute(read)
        given = map_table(self.values.get, reads)
        self.values[place] = self.modules[chosen].forward(given)
        self.calls[place] = copy.deepcopy(self.modules[chosen]), given

    def backward(self, grad_output, scale):
        grads = dict.fromkeys(range(self.count + len(self.steps)))
        for end, grad in zip(leaves(self.ends), leaves(grad_output), strict=True):
            grads[end] = add_tables(grads[end], grad)
        for place in sorted(self.calls, reverse=True):
            module, given = self.calls[place]
            grad = module.backward(given, grads[place], scale)
            for read, part in zip(leaves(self.steps[place - self.count][1]), leaves(grad), strict=True):
                grads[read] = add_tables(grads[read], part)
        return [np.zeros_like(self.values[k]) if grads[k] is None else grads[k] for k in range(self.count)]

    def gradients(self, chosen):
        """Return the parameters' gradients of one of the modules."""
        calls = [module for place, (module, _) in self.calls.items() if self.steps[place - self.count][0] == chosen]
        return [sum(grads) for grads in zip(*(module.parameters()[1] for module in calls), strict=True)]


def assert_close(got, expected):
    assert len(leaves(got)) == len(leaves(expected))
    for a, b in zip(leaves(got), leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def drawn(rng, like):
    return map_table(lambda array: rng.normal(size=array.shape), like)


# ---- what it computes --------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=100)
@given(recipe=recipes(UNARY), seed=st.integers(0, 2**16))
def test_equals_the_modules_called_by_hand(recipe, seed):
    rng = np.random.default_rng(seed)
    by_hand, graph = ByHand(recipe), wire(recipe)
    x = [rng.normal(size=(2, FEATURES)) for _ in range(recipe[0])]
    for _ in range(2):
        output = graph.forward(x)
        assert_close(output, by_hand.forward(x))
        grad = drawn(rng, output)
        graph.zero_grad_parameters()
        assert_close(graph.backward(x, grad, 0.5), by_hand.backward(grad, 0.5))
        for chosen, module in enumerate(recipe[1]):
            if module in graph.children():
                assert_close(module.parameters()[1], by_hand.gradients(chosen))


@settings(deadline=None, max_examples=100)
@given(recipe=recipes(TIMED), seed=st.integers(0, 2**16), length=st.integers(1, 4))
def test_a_sequence_equals_stepping(recipe, seed, length):
    rng, graph = np.random.default_rng(seed), wire(recipe)
    stepped = nr.Recursor(graph.clone())
    x = [rng.normal(size=(length, 2, FEATURES)) for _ in range(recipe[0])]
    output = graph.forward_sequence(x)
    assert_close(output, stack([stepped.forward(step_of(x, t)) for t in range(length)]))
    grad = drawn(rng, output)
    grad_input = graph.backward_sequence(x, grad, 0.5)
    steps = [stepped.backward(step_of(x, t), step_of(grad, t), 0.5) for t in reversed(range(length))]
    assert_close(grad_input, stack(steps[::-1]))
    assert_close(graph.parameters()[1], stepped.parameters()[1])


def stack(steps):
    return map_table(lambda *arrays: np.stack(arrays), *steps)


def test_gradients_are_finite_differences():
    rng = np.random.default_rng(0)
    x, y, z = Input("x"), Input("y"), Input("z")
    shared = Scale(1)
    both = nr.ConcatTable(nr.Tanh(), Scale(2))(shared(nr.CMulTable()([x, y]))).split(2)
    graph = Graph([x, [y, z]], [nr.CAddTable()([shared(both[0]), both[1], z]), [both[0], y]])
    data = [rng.normal(size=(2, FEATURES)) for _ in range(3)]
    nested = [data[0], data[1:]]
    direction = drawn(rng, graph.forward(nested))

    def loss():
        return sum((a * b).sum() for a, b in zip(leaves(graph.forward(nested)), leaves(direction), strict=True))

    grad_input = graph.backward(nested, direction)
    assert [type(part) for part in grad_input] == [np.ndarray, list]
    pairs = [*zip(data, leaves(grad_input), strict=True), *zip(*graph.parameters(), strict=True)]
    assert len(pairs) == 5
    for array, gradient in pairs:
        np.testing.assert_allclose(gradient, numeric_gradient(loss, array), rtol=1e-6, atol=1e-8)


def test_a_module_shared_with_the_inside_of_another_keeps_a_memory_for_each():
    mask, x = Mask(0), Input()
    wrapped = nr.Sequential(mask, nr.Identity())
    graph = Graph(x, [mask(x), wrapped(x)])
    data, ones = np.ones((20, FEATURES)), np.ones((20, FEATURES))
    first, second = graph.forward(data)
    assert (first != second).any()
    np.testing.assert_allclose(graph.backward(data, [ones, ones]), first + second)  # data is 1
    np.testing.assert_allclose(mask.grad_weight, (first + second).sum(axis=0) / mask.weight)


def test_a_shared_graph_keeps_a_memory_for_each_place():
    mask, inner_x, x = Mask(0), Input(), Input()
    inner = Graph(inner_x, mask(mask(inner_x)))
    graph = Graph(x, [inner(x), inner(x)])
    data, ones = np.ones((20, FEATURES)), np.ones((20, FEATURES))
    first, second = graph.forward(data)
    assert (first != second).any()
    np.testing.assert_allclose(graph.backward(data, [ones, ones]), first + second)


def test_a_module_shared_within_a_sequence_keeps_memories_for_each_place():
    gate, x, y = Gate(0), Input(), Input()
    graph = Graph([x, y], [gate(x), nr.Sequential(gate, nr.Identity())(y)])
    data = np.ones((2, FEATURES)) * [[1], [-1]]  # two steps: the gate is open, and then closed
    graph.forward_sequence([data, -data])
    grads = graph.backward_sequence([data, -data], [np.ones_like(data), np.ones_like(data)])
    np.testing.assert_allclose(grads, [(data > 0) * gate.weight, (data < 0) * gate.weight])
    np.testing.assert_allclose(gate.grad_weight, 2)


def test_backward_uses_the_input_that_it_is_given():
    x = Input()
    scale = Scale(0)
    graph = Graph(x, nr.CMulTable()([scale(x), x]))
    buffer, data = np.full(FEATURES, 2.0), np.full(FEATURES, 2.0)
    graph.forward(buffer)
    buffer.fill(np.nan)
    np.testing.assert_allclose(graph.backward(data, np.ones(FEATURES)), 4 * scale.weight)
    np.testing.assert_allclose(scale.grad_weight, 4)


def test_the_conformance_checks_hold():
    x, word = Input("x"), Input("word")
    gate, hidden = Gate(0), nr.LSTM(FEATURES)(x)
    e = nr.LookupTable(5, FEATURES)(word)
    joined = nr.JoinTable()([gate(hidden), gate(e), x])
    graph = Graph([x, word], [nr.Linear(3 * FEATURES, 2)(joined), [hidden, hidden]])
    nr.testing.check_module(graph, [np.zeros((2, FEATURES)), np.array([1, 4])])


# ---- what is left out --------------------------------------------------------------------------------------------


def test_an_input_that_no_output_depends_on_gets_zeros_or_none():
    x, unused, table, word = Input(), Input(), Input(), Input()
    graph = Graph([x, unused, table, word], Scale(0)(x))
    data = [np.ones((2, 3)), np.ones((4, 1), "float32"), [np.ones(2), np.arange(3)], np.arange(2)]
    graph.forward(data)
    grads = graph.backward(data, np.ones((2, 3)))
    assert grads[1].dtype == "float32"
    assert grads[1].tolist() == [[0]] * 4
    assert grads[2][0].tolist() == [0, 0]
    assert grads[2][1] is None
    assert grads[3] is None


def test_indices_have_no_gradient_even_if_they_are_an_output():
    word = Input()
    graph = Graph(word, [word, nr.LookupTable(5, 2)(word)])
    indices = np.array([1, 3])
    output = graph.forward(indices)
    assert output[0].tolist() == [1, 3]
    for grad in (None, np.array([1, 1])):
        assert graph.backward(indices, [grad, np.ones((2, 2), "float32")]) is None


def test_nodes_that_no_output_depends_on_are_no_part_of_it():
    x, broken = Input(), Broken()
    broken.is_used = True
    broken(x)
    tanh = nr.Tanh()
    graph = Graph(x, tanh(x))
    assert graph.children() == [tanh]
    graph.forward(np.ones(2))


def test_a_node_all_of_whose_consumers_take_indices_is_not_gone_back_through():
    class ArgMax(Module):
        def update_output(self, input):
            return input.argmax(axis=-1)

        def update_grad_input(self, input, grad_output):
            return None

    x = Input()
    scale, lookup = Scale(0), nr.LookupTable(FEATURES, 2).astype("float64")
    graph = Graph(x, lookup(ArgMax()(scale(x))))
    data = np.eye(FEATURES)
    output = graph.forward(data)
    assert graph.backward(data, np.ones_like(output)).tolist() == np.zeros((3, 3)).tolist()
    assert not scale.grad_weight.any()
    assert lookup.grad_weight.any()


# ---- its parts ---------------------------------------------------------------------------------------------------


def test_children_are_in_order_of_use_and_shared_ones_are_there_once():
    x = Input()
    shared, tanh, last = Scale(0), nr.Tanh(), Scale(1)
    graph = Graph(x, [last(nr.Identity()(shared(x))), shared(tanh(x))])
    assert [type(child) for child in graph.children()] == [Scale, nr.Identity, Scale, nr.Tanh]
    assert graph.children()[0] is shared
    assert [name for name, _ in graph.named_parameters()] == ["0.weight", "2.weight"]
    assert len(graph.parameters()[0]) == 2


def test_calling_a_module_on_nodes_makes_a_node():
    x, add = Input("x"), nr.CAddTable()
    node = add([x, (x, x)])
    assert isinstance(node, Node)
    assert node.module is add
    assert node.source == [x, [x, x]]
    assert node.annotate("sum") is node
    assert repr(node) == "Node(sum)"
    assert [part.module.index for part in node.split(2)] == [0, 1]


def test_an_input_may_be_a_table():
    x = Input()
    first, second = x.split(2)
    graph = Graph(x, nr.CSubTable()([first, second]))
    data = [np.full(2, 5.0), np.full(2, 3.0)]
    assert graph.forward(data).tolist() == [2, 2]
    grads = graph.backward(data, np.ones(2))
    assert [grad.tolist() for grad in grads] == [[1, 1], [-1, -1]]


def test_lists_changed_later_do_not_change_the_graph():
    x = Input()
    reads, inputs = [x, x], [x]
    outputs = [nr.CAddTable()(reads)]
    graph = Graph(inputs, outputs)
    for table in (reads, inputs, outputs):
        table.append(x)
    assert [y.tolist() for y in graph.forward([np.ones(1)])] == [[2]]


def test_returned_arrays_belong_to_the_caller():
    x = Input()
    h = Scale(0)(x)
    graph = Graph(x, [h, h, nr.Tanh()(h), x])
    data, rng = np.ones((2, FEATURES)), np.random.default_rng(0)
    output = graph.forward(data)
    grad = drawn(rng, output)
    expected = graph.backward(data, grad)
    returned = [*graph.forward(data), graph.backward(data, grad)]
    for k, array in enumerate(returned):
        for other in [*returned[:k], data, *grad, *graph.parameters()[0]]:
            assert not np.shares_memory(array, other)
    for array in graph.forward(data):
        array.fill(9)
    np.testing.assert_array_equal(graph.backward(data, grad), expected)


def test_a_graph_of_inputs_only_copies_the_arrays_and_the_gradients():
    x, y = Input(), Input()
    graph = Graph([x, y], [y, x])
    data, grads = [np.zeros(2), np.ones(3)], [np.full(3, 5.0), np.full(2, 4.0)]
    output = graph.forward(data)
    assert [array.tolist() for array in output] == [[1] * 3, [0] * 2]
    back = graph.backward(data, grads)
    assert [array.tolist() for array in back] == [[4] * 2, [5] * 3]
    assert not any(np.shares_memory(a, b) for a in output + back for b in data + grads)


@pytest.mark.parametrize("duplicate", [Graph.clone, lambda graph: pickle.loads(pickle.dumps(graph))])
def test_a_copy_of_a_deep_graph_is_independent(duplicate):
    x, shared = Input(), Scale(0)
    shared.weight = np.ones(FEATURES)
    node = x
    for _ in range(1500):
        node = shared(node)
    graph = Graph(x, node)
    twin = duplicate(graph)
    twin.children()[0].weight = np.zeros(FEATURES)
    data = np.ones(FEATURES)
    assert graph.forward(data).tolist() == [1] * 3
    assert twin.forward(data).tolist() == [0] * 3
    assert len(twin.parameters()[0]) == 1


def test_graphs_in_graphs_and_containers_give_what_one_graph_gives():
    x, inner_x = Input(), Input()
    scales = [Scale(k) for k in range(3)]
    inner = Graph(inner_x, [scales[1](inner_x), inner_x])
    nested = nr.Sequential(scales[0], Graph(x, nr.CAddTable()(inner(x))), scales[2])
    h = scales[0](x)
    flat = Graph(x, scales[2](nr.CAddTable()([scales[1](h), h])))
    data, grad = np.ones((2, FEATURES)), np.full((2, FEATURES), 0.5)
    found = []
    for model in (nested, flat):
        model.zero_grad_parameters()
        output = model.forward(data)
        found.append([output, model.backward(data, grad), *[scale.grad_weight.copy() for scale in scales]])
    assert_close(*found)


# ---- errors ------------------------------------------------------------------------------------------------------


def test_what_is_no_graph_is_refused():
    x, other = Input("x"), Input("other")
    h = nr.Tanh()(x)
    with pytest.raises(TypeError, match="got Node as an input; expects Input nodes"):
        Graph(h, h)
    with pytest.raises(TypeError, match=r"array of shape .* as an output; expects nodes"):
        Graph(x, [h, np.zeros(2)])
    with pytest.raises(ValueError, match="depends on the Input 'other'; expects it among the inputs"):
        Graph(x, [h, nr.CAddTable()([h, other])])
    with pytest.raises(ValueError, match="the Input 'x' 2 times; expects each input once"):
        Graph([x, [other, x]], h)
    with pytest.raises(TypeError, match=r"CAddTable\(\): got float64 array of shape \(2,\); expects nodes only"):
        nr.CAddTable()([x, np.zeros(2)])
    with pytest.raises(TypeError, match=r"got add\(Tanh\(\)\)"):
        Graph(x, h).add(nr.Tanh())


@pytest.mark.parametrize("wrap", [lambda m: m, nr.Recursor, nr.Sequential, lambda m: nr.Sequential(nr.Sequencer(m))])
def test_a_recurrent_module_in_two_places_is_refused(wrap):
    x, lstm = Input(), nr.LSTM(2)
    module = wrap(lstm)
    with pytest.raises(ValueError, match=r"the recurrent module .* in 2 places; expects each in one place"):
        Graph(x, [module(x), module(nr.Tanh()(x))])
    if module is not lstm:
        with pytest.raises(ValueError, match=r"the recurrent module LSTM\(.*\) in 2 places"):
            Graph(x, [module(x), lstm(x)])
    Graph(x, [module(x), wrap(nr.LSTM(2))(x)])


def test_data_of_another_structure_is_refused():
    x, y = Input(), Input()
    graph = Graph([x, [y]], nr.CAddTable()([x, y]))
    data = np.ones(2)
    for wrong in (data, [data], [data, data], [data, [data, data]]):
        with pytest.raises(ValueError, match=r"^Graph\(CAddTable\(\)\): got .*; expects a table of [12] inputs"):
            graph.forward(wrong)
        with pytest.raises(ValueError, match="inputs"):
            graph.forward_sequence(wrong)
    with pytest.raises(TypeError, match="expects NumPy arrays"):
        graph.forward([data, [None]])
    with pytest.raises(RuntimeError, match="forward first"):
        graph.backward([data, [data]], data)


@pytest.mark.parametrize("way", ["forward", "forward_sequence"])
def test_a_forward_that_fails_keeps_the_message_and_changes_nothing(way):
    x, mask, lstm = Input(), Mask(0), nr.LSTM(FEATURES).astype("float64")
    graph = Graph(x, Broken()(lstm(mask(mask(x)))))
    data, grad = np.ones((2, FEATURES)), np.ones((2, FEATURES))
    twin = graph.clone()
    for model in (graph, twin):
        model.forward(data)
    with pytest.raises(OverflowError, match=r"^the pipe is full$"):
        getattr(graph, way)(data if way == "forward" else data[None])
    assert lstm.step == 2
    np.testing.assert_array_equal(graph.backward(data, grad), twin.backward(data, grad))
