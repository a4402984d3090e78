"""A LookupTable's gradient in some rows only: nobody can tell it from a gradient in all rows."""

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


class Trainer:
    """A table, and what a program outside of the library may do with it."""

    def __init__(self, is_dense: bool) -> None:
        self.table, self.is_dense, self.held = nr.LookupTable(WORDS, FEATURES, rng=0), is_dense, None
        self.keep()

    def keep(self) -> None:
        """Hold on to the gradient of a dense one: it must always be handled as a whole."""
        self.outside = self.table.grad_weight if self.is_dense else None

    def do(self, action: str, argument: object) -> None:
        table = self.table
        if action == "backward":
            indices = np.array(argument)
            output = table.forward(indices)
            table.backward(indices, np.cos(output + np.arange(FEATURES, dtype=table.dtype)))
        elif action == "zero":
            table.zero_grad_parameters()
        elif action == "update":
            table.update_parameters(0.5)
        elif action == "write":
            table.grad_weight[argument] += 1
        elif action == "assign":
            table.grad_weight = np.full((WORDS, FEATURES), argument)
        elif action == "hold":
            self.held = table.parameters()[1][0]
        elif action == "hold a part":
            self.held = table.grad_weight[argument:][::2].T
        elif action == "write to what is held":
            if self.held is not None:
                self.held[..., argument % self.held.shape[-1]] -= 2
        elif action == "let go":
            self.held = None
        elif action == "flat":
            table.get_parameters()
            self.held = None  # that of before belongs to nobody any more
        elif action == "clip":
            nr.optim.clip_grad_norm(table, 1.0)
        elif action == "take back":
            self.table._gradients["weight"] = np.array(self.table._gradients["weight"])
            self.held = None
        else:
            change = {
                "clone": nr.Module.clone,
                "pickle": lambda module: pickle.loads(pickle.dumps(module)),
                "astype": lambda module: copy.deepcopy(module).astype(
                    "float64" if module.dtype == "float32" else "float32"
                ),
            }
            self.table, self.held = change[action](table), None
        if action in ("flat", "clone", "pickle", "astype", "take back"):
            self.keep()


@settings(max_examples=200)
@given(plan=st.lists(actions, max_size=15))
def test_nobody_can_tell_it_from_a_gradient_in_all_rows(plan):
    sparse, dense = Trainer(is_dense=False), Trainer(is_dense=True)
    for action in [*plan, ("update", None)]:
        sparse.do(*action)
        dense.do(*action)
        np.testing.assert_array_equal(sparse.table.weight, dense.table.weight)
        np.testing.assert_array_equal(sparse.table._gradients.own("weight"), dense.table._gradients.own("weight"))
    np.testing.assert_array_equal(sparse.table.grad_weight, dense.table.grad_weight)


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
