"""Every module keeps the promises, whatever its sizes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr
from tests.modules import CRITERIONS, CRITERIONS_TESTED_APART, MODULES, Sizes

BASES = {nr.Module, nr.Container, nr.Cell, nr.AbstractRecurrent, nr.AbstractSequencer, nr.Reinforce, nr.Criterion}
SIZES = Sizes(rows=(2,), features=3, hidden=4, time=3)


def public(base):
    return {value for value in vars(nr).values() if isinstance(value, type) and issubclass(value, base)} - BASES


def test_the_tables_have_every_module_and_criterion_of_the_library():
    # Some are there inside others, which give them what they take.
    assert {type(part) for entry in MODULES.values() for part in entry.make(SIZES).modules()} >= public(nr.Module)
    assert {type(entry.make(SIZES)) for entry in CRITERIONS.values()} == public(nr.Criterion) - CRITERIONS_TESTED_APART


@pytest.mark.parametrize("name", MODULES)
@given(data=st.data(), seed=st.integers(0, 2**16))
@settings(max_examples=settings.default.max_examples // 3)
def test_keeps_all_promises(name, data, seed):
    entry = MODULES[name]
    sizes = data.draw(entry.sizes())
    module, input = entry.make(sizes, seed), entry.draw(sizes, np.random.default_rng(seed))
    options = {"rows": entry.is_row_wise, "gradients": entry.has_true_gradient}
    nr.testing.check_module(module, input, **options, length=data.draw(st.integers(1, 5)), seed=seed)
