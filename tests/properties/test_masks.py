"""Rows that are padding, that begin anew, or that are re-indexed: every recurrent module does what the words say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.equations import linear, sigmoid, tanh
from tests.modules import OutputLayers, recurrence, recurrent

HIDDEN, FEATURES = 3, 2


class Own(nr.Cell):
    states = ("h", "memory")

    def equations(self, x, h, memory):
        gate = sigmoid(linear("gate", x, h))
        memory = gate * memory + (1 - gate) * tanh(linear("feature", x, gate * h))
        return tanh(linear("output", memory)) + 0.1 * memory, memory


MAKE = {
    "RNN": lambda: nr.RNN(FEATURES, HIDDEN),
    "LSTM": lambda: nr.LSTM(FEATURES, HIDDEN),
    "GRU": lambda: nr.GRU(FEATURES, HIDDEN),
    "RecLSTM": lambda: nr.RecLSTM(FEATURES, 4, HIDDEN),
    "MuFuRu": lambda: nr.MuFuRu(FEATURES, HIDDEN, ["keep", "replace"]),
    "MLSTM": lambda: nr.MLSTM(FEATURES, HIDDEN, key_size=2),
    "own cell": lambda: Own(FEATURES, HIDDEN),
    "output layers": lambda: OutputLayers(FEATURES, HIDDEN),
    "Recurrence": lambda: recurrence(SIZES, 2),
    "Recurrent": lambda: recurrent(SIZES),
}
SIZES = type("S", (), {"features": FEATURES, "hidden": HIDDEN})
each_kind = pytest.mark.parametrize("kind", MAKE)


def made(kind, seed):
    nr.seed(seed)
    return MAKE[kind]().astype("float64")


def drawn(seed, time, batch):
    """Return x, grad_output and the masks (hold, reset, zero)."""
    rng = np.random.default_rng(seed)
    hold, reset, zero = rng.random((3, time, batch)) < [[[0.3]], [[0.2]], [[0.2]]]
    return rng.normal(size=(time, batch, FEATURES)), rng.normal(size=(time, batch, HIDDEN)), (hold & ~zero, reset, zero)


def stepped_alone(module, x, masks):
    """Return the outputs of one row by the definition, in which padding is not even looked at."""
    hold, reset, zero = masks
    other, output, outputs = module.clone(), None, []
    other.set_masks()
    other.forget()
    for t in range(len(x)):
        if reset[t]:
            other.forget()
            other.set_hidden_state(0, None)
            output = None
        if zero[t] and kind_begins_itself(module):
            other.forget()
            output = np.zeros(HIDDEN)
        elif zero[t]:
            blank = [np.zeros_like(s) for s in blank_state(module)]
            other.forget()
            other.set_hidden_state(0, blank)
            output = np.zeros(HIDDEN)
        elif not hold[t]:
            output = other.forward(x[t : t + 1].reshape(1, -1))[0]
        outputs.append(np.zeros(HIDDEN) if output is None else output)
    return np.array(outputs)


def kind_begins_itself(module):
    """Whether a row begins with a start module instead of a state of zeros."""
    return isinstance(module, nr.Recurrent)


def blank_state(module):
    other = module.clone()
    other.set_masks()
    other.forget()
    other.forward(np.zeros((1, FEATURES)))
    state = other.get_hidden_state()
    return state if isinstance(state, list) else [state]


@each_kind
@given(seed=st.integers(0, 2**16), time=st.integers(1, 7), batch=st.integers(1, 4))
def test_masked_outputs_are_those_of_each_row_alone_and_nan_in_padding_harms_nothing(kind, seed, time, batch):
    module, (x, grad, masks) = made(kind, seed), drawn(seed, time, batch)
    padding = masks[0] | masks[2]
    spoiled = np.where(padding[..., None], np.nan, x)
    module.set_masks(*masks)
    runner = nr.Sequencer(module)
    output = runner(spoiled)
    grad_input = runner.backward(spoiled, np.where(masks[2][..., None], np.nan, grad))
    for n in range(batch):
        alone = stepped_alone(module, x[:, n], [mask[:, n] for mask in masks])
        np.testing.assert_allclose(output[:, n], alone, rtol=1e-12, atol=1e-14)
    assert not grad_input[padding].any()
    for array in (grad_input, *module.parameters()[1]):
        assert np.isfinite(array).all()


@each_kind
@given(seed=st.integers(0, 2**16), time=st.integers(1, 6), batch=st.integers(1, 3))
def test_stepping_with_masks_is_the_sequence_to_the_bit_and_gradients_are_slopes(kind, seed, time, batch):
    module, (x, grad, masks) = made(kind, seed), drawn(seed, time, batch)
    module.set_masks(*masks)
    runner = nr.Sequencer(module)
    output, grad_input = runner(x), runner.backward(x, grad)
    grads = [array.copy() for array in module.parameters()[1]]
    module.forget()
    module.zero_grad_parameters()
    np.testing.assert_array_equal([module.forward(step) for step in x], output)
    steps = [module.backward(*pair) for pair in reversed(list(zip(x, grad, strict=True)))][::-1]
    np.testing.assert_array_equal(steps, grad_input)
    for own, expected in zip(module.parameters()[1], grads, strict=True):
        np.testing.assert_array_equal(own, expected)
    along = np.random.default_rng(seed + 1).normal(size=x.shape)

    def loss(distance):
        return float((runner(x + distance * along) * grad)[~masks[2]].sum())

    slope = (loss(1e-6) - loss(-1e-6)) / 2e-6
    assert (grad_input * along).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7)


@given(seed=st.integers(0, 2**16), time=st.integers(1, 6))
def test_a_learned_start_state_has_the_gradient_of_all_beginnings(seed, time):
    module, (x, grad, masks) = made("GRU", seed).learn_start_state(), drawn(seed, time, 3)
    module.start_h = np.random.default_rng(seed).normal(size=HIDDEN)
    module.set_masks(*masks)
    runner = nr.Sequencer(module)
    runner(x)
    runner.backward(x, grad)
    found, before = module.grad_start_h.copy(), module.start_h.copy()
    for k in range(HIDDEN):
        losses = []
        for distance in (1e-6, -1e-6):
            module.start_h = before + distance * (np.arange(HIDDEN) == k)
            losses.append(float((runner(x) * grad)[~masks[2]].sum()))
        assert found[k] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_a_mask_is_for_so_many_steps_and_rows_and_a_refused_call_changes_nothing():
    module = made("GRU", 0)
    module.set_zero_mask(np.zeros((2, 3), bool))
    x = np.ones((3, FEATURES))
    first = module.forward(x)
    module.forward(x)
    with pytest.raises(ValueError, match=r"batch of 3, after 2 with masks; expects no more than .* 2 steps of 3 rows"):
        module.forward(x)
    assert module.step == 3
    module.forget()
    np.testing.assert_array_equal(module.forward(x), first)
    module.set_zero_mask(None)
    module.forward(x)
    with pytest.raises(TypeError, match="arrays of booleans"):
        module.set_masks(mask=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="masks of one shape"):
        module.set_masks(mask=np.zeros((2, 3), bool), reset=np.zeros((3, 3), bool))


def test_a_true_row_of_zeros_is_no_padding_under_an_explicit_mask():
    module, x = made("LSTM", 0), np.zeros((4, 1, FEATURES))
    plain = nr.Sequencer(module)(x)
    module.mask_zero()
    assert not nr.Sequencer(module)(x).any()
    module.set_zero_mask(np.zeros((4, 1), bool))
    np.testing.assert_array_equal(nr.Sequencer(module)(x), plain)


@each_kind
@given(seed=st.integers(0, 2**16), data=st.data())
def test_rows_taken_go_on_as_copies_of_what_they_were(kind, seed, data):
    module, rng = made(kind, seed).evaluate(), np.random.default_rng(seed)
    for x in rng.normal(size=(3, 4, FEATURES)):
        module.forward(x)
    rows = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=6))
    after = rng.normal(size=(len(rows), FEATURES))
    alone = []
    for row, x in zip(rows, after, strict=True):
        other = module.clone()
        other.take_rows([row])
        alone.append(other.forward(x[None])[0])
    module.take_rows(rows)
    np.testing.assert_allclose(module.forward(after), alone, rtol=1e-12, atol=1e-14)
    with pytest.raises(IndexError, match="rows of a batch"):
        module.take_rows([len(rows)])


@given(seed=st.integers(0, 2**16), lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5), last=st.booleans())
def test_sequences_of_unequal_lengths_are_what_each_is_alone(seed, lengths, last):
    nr.seed(seed)
    rng = np.random.default_rng(seed)
    lengths = [*lengths, 3]
    inside = nr.Sequential(nr.BiSequencer(nr.GRU(FEATURES, HIDDEN), nr.LSTM(FEATURES, HIDDEN)), nr.Linear(6, 2))
    model = nr.VariableLength(inside, last).astype("float64")
    sequences = [rng.normal(size=(length, FEATURES)) for length in lengths]
    outputs = model(sequences)
    grads = rng.normal(size=outputs.shape) if last else [rng.normal(size=y.shape) for y in outputs]
    grad_inputs = model.backward(sequences, grads)
    together = [array.copy() for array in model.parameters()[1]]
    model.zero_grad_parameters()
    for x, y, grad, grad_x in zip(sequences, outputs, grads, grad_inputs, strict=True):
        if len(x) == 0:
            assert not y.any()
            continue
        alone = nr.VariableLength(model.module, last)
        (own,) = alone([x])
        np.testing.assert_allclose(own, y, rtol=1e-12, atol=1e-14)
        (own,) = alone.backward([x], grad[None] if last else [grad])
        np.testing.assert_allclose(own, grad_x, rtol=1e-10, atol=1e-13)
    for own, expected in zip(model.parameters()[1], together, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("wrap", [nr.VariableLength, nr.BiSequencer, nr.ReverseUnreverse])
def test_a_stack_of_sequencers_is_taken_for_a_module_over_sequences(wrap):
    parts = [nr.SeqGRU(FEATURES, HIDDEN), nr.Sequencer(nr.Linear(HIDDEN, HIDDEN)), nr.SeqLSTM(HIDDEN, 2)]
    stack, x = nr.Sequential(*parts).astype("float64"), np.random.default_rng(0).normal(size=(5, 2, FEATURES))
    model, alone = wrap(stack), nr.Sequential(*(part.clone() for part in parts))
    if wrap is nr.VariableLength:
        x = [np.array(x[:, 0]), np.array(x[:2, 1])]
        expected = [alone(row[:, None])[:, 0] for row in x]
    else:
        expected = alone(x) if wrap is nr.BiSequencer else alone(x[::-1])[::-1]
    outputs = model(x)
    grads = [np.ones_like(y) for y in outputs] if wrap is nr.VariableLength else np.ones_like(outputs)
    own = outputs[..., :2] if wrap is nr.BiSequencer else outputs
    for y, wanted in zip(own, expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-12)
    assert len(model.backward(x, grads)) == len(x)
    assert all(np.isfinite(g).all() and g.any() for g in model.parameters()[1])
