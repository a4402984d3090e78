"""Start states: set or learned, on every module with a state, and of modules made of such."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from tests.modules import Sizes, recurrence, recurrent

D, H = 2, 3
SIZES = Sizes((2,), D, H, 1)
MAKE = {
    "GRU": lambda: nr.GRU(D, H),
    "LSTM": lambda: nr.LSTM(D, H),
    "Recurrent": lambda: recurrent(SIZES),
    "Recurrent, stepped": lambda: recurrent(SIZES, transfer=nr.SoftSign()),
    "Recurrence": lambda: recurrence(SIZES),
    "Recurrence, stepped": lambda: recurrence(SIZES, 2),
    "BatchNormalizedLSTM": lambda: nr.BatchNormalizedLSTM(D, H, eps=0.1),
    "Recursor": lambda: nr.Recursor(nr.Sequential(nr.GRU(D, 2), nr.Tanh(), nr.LSTM(2, H))),
    "Sequential": lambda: nr.Sequential(nr.GRU(D, 2), nr.Tanh(), recurrence(Sizes((2,), 2, H, 1))),
    "Graph": lambda: graph(),
}
WIDTHS = {"GRU": H, "LSTM": [H, H], "BatchNormalizedLSTM": [H, H], "Recursor": [2, [H, H]]}
WIDTHS |= {"Sequential": [2, H], "Graph": [H]}
each_kind = pytest.mark.parametrize("kind", MAKE)


def graph():
    x = nr.Input()
    return nr.Graph(x, nr.Tanh()(nr.GRU(D, H)(x)))


def made(kind, seed=0):
    nr.seed(seed)
    return MAKE[kind]().astype("float64")


def drawn(kind, rng, *rows):
    """Return a state of this kind of module."""

    def state(widths):
        return [state(w) for w in widths] if isinstance(widths, list) else rng.normal(size=(*rows, widths))

    return state(WIDTHS.get(kind, H))


def stepped(module):
    """Return a module that remembers for all its parts what each step leaves."""
    return module if isinstance(module, nr.AbstractRecurrent) else nr.Recursor(module)


def flat(state):
    return np.concatenate([leaf.ravel() for leaf in nr.table.leaves(state)])


@each_kind
@given(seed=st.integers(0, 2**16))
def test_going_on_from_a_state_that_was_read_is_going_on(kind, seed):
    module, rng = made(kind, seed).evaluate(), np.random.default_rng(seed)
    x = rng.normal(size=(5, 2, D))
    whole = [module.forward(step) for step in x]
    module.forget()
    for step in x[:2]:
        module.forward(step)
    state = module.get_hidden_state()
    module.forget()
    module.set_start_state(state)
    for _ in range(2):  # it stays
        np.testing.assert_array_equal([module.forward(step) for step in x[2:]], whole[2:])
        np.testing.assert_array_equal(flat(module.get_hidden_state(0)), flat(state))
        module.forget()
    np.testing.assert_array_equal(nr.Sequencer(module).evaluate()(x[2:]), whole[2:])
    module.set_start_state(None)
    module.forget()
    np.testing.assert_array_equal(module.forward(x[0]), whole[0])


@each_kind
@given(seed=st.integers(0, 2**16), time=st.integers(1, 4))
def test_the_gradient_of_a_start_state_is_its_slope_in_steps_and_sequences(kind, seed, time):
    module, rng = made(kind, seed), np.random.default_rng(seed)
    x, grad = rng.normal(size=(time, 2, D)), rng.normal(size=(time, 2, H))
    state, along = drawn(kind, rng, 2), drawn(kind, rng, 2)
    runner = nr.Sequencer(module)

    def loss(distance):
        runner.set_start_state(nr.table.map_table(lambda s, a: s + distance * a, state, along))
        return float((runner(x) * grad).sum())

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    loss(0)
    runner.backward(x, grad)
    found = flat(runner.get_grad_hidden_state(0))
    assert found @ flat(along) == pytest.approx(slope, rel=1e-5, abs=1e-7)
    gradients = [array.copy() for array in module.parameters()[1]]
    module = stepped(module)
    module.zero_grad_parameters()
    module.forget()
    for step in x:
        module.forward(step)
    for step, own in zip(x[::-1], grad[::-1], strict=True):
        module.backward(step, own)
    np.testing.assert_allclose(flat(module.get_grad_hidden_state(0)), found, rtol=1e-12)
    for own, expected in zip(module.parameters()[1], gradients, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-14)


@each_kind
@given(seed=st.integers(0, 2**16), time=st.integers(1, 4), anew=st.booleans())
def test_a_learned_start_state_has_the_gradient_of_all_beginnings(kind, seed, time, anew):
    module, rng = stepped(made(kind, seed)).learn_start_state(), np.random.default_rng(seed)
    starts = [(name, value) for name, value in module.named_parameters() if "start_" in name]
    learned = sum(value.size for _, value in starts)
    if kind.startswith("Recurrent"):
        assert learned == 0  # it has a start module, which is learned anyway
        return
    assert learned == len(flat(drawn(kind, rng)))  # without rows
    for _, value in starts:
        value[...] = rng.normal(size=value.shape)
    x, grad = rng.normal(size=(time + 2, 2, D)), rng.normal(size=(time + 2, 2, H))
    anew = anew and kind != "BatchNormalizedLSTM"  # whose rows do not go apart

    def run():
        module.forget()
        outputs = []
        for t, step in enumerate(x):
            if anew and t == time:
                module.forget(rows=[1])
            outputs.append(module.forward(step))
        return float((np.array(outputs) * grad).sum())

    run()
    module.zero_grad_parameters()
    for step, own in zip(x[::-1], grad[::-1], strict=True):
        module.backward(step, own, 0.5)
    values, gradients = module.parameters()
    for value, gradient in zip(values, gradients, strict=True):
        if any(value is start for _, start in starts):
            along, before = rng.normal(size=value.shape), value.copy()
            losses = []
            for distance in (1e-6, -1e-6):
                value[...] = before + distance * along
                losses.append(run())
            value[...] = before
            slope = (losses[0] - losses[1]) / 2e-6
            assert (gradient * along).sum() == pytest.approx(0.5 * slope, rel=1e-5, abs=1e-7)


@each_kind
def test_a_learned_start_state_has_the_same_gradient_in_steps_and_sequences(kind):
    module = made(kind).learn_start_state()
    rng = np.random.default_rng(0)
    x, grad = rng.normal(size=(4, 2, D)), rng.normal(size=(4, 2, H))
    runner = nr.Sequencer(module)
    runner(x)
    runner.backward(x, grad)
    gradients = [array.copy() for array in module.parameters()[1]]
    module = stepped(module)
    module.zero_grad_parameters()
    module.forget()
    for step in x:
        module.forward(step)
    for step, own in zip(x[::-1], grad[::-1], strict=True):
        module.backward(step, own)
    for own, expected in zip(module.parameters()[1], gradients, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("make", [lambda: nr.SeqLSTM(D, H), lambda: nr.SeqGRU(D, H)])
def test_of_a_cell_over_sequences_a_start_state_stays_and_a_hidden_state_serves_one_call(make):
    model, x = make().astype("float64"), np.random.default_rng(0).normal(size=(3, 2, D))
    plain, state = model(x), np.ones((2, H))
    states = [state] * len(model.module.states)
    started = model([*states, x])
    model.set_hidden_state(0, states)
    np.testing.assert_array_equal(model(x), started)
    np.testing.assert_array_equal(model(x), plain)
    model.set_start_state(states)
    for _ in range(2):
        np.testing.assert_array_equal(model(x), started)
    assert not np.array_equal(model([*[2 * s for s in states], x]), started)  # what is given with the input comes first
    model.set_start_state(None)
    np.testing.assert_array_equal(model(x), plain)


def test_a_start_state_of_a_recurrent_takes_the_place_of_its_start_module_also_in_rows_that_begin_anew():
    module = made("Recurrent")
    start, x = module.children()[0], np.random.default_rng(0).normal(size=(3, 2, D))
    module.set_start_state(np.ones(H))
    first = module.forward(x[0])
    module.forward(x[1])
    module.forget(rows=[1])
    after = module.forward(x[2])
    module.forget()
    np.testing.assert_allclose(after[1], module.forward(x[2])[1], rtol=1e-14)
    for step in x[[2]]:
        module.backward(step, np.ones((2, H)))
    assert not start.grad_bias.any()
    module.forget()
    feedback = module.children()[2]
    expected = 1 / (1 + np.exp(-(module.children()[1](x[0]) + feedback(np.ones((2, H))))))
    np.testing.assert_allclose(first, expected, rtol=1e-13)


def test_states_are_taken_by_all_parts_or_by_none():
    module = made("Sequential")
    before = module.forward(np.ones((2, D)))
    module.forget()
    with pytest.raises(ValueError, match=r"rows of shape \(3,\)"):
        module.set_start_state([np.ones((2, 2)), np.ones(())])
    with pytest.raises(ValueError, match="one for each module that has states"):
        module.set_start_state([np.ones((2, 2))])
    np.testing.assert_array_equal(module.forward(np.ones((2, D))), before)


@pytest.mark.parametrize("kind", ["LSTM", "Recurrent", "Recurrence", "Recurrence, stepped"])
@given(seed=st.integers(0, 2**16), time=st.integers(1, 5))
def test_rows_that_begin_anew_under_masks_begin_with_the_start_state(kind, seed, time):
    module, rng = made(kind, seed), np.random.default_rng(seed)
    x, (hold, reset) = rng.normal(size=(time, 2, D)), rng.random((2, time, 2)) < 0.3
    start, runner = drawn(kind, rng), nr.Sequencer(module)
    module.set_start_state(start)
    module.set_masks(mask=hold, reset=reset)
    output = runner(np.where(hold[..., None], np.nan, x))
    grads = runner.backward(np.where(hold[..., None], np.nan, x), np.ones_like(output))
    assert np.isfinite(grads).all()
    assert not grads[hold].any()
    alone = module.clone()
    alone.set_masks()
    first = start[0] if isinstance(start, list) else start
    for n in range(2):
        alone.forget()
        newest = first
        for t in range(time):
            if reset[t, n]:
                alone.forget()
                newest = first
            if not hold[t, n]:
                newest = alone.forward(x[t, n : n + 1])[0]
            np.testing.assert_allclose(output[t, n], newest, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["GRU", "Recurrence", "Recurrence, stepped"])
def test_rows_forgotten_between_two_calls_add_to_the_gradient_of_a_learned_start(kind):
    module, rng = made(kind).learn_start_state(), np.random.default_rng(0)
    x, grad = rng.normal(size=(2, 3, 2, D)), rng.normal(size=(3, 2, H))
    name = next(name for name, _ in module.named_parameters() if name.startswith("start_"))
    before = rng.normal(size=H)
    runner = nr.Sequencer(module).remember("both")

    def second(start):
        setattr(module, name, before)
        runner.forget()
        runner(x[0])
        setattr(module, name, start)
        runner.forget(rows=[1])
        return runner(x[1])

    second(before)
    module.zero_grad_parameters()
    runner.backward(x[1], grad)
    found = getattr(module, f"grad_{name}").copy()
    for k in range(H):
        moved = 1e-6 * (np.arange(H) == k)
        slope = ((second(before + moved) - second(before - moved)) * grad).sum() / 2e-6
        assert found[k] == pytest.approx(slope, rel=1e-5, abs=1e-7)
