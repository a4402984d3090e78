"""Recurrences made of modules: as a fused loop they do what they do in steps."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from numrnn.kernels.cpu import compile as compiling
from numrnn.table import leaves, map_table
from tests.uncompiled import run_uncompiled

D, H = 2, 3
WORDS = 5


@pytest.fixture(autouse=True)
def _uncompiled(request):
    """Compiling takes seconds, and there are many programs here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_import", run_uncompiled)
        yield


# ---- compositions: lists of functions that make modules, so that an example can be made twice ---------------------

FUNCTIONS = [
    *(nr.Sigmoid, nr.Tanh, nr.ReLU, nr.Abs, nr.Square, nr.SoftSign, nr.LogSigmoid, nr.TanhShrink, nr.ReLU6),
    *(nr.SoftPlus, lambda: nr.SoftPlus(2.0), nr.HardTanh, lambda: nr.Clamp(-0.5, 0.25), nr.Identity),
    *(lambda: nr.Sequential(nr.Tanh(), nr.Exp()), lambda: nr.Sequential(nr.Sigmoid(), nr.Log())),
    *(lambda: nr.AddConstant(0.5), lambda: nr.MulConstant(-0.5), lambda: nr.SAdd(-1, True), lambda: nr.CMul(H)),
    *(lambda: nr.Add(H), lambda: nr.Linear(H, H), lambda: nr.LinearNoBias(H, H)),
]
MERGES = [
    *(nr.CAddTable, nr.CSubTable, nr.CMulTable, nr.CMaxTable, nr.CMinTable),
    lambda: nr.Sequential(nr.JoinTable(), nr.Linear(2 * H, H)),
    lambda: nr.Sequential(nr.ConcatTable(nr.SelectTable(-1), nr.SelectTable(0)), nr.CSubTable()),
    lambda: nr.Sequential(nr.ReverseTable(), nr.CSubTable()),
    lambda: nr.Sequential(nr.NarrowTable(1, 1), nr.SelectTable(0)),
    lambda: nr.Sequential(
        nr.ParallelTable(nr.Sigmoid(), nr.ConcatTable(nr.Identity())), nr.FlattenTable(), nr.CMulTable()
    ),
]


def gated():
    """Return a map whose output is in two parts."""
    halves = nr.ConcatTable(nr.Narrow(-1, 0, H), nr.Sequential(nr.Narrow(-1, H, H), nr.Sigmoid()))
    return nr.Sequential(nr.Linear(H, 2 * H), halves, nr.CMulTable())


def wide():
    """Return a map with another number of features inside."""
    return nr.Sequential(nr.Linear(H, 4), nr.Tanh(), nr.Concat(-1, nr.Identity(), nr.Linear(4, H)), nr.Linear(4 + H, H))


def chained(makers):
    return lambda: nr.Sequential(*(make() for make in makers))


def joined(pair):
    first, second, merge = pair
    return lambda: nr.Sequential(nr.ConcatTable(first(), second()), merge())


maps = st.recursive(
    st.sampled_from([*FUNCTIONS, gated, wide]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(chained),
        st.tuples(inner, inner, st.sampled_from(MERGES)).map(joined),
    ),
    max_leaves=4,
)
INPUTS = [
    lambda: nr.Linear(D, H),
    lambda: nr.Sequential(nr.Linear(D, 4), nr.Tanh(), nr.Linear(4, H)),
    lambda: nr.Sequential(nr.Linear(D, H), nr.SoftMax()),  # has no equations: runs before the loop
]


def recurrences(input, back, merge, after):
    """Return what makes a Recurrence and a Recurrent of the same parts."""

    def bounded():
        return nr.Sequential(after(), nr.Tanh())

    yield lambda: nr.Recurrence(nr.Sequential(nr.ParallelTable(input(), back()), merge(), bounded()), H, 1)
    yield lambda: nr.Recurrent(H, input(), back(), bounded(), merge=merge())


def trained(module, x, grads, walk, plan):
    """Return everything that comes out of some calls of a recurrence, in steps or as sequences."""
    module = module.clone().astype("float64")
    found, start = [], 0
    for length, is_training, forget in plan:
        (module.training if is_training else module.evaluate)()
        if forget == "all":
            module.forget()
        elif forget == "rows" and module.step > 1:
            module.forget([1])
        steps, grad = x[start : start + length], grads[start : start + length]
        found += walk(module, steps, grad if is_training else None)
        start += length
    return [*found, *map(np.copy, module.parameters()[1]), module.get_hidden_state()]


