"""Every criterion gives the same for whole sequences as step by step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numrnn as nr
from numrnn.table import leaves, map_table
from tests.modules import CRITERIONS, Sizes

NAMES = [name for name in CRITERIONS if not name.startswith("MaskZero")]  # their masks have a time axis here
sizes = st.builds(
    Sizes,
    rows=st.one_of(st.just(()), st.tuples(st.integers(1, 20))),
    features=st.integers(1, 9),
    hidden=st.integers(1, 5),
    time=st.integers(1, 4),
)


def typed(table, dtype):
    return map_table(lambda a: np.asarray(a, dtype) if a.dtype.kind == "f" else a, table)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
@given(sizes=sizes, seed=st.integers(0, 2**16))
def test_a_sequence_is_its_steps_to_the_bit(name, dtype, sizes, seed):
    entry, rng = CRITERIONS[name], np.random.default_rng(seed)
    criterion = entry.make(sizes)
    inputs, targets = zip(*(entry.draw(sizes, rng) for _ in range(sizes.time)), strict=True)
    inputs, targets = typed(inputs, dtype), typed(targets, dtype)
    whole = nr.SequencerCriterion(criterion)
    assert whole(inputs, targets) == sum(criterion(*step) for step in zip(inputs, targets, strict=True))
    gradients = whole.backward(inputs, targets)
    steps = [criterion.backward(*step) for step in zip(inputs, targets, strict=True)]
    for found, expected in zip(leaves(gradients), leaves(steps), strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["MSECriterion", "BCECriterion, weights", "CrossEntropyCriterion", "MultiMarginCriterion", "MultiCriterion"]
)
def test_it_does_not_matter_how_arrays_lie_in_memory(name, dtype):
    sizes = Sizes((37,), 5, 3, 6)
    entry, rng = CRITERIONS[name], np.random.default_rng(0)
    criterion = entry.make(sizes)
    steps = [entry.draw(sizes, rng) for _ in range(sizes.time)]
    inputs, targets = (np.stack(part) for part in zip(*steps, strict=True))
    inputs, targets = typed([inputs, targets], dtype)
    batch_first = [np.ascontiguousarray(array.swapaxes(0, 1)).swapaxes(0, 1) for array in (inputs, targets)]
    read_only = [array.copy() for array in (inputs, targets)]
    for array in read_only:
        array.flags.writeable = False
    losses, gradients = criterion.forward_sequence(inputs, targets), criterion.backward_sequence(inputs, targets)
    for arguments in (batch_first, read_only):
        assert criterion.forward_sequence(*arguments) == losses
        np.testing.assert_array_equal(criterion.backward_sequence(*arguments), gradients)
        assert criterion(*(array[2] for array in arguments)) == losses[2]
