"""Gradients that are not touched as a whole: nobody can tell them from others."""

import copy
import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr

WORDS, FEATURES = 12, 3

actions = st.one_of(
    st.tuples(st.just("backward"), st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=5)),
    st.tuples(st.just("zero"), st.none()),
    st.tuples(st.just("update"), st.none()),
    st.tuples(st.sampled_from(["write", "hold", "hold a part", "write to what is held", "assign"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["let go", "flat", "clone", "pickle", "astype", "clip", "take back"]), st.none()),
)


KINDS = {
    "LookupTable": lambda: nr.LookupTable(WORDS, FEATURES, rng=0),
    "Linear": lambda: nr.Linear(FEATURES, WORDS, rng=0),
}


class Trainer:
    """A layer, and what a program outside of the library may do with it."""

    def __init__(self, kind: str, is_dense: bool) -> None:
        self.layer, self.is_dense, self.held = KINDS[kind](), is_dense, None
        self.keep()

    def keep(self) -> None:
        """Hold on to the gradient of a dense one: it must always be handled as a whole."""
        self.outside = self.layer.parameters()[1] if self.is_dense else None

    def do(self, action: str, argument: object) -> None:
        layer = self.layer
        if action == "backward":
            x = np.array(argument)
            if isinstance(layer, nr.Linear):
                x = np.sin(x[:, None] + np.arange(FEATURES)).astype(layer.dtype)
            output = layer.forward(x)
            layer.backward(x, np.cos(output + np.arange(output.shape[-1], dtype=layer.dtype)), 0.5)
        elif action == "zero":
            layer.zero_grad_parameters()
        elif action == "update":
            layer.update_parameters(0.5)
        elif action == "write":
            layer.grad_weight[argument] += 1
        elif action == "assign":
            layer.grad_weight = np.full((WORDS, FEATURES), argument)
        elif action == "hold":
            self.held = layer.parameters()[1][0]
        elif action == "hold a part":
            self.held = layer.grad_weight[argument:][::2].T
        elif action == "write to what is held":
            if self.held is not None:
                self.held[..., argument % self.held.shape[-1]] -= 2
        elif action == "let go":
            self.held = None
        elif action == "flat":
            layer.get_parameters()
            self.held = None  # that of before belongs to nobody any more
        elif action == "clip":
            nr.optim.clip_grad_norm(layer, 1.0)
        elif action == "take back":
            self.layer._gradients["weight"] = np.array(self.layer._gradients["weight"])
            self.held = None
        else:
            change = {
                "clone": nr.Module.clone,
                "pickle": lambda module: pickle.loads(pickle.dumps(module)),
                "astype": lambda module: copy.deepcopy(module).astype(
                    "float64" if module.dtype == "float32" else "float32"
                ),
            }
            self.layer, self.held = change[action](layer), None
        if action in ("flat", "clone", "pickle", "astype", "take back"):
            self.keep()


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from([*KINDS]), plan=st.lists(actions, max_size=15), looks=st.booleans())
def test_nobody_can_tell_them_from_gradients_that_are_touched_as_a_whole(kind, plan, looks):
    trainer, dense = Trainer(kind, is_dense=False), Trainer(kind, is_dense=True)
    for action in [*plan, ("update", None)]:
        trainer.do(*action)
        dense.do(*action)
        assert_equal(trainer.layer._parameters, dense.layer._parameters)
        if looks:
            assert_equal(trainer.layer._gradients, dense.layer._gradients)
    assert_equal(trainer.layer._gradients, dense.layer._gradients)


def assert_equal(arrays, others):
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], others[name], strict=True)


def test_rows_are_known_as_long_as_nobody_else_can_write():
    table, indices = nr.LookupTable(WORDS, FEATURES), np.array([[3, 5], [5, 1]])

    def rows():
        table.zero_grad_parameters()
        output = table.forward(indices)
        table.backward(indices, output)
        known = table._gradients.rows("weight")
        return None if known is None else known.tolist()

    assert rows() == [1, 3, 5]
    assert rows() == [1, 3, 5]
    part = table.grad_weight[2:4]
    assert table._gradients.rows("weight") is None
    assert rows() is None
    del part
    assert rows() == [1, 3, 5]
    table.get_parameters()
    assert rows() is None


def test_more_rows_than_half_of_all_are_not_told_apart():
    table, indices = nr.LookupTable(WORDS, FEATURES), np.arange(WORDS)
    table.zero_grad_parameters()
    output = table.forward(indices)
    table.backward(indices, output)
    assert table._gradients.rows("weight") is None
    np.testing.assert_array_equal(table.grad_weight, output)


def test_a_linear_layers_gradient_counts_as_zero_until_somebody_looks():
    layer, x = nr.Linear(FEATURES, WORDS), np.ones((2, FEATURES), "float32")
    layer.backward(x, layer.forward(x))
    layer.zero_grad_parameters()
    memory, counts_as_zero = layer._gradients.begin("weight")
    assert counts_as_zero
    assert memory.any()
    layer.zero_grad_parameters()
    held = layer.grad_weight
    assert not held.any()
    layer.backward(x, layer.forward(x))
    assert held.any()
    layer.zero_grad_parameters()
    assert not held.any()
