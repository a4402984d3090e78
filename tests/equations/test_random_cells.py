"""Any cell that can be written as equations gives what the equations say, forward and backward, stepped or not."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from numrnn.kernels.cpu import compile as compiling
from tests import naive
from tests.equations.random_cells import OnArrays, RandomCell, carry_out, recipes
from tests.uncompiled import run_uncompiled

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
TIME, BATCH = 3, 5


@pytest.fixture(scope="module", autouse=True)
def _own_cache_folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMRNN_CACHE_DIR", str(tmp_path_factory.mktemp("kernels")))
        yield


class Drawn:
    """A cell, its input, the gradients it is given, and what all that should lead to."""

    def __init__(self, recipe, seed):
        rng = np.random.default_rng(seed)
        self.recipe, self.cell = recipe, RandomCell(recipe, rng)
        widths = [recipe.sizes[size] for size in recipe.state_sizes.values()]
        self.x = rng.normal(0, 1, (TIME, BATCH, recipe.sizes["input"]))
        self.grad_output = rng.normal(0, 1, (TIME, BATCH, widths[0]))
        self.start = [rng.normal(0, 0.5, (BATCH, width)) for width in widths]
        self.grad_last = [rng.normal(0, 1, (BATCH, width)) for width in widths]
        self.suffixes = {m.name: m.suffixes for m in self.cell.program().trace.maps.values()}
        self.arrays = {name: array.astype("float64") for name, array in self.cell.named_parameters()}
        self.arrays |= {"x": self.x} | {f"start {k}": state for k, state in enumerate(self.start)}

    def reference(self, arrays):
        """Return the states after every step, and how near they came to a kink."""
        language = OnArrays(arrays, self.suffixes, self.recipe.sizes)

        def step(parameters, x, *states):
            return carry_out(self.recipe, language, x, states)

        start = [arrays[f"start {k}"] for k in range(len(self.start))]
        return naive.run(step, arrays, arrays["x"], *start), language.margin

    def loss(self, arrays):
        after, _ = self.reference(arrays)
        total = sum((output * grad).sum() for output, grad in zip(after[0], self.grad_output, strict=True))
        return total + sum((states[-1] * grad).sum() for states, grad in zip(after, self.grad_last, strict=True))

    def is_tame(self):
        """Whether rounding cannot make a difference that one sees."""
        with np.errstate(all="ignore"):
            after, margin = self.reference(self.arrays)
        largest = max(np.abs(state).max() for states in after for state in states)
        return margin > 1e-9 and largest < 50

    def run(self, stepwise=False):
        """Return the cell's results: output, last states, and gradients by name."""
        cell = self.cell.clone().astype("float64")
        cell.set_hidden_state(0, self.start)
        cell.set_grad_hidden_state(None, self.grad_last)
        output = np.stack([cell.forward(x) for x in self.x]) if stepwise else cell.forward_sequence(self.x)
        last = _listed(cell.get_hidden_state())
        if stepwise:
            backwards = zip(self.x[::-1], self.grad_output[::-1], strict=True)
            grad_x = np.stack([cell.backward(x, grad) for x, grad in backwards][::-1])
        else:
            grad_x = cell.backward_sequence(self.x, self.grad_output)
        gradients = dict(zip(dict(cell.named_parameters()), cell.parameters()[1], strict=True)) | {"x": grad_x}
        gradients |= {f"start {k}": grad for k, grad in enumerate(_listed(cell.get_grad_hidden_state(0)))}
        return output, last, gradients


def _listed(states):
    return states if isinstance(states, list) else [states]


def drawn_from(recipe, seed):
    """Return what a recipe and a seed make, if it is fit for a comparison."""
    try:
        drawn = Drawn(recipe, seed)
    except ValueError as error:  # two instructions that come to the same, for one map
        assume("the same argument twice" not in str(error))
        raise
    assume(drawn.is_tame())
    assume(drawn.cell.parameters()[0])  # the element type of a cell is that of its parameters
    return drawn


def check(recipe, seed):
    drawn = drawn_from(recipe, seed)
    note(drawn.cell.source())
    output, last, gradients = drawn.run()

    after, _ = drawn.reference(drawn.arrays)
    np.testing.assert_allclose(output, after[0], rtol=1e-10, atol=1e-11)
    for state, states in zip(last, after, strict=True):
        np.testing.assert_allclose(state, states[-1], rtol=1e-10, atol=1e-11)

    rng = np.random.default_rng(seed)
    for name, gradient in gradients.items():
        direction = rng.normal(0, 1, gradient.shape)
        expected = naive.derivative(drawn.loss, drawn.arrays, name, direction)
        scale = np.abs(gradient * direction).sum()
        assert abs((gradient * direction).sum() - expected) <= 1e-9 * scale + 1e-10, name

    stepped_output, stepped_last, stepped_gradients = drawn.run(stepwise=True)
    np.testing.assert_array_equal(output, stepped_output)
    for state, stepped in zip(last, stepped_last, strict=True):
        np.testing.assert_array_equal(state, stepped)
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, stepped_gradients[name], err_msg=name)


checks = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
)


@pytest.mark.timeout(3600 if THOROUGH else 300)
@settings(checks, max_examples=5000 if THOROUGH else 300)
@given(recipe=recipes(), seed=st.integers(0, 99))
def test_any_cell_is_its_equations(recipe, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_import", run_uncompiled)
        check(recipe, seed)


@pytest.mark.timeout(3600 if THOROUGH else 300)
@settings(
    checks,
    max_examples=100 if THOROUGH else 8,
    # a smaller example is worth the many compilations that it takes only when there is time
    phases=set(Phase) if THOROUGH else {Phase.explicit, Phase.reuse, Phase.generate},
)
@given(recipe=recipes(), seed=st.integers(0, 99))
def test_any_compiled_cell_is_its_equations(recipe, seed):
    check(recipe, seed)
