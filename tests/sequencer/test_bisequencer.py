"""A sequence seen from both ends is what its two directions give apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr

RNG = np.random.default_rng(0)


def parts():
    nr.seed(0)
    return nr.Sequencer(nr.GRU(3, 4).astype("float64")), nr.Sequencer(nr.LSTM(3, 4).astype("float64"))


def bidirectional(**options):
    return nr.BiSequencer(*parts(), **options).astype("float64")


def parameters_and_gradients(module):
    return [array.copy() for arrays in module.parameters() for array in arrays]


@given(length=st.integers(1, 5), as_table=st.booleans(), seed=st.integers(0, 2**16))
def test_both_directions_are_joined(length, as_table, seed):
    rng = np.random.default_rng(seed)
    x, grad = rng.normal(size=(length, 2, 3)), rng.normal(size=(length, 2, 8))
    ahead, behind = parts()
    model = bidirectional()
    expected = np.concatenate([ahead(x), behind(x[::-1].copy())[::-1]], axis=-1)
    given_x, given_grad = (list(x), list(grad)) if as_table else (x, grad)
    output = model(given_x)
    assert isinstance(output, list) == as_table
    np.testing.assert_array_equal(np.stack(list(output)), expected)
    back = behind.backward(x[::-1].copy(), grad[::-1, :, 4:].copy())[::-1]
    expected = ahead.backward(x, grad[..., :4].copy()) + back
    np.testing.assert_array_equal(np.stack(list(model.backward(given_x, given_grad))), expected)
    for one, other in zip(model.parameters()[1], ahead.parameters()[1] + behind.parameters()[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_merge_module_runs_once_over_all_steps():
    class Counting(nr.CAddTable):
        calls = 0

        def update_output(self, input):
            self.calls += 1
            return super().update_output(input)

    model = bidirectional(merge=Counting())
    model(RNG.normal(size=(7, 2, 3)))
    assert model.merge.calls == 1


def test_parameters_come_forward_part_first_and_merge_module_last():
    merge = nr.Sequential(nr.JoinTable(), nr.Linear(8, 5))
    names = [name.split(".")[0] for name, _ in bidirectional(merge=merge).named_parameters()]
    assert names == sorted(names, key=["forward", "backward", "merge"].index)
    assert set(names) == {"forward", "backward", "merge"}


def test_without_a_backward_module_weights_and_random_numbers_are_drawn_anew():
    forward = nr.Sequential(nr.Dropout(0.5), nr.Linear(3, 4), nr.GRU(4, 5), nr.LayerNormalization(5), nr.PReLU())
    forward(np.ones((2, 3), "float32"))
    model = nr.BiSequencer(forward)
    own, other = (model._children[name].state_dict() for name in ("forward", "backward"))
    assert own.keys() == other.keys()
    same = [name for name in own if np.array_equal(own[name], other[name])]
    assert same == ["module.3.weight", "module.3.bias", "module.4.weight"]  # all start alike
    assert own["module.1.weight"] is not other["module.1.weight"]
    copy = model.backward_part.module
    assert copy[2].step == 1
    x = np.ones((100, 1, 3), "float32")
    model(x)
    assert not np.array_equal(forward[0].noise, copy[0].noise)


def test_weights_that_cannot_be_drawn_anew_are_refused():
    class Scale(nr.Module):
        def __init__(self):
            super().__init__()
            self.add_parameter("weight", np.ones(1))

    with pytest.raises(TypeError, match=r"Scale\(\), whose weights cannot be drawn anew; expects a module"):
        nr.BiSequencer(nr.Sequential(nr.GRU(3), Scale()))
    nr.BiSequencer(Scale(), Scale())


def test_a_module_in_both_directions_is_refused_if_it_keeps_something():
    gru, linear = nr.GRU(3), nr.Linear(3, 4)
    with pytest.raises(ValueError, match=r"GRU\(3 -> 3\) a second time"):
        nr.BiSequencer(gru, gru)
    shared = nr.BiSequencer(linear, linear)
    assert len(shared.parameters()[0]) == 2


def test_every_call_begins_anew_unless_the_forward_part_remembers():
    model, x = bidirectional().evaluate(), RNG.normal(size=(6, 2, 3))
    first = model(x[:3])
    assert np.array_equal(model.remember()(x[:3]), first)
    ahead, _ = parts()
    model.forget()
    model.forward_part.remember()
    both = np.concatenate([model(x[:3]), model(x[3:])])
    np.testing.assert_array_equal(both[..., :4], ahead(x))
    np.testing.assert_array_equal(both[:3, :, 4:], first[..., 4:])


@pytest.mark.parametrize("kind", [nr.BiSequencer, nr.BiSequencerLM])
def test_what_fails_changes_nothing(kind):
    model = kind(nr.GRU(3, 4), nr.GRU(3, 5), nr.CAddTable())
    model.forward_part.remember()
    x = np.ones((4, 2, 3), "float32")
    before = parameters_and_gradients(model)
    with pytest.raises(ValueError, match="CAddTable"):
        model(x)
    assert model.get_hidden_state() == [None, None]
    with pytest.raises(RuntimeError, match="expects forward first"):
        model.backward(x, x)
    with pytest.raises(ValueError, match="expects"):
        model(x[:0])
    np.testing.assert_equal(parameters_and_gradients(model), before)


def test_a_language_model_does_not_see_the_word_itself():
    model = nr.BiSequencerLM(nr.GRU(3, 4), nr.LSTM(3, 5)).astype("float64")
    x = RNG.normal(size=(5, 2, 3))
    y = model(x)
    assert not y[0, :, :4].any()
    assert not y[-1, :, 4:].any()
    for t in range(5):
        changed = x.copy()
        changed[t] += 1
        same = [np.array_equal(*pair) for pair in zip(model(changed), y, strict=True)]
        assert same == [k == t for k in range(5)]


def test_a_language_model_needs_two_steps():
    model = nr.BiSequencerLM(nr.GRU(3, 4))
    for x in (np.zeros((1, 2, 3), "float32"), [np.zeros((2, 3), "float32")]):
        with pytest.raises(ValueError, match="at least two steps"):
            model(x)


# ---- masks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mask", "zero"])
def test_padding_does_not_touch_the_backward_part(kind):
    model, lengths = bidirectional(), [5, 3, 1]
    x, grad = RNG.normal(size=(5, 3, 3)), RNG.normal(size=(5, 3, 8))
    padding = np.arange(5)[:, np.newaxis] >= np.array(lengths)
    grad[padding] = 0
    model.set_masks(**{kind: padding})
    y, grad_x = model(x), model.backward(x, grad)
    gradients = [array.copy() for array in model.parameters()[1]]
    model.zero_grad_parameters()
    model.set_masks()
    for row, length in enumerate(lengths):
        alone = x[:length, row : row + 1].copy()
        np.testing.assert_allclose(model(alone)[:, 0], y[:length, row], rtol=1e-12)
        found = model.backward(alone, grad[:length, row : row + 1].copy())
        np.testing.assert_allclose(found[:, 0], grad_x[:length, row], rtol=1e-12)
    for one, other in zip(model.parameters()[1], gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_rows_that_begin_anew_do_so_in_both_directions():
    model, x = bidirectional(), RNG.normal(size=(6, 2, 3))
    expected = model(x)
    apart = [
        np.concatenate([model(x[:k, row : row + 1].copy()), model(x[k:, row : row + 1].copy())])
        for row, k in ((0, 2), (1, 5))
    ]
    reset = np.zeros((6, 2), bool)
    reset[2, 0] = reset[5, 1] = True
    model.set_masks(reset=reset)
    np.testing.assert_allclose(model(x), np.concatenate(apart, axis=1), rtol=1e-12)
    model.set_masks()
    np.testing.assert_array_equal(model(x), expected)


def test_wrong_masks_are_refused_and_change_nothing():
    model, x = bidirectional(), RNG.normal(size=(3, 2, 3))
    expected = model(x)
    for masks in ({"mask": 5}, {"reset": np.ones((3, 2))}, {"mask": np.ones((3, 2), bool), "zero": np.ones(3, bool)}):
        with pytest.raises((TypeError, ValueError), match=r"BiSequencer.*expects"):
            model.set_masks(**masks)
    with pytest.raises(ValueError, match="begin anew"):
        nr.BiSequencerLM(nr.GRU(3)).set_masks(reset=np.ones((3, 2), bool))
    np.testing.assert_array_equal(model(x), expected)


# ---- states ----------------------------------------------------------------------------------------------------


def test_states_are_tables_of_both_parts():
    model, x = bidirectional(), RNG.normal(size=(3, 2, 3))
    start = [RNG.normal(size=(2, 4)), [RNG.normal(size=(2, 4)), RNG.normal(size=(2, 4))]]
    model.set_hidden_state(0, start)
    y = model(x)
    ahead, behind = model.get_hidden_state()
    np.testing.assert_array_equal(ahead, y[-1, :, :4])
    np.testing.assert_array_equal(behind[0], y[0, :, 4:])
    np.testing.assert_array_equal(model.get_hidden_state(0)[0], start[0])
    model.set_grad_hidden_state(None, [np.ones((2, 4)), None])
    model.backward(x, np.zeros_like(y))
    assert np.abs(model.get_grad_hidden_state(0)[0]).max() > 0
    assert not model.get_grad_hidden_state(0)[1][0].any()


def test_states_are_all_taken_or_none():
    model, x = bidirectional(), RNG.normal(size=(3, 2, 3))
    expected = model(x)
    for states in ([np.ones(4)], [np.ones(4), np.ones(4)], [np.ones(4), [np.ones(4), np.ones(3)]], np.ones(4)):
        with pytest.raises(ValueError, match="expects"):
            model.set_hidden_state(0, states)
    np.testing.assert_array_equal(model(x), expected)


def test_a_sequencer_has_the_state_of_its_recurrent_module_or_a_table_of_several():
    x = RNG.normal(size=(3, 2, 3))
    one = nr.Sequencer(nr.GRU(3, 4)).astype("float64")
    y = one(x)
    np.testing.assert_array_equal(one.get_hidden_state(), y[-1])
    two = nr.Sequencer(nr.Sequential(nr.GRU(3, 4), nr.Tanh(), nr.GRU(4, 5))).astype("float64")
    y = two(x)
    assert [state.shape for state in two.get_hidden_state()] == [(2, 4), (2, 5)]
    np.testing.assert_array_equal(two.get_hidden_state(2)[1], y[1])
    two.set_hidden_state(0, [np.ones(4), None])
    assert not np.array_equal(two(x), y)
    two.set_hidden_state(0, None)
    np.testing.assert_array_equal(two(x), y)


# ---- reversed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_an_array_is_reversed_along_an_axis(axis):
    x = RNG.normal(size=(2, 3, 4))
    module = nr.SeqReverseSequence(axis)
    np.testing.assert_array_equal(module(x), np.flip(x, axis))
    np.testing.assert_array_equal(module.backward(x, x), np.flip(x, axis))
    assert module.backward(x, x).flags.c_contiguous


def test_steps_of_unequal_shapes_are_reversed():
    steps = [np.ones(2), np.ones((3, 1))]
    module = nr.ReverseSequence()
    assert [step.shape for step in module(steps)] == [(3, 1), (2,)]
    assert [step.shape for step in module.backward(steps, [2 * np.ones((3, 1)), np.ones(2)])] == [(2,), (3, 1)]


def test_what_runs_backwards_may_remember():
    lstm, x = parts()[1], RNG.normal(size=(6, 2, 3))
    module = nr.ReverseUnreverse(lstm.clone()).remember().evaluate()
    later = module(x[3:])
    np.testing.assert_array_equal(np.concatenate([module(x[:3]), later]), lstm(x[::-1].copy())[::-1])


def test_a_number_as_merge_joins_along_that_axis_from_the_end():
    x = np.random.default_rng(0).normal(size=(3, 2, 4)).astype("float32")
    forward, backward = nr.LSTM(4, 5), nr.LSTM(4, 5)
    joined = nr.BiSequencer(forward, backward, 1)(x)
    np.testing.assert_array_equal(joined, nr.BiSequencer(forward, backward, nr.JoinTable())(x))
    assert nr.BiSequencer(forward, backward, 2)(x).shape == (3, 4, 5)