def in_steps(module, x, grads):
    outputs = [module.forward(step) for step in x]
    if grads is None:
        return [np.stack(outputs)]
    back = [module.backward(*pair) for pair in zip(x[::-1], grads[::-1], strict=True)]
    return [np.stack(outputs), np.stack(back[::-1])]


def as_sequences(module, x, grads):
    output = module.forward_sequence(x)
    return [output] if grads is None else [output, module.backward_sequence(x, grads)]


def assert_alike(found, expected):
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def programs_of(module):
    return [program for program in module._programs.values() if program is not None]


plans = st.lists(
    st.tuples(st.integers(1, 4), st.booleans(), st.sampled_from(["no", "no", "all", "rows"])), min_size=1, max_size=3
)


@pytest.mark.timeout(300)
@settings(deadline=None, max_examples=50)
@given(
    parts=st.tuples(st.sampled_from(INPUTS), maps, st.sampled_from(MERGES), maps),
    plan=plans,
    is_sample=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_composition_does_as_a_loop_what_it_does_in_steps(parts, plan, is_sample, seed):
    rng = np.random.default_rng(seed)
    rows = () if is_sample else (2,)
    x, grads = (rng.normal(size=(12, *rows, width)) for width in (D, H))
    plan = [(length, mode, "all" if forget == "rows" and is_sample else forget) for length, mode, forget in plan]
    for make in recurrences(*parts):
        nr.seed(seed)
        module = make()
        expected = trained(module, x, grads, in_steps, plan)
        if not all(np.isfinite(array).all() for array in leaves(expected)):
            continue
        loop = module.clone()
        assert_alike(trained(loop, x, grads, as_sequences, plan), expected)


@pytest.mark.timeout(300)
@settings(deadline=None, max_examples=20)
@given(parts=st.tuples(st.sampled_from(INPUTS), maps, st.sampled_from(MERGES), maps), seed=st.integers(0, 99))
def test_any_composition_is_lowered_and_the_plan_says_so(parts, seed):
    for make in recurrences(*parts):
        module = make().astype("float64")
        assert "one fused loop" in nr.Sequencer(module).plan()
        module.forward_sequence(np.random.default_rng(seed).normal(size=(3, 2, D)))
        assert len(programs_of(module)) == 1
        assert "one fused loop" in nr.Sequencer(module).plan()


# ---- what is not drawn --------------------------------------------------------------------------------------------


def lstm(inputs=D, hidden=H):
    """Return an LSTM written out of modules: a table [h, c] is its output."""
    x, state = nr.Input("x"), nr.Input("state")
    h, c = nr.SelectTable(0)(state), nr.SelectTable(1)(state)
    gates = nr.CAddTable()([nr.Linear(inputs, 4 * hidden)(x), nr.LinearNoBias(hidden, 4 * hidden)(h)])
    z = nr.Tanh()(nr.Narrow(-1, 0, hidden)(gates))
    i, f, o = (nr.Sigmoid()(nr.Narrow(-1, k * hidden, hidden)(gates)) for k in (1, 2, 3))
    c = nr.CAddTable()([nr.CMulTable()([f, c]), nr.CMulTable()([i, z])])
    return nr.Recurrence(nr.Graph([x, state], [nr.CMulTable()([o, nr.Tanh()(c)]), c]), [[hidden], [hidden]], 1)


def gru(inputs=D, hidden=H):
    """Return a GRU written out of modules, which joins its inputs."""
    x, h = nr.Input("x"), nr.Input("h")
    both = nr.JoinTable()([x, h])
    r, z = (nr.Sigmoid()(nr.Linear(inputs + hidden, hidden)(both)) for _ in range(2))
    n = nr.Tanh()(nr.Linear(inputs + hidden, hidden)(nr.JoinTable()([x, nr.CMulTable()([r, h])])))
    new = nr.CAddTable()([nr.CMulTable()([nr.SAdd(-1, True)(z), n]), nr.CMulTable()([z, h])])
    return nr.Recurrence(nr.Graph([x, h], new), hidden, 1)


def shared():
    """Return a recurrence in which a module is in two places."""
    x, h = nr.Input("x"), nr.Input("h")
    linear, again = nr.Linear(H, H), nr.Linear(D, H)(x)
    new = nr.CAddTable()([linear(h), linear(nr.Tanh()(again)), nr.CMulTable()([again, h])])
    return nr.Recurrence(nr.Graph([x, h], nr.Tanh()(new)), H, 1)


def of_words(table=nr.LookupTable):
    both = nr.ParallelTable(table(WORDS, H), nr.Linear(H, H))
    return nr.Recurrence(nr.Sequential(both, nr.CAddTable(), nr.Tanh()), H, 0)


CASES = {
    "LSTM": (lstm, lambda rng: rng.normal(size=(5, 2, D))),
    "GRU": (gru, lambda rng: rng.normal(size=(5, 2, D))),
    "a shared module": (shared, lambda rng: rng.normal(size=(5, 2, D))),
    "words": (of_words, lambda rng: rng.integers(0, WORDS, (5, 2))),
    "words, one row": (of_words, lambda rng: rng.integers(0, WORDS, 5)),
    "words with padding": (lambda: of_words(nr.LookupTableMaskZero), lambda rng: rng.integers(0, WORDS, (5, 2))),
    "LookupRNN": (lambda: nr.LookupRNN(WORDS, H), lambda rng: rng.integers(0, WORDS, (5, 2))),
}
each_case = pytest.mark.parametrize("case", CASES)


def made(case, seed=0):
    make, draw = CASES[case]
    nr.seed(seed)
    return make().astype("float64"), draw(np.random.default_rng(seed))


def steps_of(table, t):
    return map_table(lambda array: array[t], table)


def run(module, x, is_stepped, back=None):
    """Return outputs, gradients, and the module's parameters' gradients; `back` may be another module to go back."""
    rng = np.random.default_rng(3)
    if is_stepped:
        outputs = [module.forward(step) for step in x]
        output = map_table(lambda *arrays: np.stack(arrays), *outputs)
    else:
        output = module.forward_sequence(x)
    grads = map_table(lambda array: rng.normal(size=array.shape), output)
    module = back(module) if back else module
    if is_stepped:
        steps = [module.backward(x[t], steps_of(grads, t)) for t in reversed(range(len(x)))][::-1]
        grad_x = None if steps[0] is None else np.stack(steps)
    else:
        grad_x = module.backward_sequence(x, grads)
    return [output, [] if grad_x is None else grad_x, *map(np.copy, module.parameters()[1])]


@each_case
def test_does_as_a_loop_what_it_does_in_steps(case):
    module, x = made(case)
    assert_alike(run(module.clone(), x, is_stepped=False), run(module, x, is_stepped=True))


@each_case
def test_outputs_are_to_the_bit_those_of_stepping(case):
    module, x = made(case)
    output = module.clone().forward_sequence(x)
    stepped = [module.forward(step) for step in x]
    for t in range(len(x)):
        for one, other in zip(leaves(steps_of(output, t)), leaves(stepped[t]), strict=True):
            np.testing.assert_array_equal(one, other)


@each_case
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_goes_back_through_the_sequence_that_was_run(case, copied):
    module, x = made(case)
    assert_alike(run(module.clone(), x, is_stepped=False, back=copied), run(module, x, is_stepped=False))


@each_case
def test_what_a_caller_does_to_the_outputs_changes_no_gradient(case):
    module, x = made(case)
    expected = run(module.clone(), x, is_stepped=False)[1:]

    def spoil(module):
        for array in leaves(module.spoiled):
            array.fill(7)
        return module

    forward = module.forward_sequence
    object.__setattr__(module, "forward_sequence", lambda x: setattr(module, "spoiled", forward(x)) or module.spoiled)
    assert_alike(run(module, x, is_stepped=False, back=spoil)[1:], expected)


def test_parts_that_are_changed_are_lowered_anew():
    nr.seed(0)
    scale = nr.MulConstant(0.5)
    module = nr.Recurrence(
        nr.Sequential(nr.ParallelTable(nr.Linear(D, H), nr.Linear(H, H)), nr.CAddTable(), scale), H, 1
    )
    x = np.random.default_rng(0).normal(size=(4, 2, D)).astype("float32")
    for change in (lambda: setattr(scale, "constant", 0.25), lambda: module._children["step"].add(nr.Tanh())):
        module.forget()
        module.forward_sequence(x)
        change()
        module.forget()
        other = module.clone()
        np.testing.assert_array_equal(module.forward_sequence(x), [other.forward(step) for step in x])


class Doubled(nr.Linear):
    """A Linear that computes something else."""

    def update_output(self, input):
        return 2 * super().update_output(input)


STEPPED = {
    "a subclass that computes something else": lambda: Doubled(H, H),
    "another gradient": lambda: nr.ZeroGrad(),
    "clipping that lets gradients through": lambda: nr.Clip(-0.1, 0.1),
    "dropout": lambda: nr.Dropout(0.0),
    "a cell": lambda: nr.GRU(H, H),
    "one weight for all": lambda: nr.Mul(),
    "infinite bounds": lambda: nr.HardTanh(-float("inf"), 1.0),
    "features out of the middle of a part": lambda: nr.Sequential(nr.Linear(H, 4), nr.Narrow(-1, 1, H)),
    "the same features twice": lambda: nr.Sequential(
        nr.ConcatTable(nr.Identity(), nr.Identity()), nr.JoinTable(), nr.Linear(2 * H, H)
    ),
    "statistics of the batch": lambda: nr.BatchNormalization(H),
}


@pytest.mark.parametrize("part", STEPPED)
def test_what_has_no_equations_is_stepped(part):
    nr.seed(0)
    x = np.random.default_rng(0).normal(size=(4, 2, D))
    for make in recurrences(INPUTS[0], STEPPED[part], nr.CAddTable, nr.Identity):
        module = make().astype("float64")
        assert "step by step" in nr.Sequencer(module.clone()).plan()
        assert_alike(run(module.clone(), x, is_stepped=False), run(module, x, is_stepped=True))
        assert not programs_of(module)


def test_a_module_in_two_places_on_parts_of_its_input_is_stepped():
    x, h, linear = nr.Input("x"), nr.Input("h"), nr.Linear(D + H, H)
    first = nr.Tanh()(linear(nr.JoinTable()([x, h])))
    module = nr.Recurrence(nr.Graph([x, h], nr.Tanh()(linear(nr.JoinTable()([x, first])))), H, 1).astype("float64")
    x = np.random.default_rng(0).normal(size=(4, 2, D))
    assert_alike(run(module.clone(), x, is_stepped=False), run(module, x, is_stepped=True))
    assert not programs_of(module)


def test_two_readers_of_an_input_of_words_are_stepped():
    both = nr.ConcatTable(
        nr.Sequential(nr.SelectTable(0), nr.LookupTable(WORDS, H)),
        nr.Sequential(nr.SelectTable(0), nr.LookupTable(WORDS, H)),
        nr.Sequential(nr.SelectTable(1), nr.Linear(H, H)),
    )
    module = nr.Recurrence(nr.Sequential(both, nr.CAddTable(), nr.Tanh()), H, 0).astype("float64")
    x = np.random.default_rng(0).integers(0, WORDS, (4, 2))
    assert_alike(run(module.clone(), x, is_stepped=False), run(module, x, is_stepped=True))
    assert not programs_of(module)


def test_wrong_inputs_are_refused_as_in_steps():
    module = gru()
    module.forward_sequence(np.zeros((3, 2, D), "float32"))
    module.forget()
    for wrong in (np.zeros((3, 2, D), "float64"), np.zeros((3, 2, D + 1), "float32"), np.zeros((3, 2, D), int)):
        with pytest.raises((TypeError, ValueError)) as stepped:
            gru().forward(wrong[0])
        with pytest.raises(type(stepped.value)):
            nr.Sequencer(module).forward(wrong)


@pytest.mark.parametrize("input_size", [None, 7])
def test_kernels_are_the_same_for_all_sizes(input_size, monkeypatch):
    texts = []
    monkeypatch.setattr(compiling, "_import", lambda text, *others: texts.append(text) or run_uncompiled(text, *others))
    for hidden in (3, 5, 16):
        size = input_size or hidden
        inside = nr.Sequential(
            nr.JoinTable(), nr.Linear(size + hidden, 2 * hidden), nr.Tanh(), nr.Linear(2 * hidden, hidden)
        )
        nr.Sequencer(nr.Recurrence(inside, hidden, 1)).forward(np.zeros((4, 2, size), "float32"))
        nr.Sequencer(nr.Recurrent(hidden, nr.Linear(size, hidden), nr.Linear(hidden, hidden))).forward(
            np.zeros((4, 2, size), "float32")
        )
    assert len(set(texts)) == 2
    assert len(texts) == 6
