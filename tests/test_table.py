"""Tables of steps, and the arrays that they are views of."""

import copy
import pickle

import numpy as np
import pytest

import numrnn as nr
from numrnn import table
from numrnn.table import split_steps, stack_steps

MODULES = {
    "Linear": (nr.Linear(3, 4), np.zeros((5, 2, 3), "float32")),
    "Tanh": (nr.Tanh(), np.zeros((5, 2, 3), "float32")),
    "LogSoftMax": (nr.LogSoftMax(), np.zeros((5, 2, 3), "float32")),
    "LookupTable": (nr.LookupTable(9, 4), np.zeros((5, 2), int)),
    "GRU": (nr.GRU(3, 4), np.zeros((5, 2, 3), "float32")),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_table_that_came_out_of_a_sequencer_is_handed_on_without_a_copy(name):
    module, sequence = MODULES[name]
    sequencer = nr.Sequencer(module)
    outputs = sequencer.forward(list(sequence))
    assert np.shares_memory(stack_steps(outputs), outputs[0])
    grad_inputs = sequencer.backward(list(sequence), outputs)
    if grad_inputs[0] is not None:
        assert np.shares_memory(stack_steps(grad_inputs), grad_inputs[0])


@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 4), (3, 8), (24,), (4, 6)])
@pytest.mark.parametrize("order", [[0, 1, 2], [1, 2], [2, 1, 0], [0, 0, 1], [0, 2]])
def test_steps_are_stacked_in_their_order_whatever_they_are_views_of(shape, order, monkeypatch):
    monkeypatch.setattr(table, "SMALL", 0)
    block = np.arange(24.0).reshape(shape).reshape(3, 2, 4)
    steps = [block[k] for k in order]
    assert np.array_equal(stack_steps(steps), np.stack(steps))


def test_steps_across_the_rows_of_their_block_are_stacked_in_their_order(monkeypatch):
    monkeypatch.setattr(table, "SMALL", 0)
    block = np.arange(24.0).reshape(3, 2, 4)
    steps = split_steps(block.transpose(1, 0, 2), 2)
    assert np.array_equal(stack_steps(steps), np.stack(steps))
    parts = [block.reshape(-1)[k : k + 4] for k in (0, 3, 8)]
    assert np.array_equal(stack_steps(parts), np.stack(parts))


def test_steps_of_an_array_are_that_array_until_the_list_is_changed():
    block = np.arange(24.0).reshape(4, 2, 3)
    steps = split_steps(block, 4)
    assert stack_steps(steps) is block
    steps[1][...] = 7  # a view
    np.testing.assert_array_equal(stack_steps(steps)[1], np.full((2, 3), 7.0))
    for change in (lambda: steps.__setitem__(2, np.zeros((2, 3))), steps.reverse, steps.pop):
        change()
        np.testing.assert_array_equal(stack_steps(steps), np.stack(steps))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda steps: pickle.loads(pickle.dumps(steps))])
def test_copies_of_steps_are_plain_lists_of_their_own(copied):
    steps = copied(split_steps(np.zeros((4, 2, 3)), 4))
    assert type(steps) is list
    steps[1][...] = 7
    np.testing.assert_array_equal(stack_steps(steps), np.stack(steps))
