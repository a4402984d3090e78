"""Layers whose arguments say which axes are those of a batch."""

import numpy as np
import pytest

import numrnn as nr


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize(
    ("sizes", "options", "shape", "expected"),
    [
        ((12,), {}, (5, 3, 4), (5, 12)),  # so many times the elements: a batch
        ((3, 4), {}, (5, 12), (5, 3, 4)),
        ((4,), {}, (5, 3, 4), (15, 4)),
        ((12,), {}, (3, 4), (12,)),  # one sample
        ((12,), {}, (1, 3, 4), (12,)),  # which a batch of one cannot be told from,
        ((12,), {"n_input_dims": 2}, (1, 3, 4), (1, 12)),  # unless it is said
        ((-1, 4), {}, (5, 3, 4), (15, 4)),
        ((-1,), {"n_input_dims": 2}, (5, 3, 4), (5, 12)),
    ],
)
def test_a_view_keeps_the_batch(sizes, options, shape, expected):
    view, x = nr.View(*sizes, **options), normal(*shape)
    output = view(x)
    np.testing.assert_array_equal(output, x.reshape(expected))
    np.testing.assert_array_equal(view.backward(x, output), x)


def test_a_view_refuses_what_does_not_fit():
    for shape in [(5, 3), (7,), (3, 0)]:
        with pytest.raises(ValueError, match="fits the sizes"):
            nr.View(12)(np.zeros(shape))


@pytest.mark.parametrize("sizes", [(1, 4), (3, 1), (2, 1, 4), (1,), (1, 1, 1)])
def test_a_size_of_1_serves_a_whole_axis_and_has_the_sum_of_its_gradients(sizes):
    layer, x, grad = nr.CMul(*sizes).astype("float64"), normal(2, 3, 4), normal(2, 3, 4) + 1
    np.testing.assert_array_equal(layer(x), x * layer.weight)
    np.testing.assert_array_equal(layer.backward(x, grad, 0.5), grad * layer.weight)
    axes = tuple(range(3 - len(sizes))) + tuple(3 - len(sizes) + k for k, size in enumerate(sizes) if size == 1)
    expected = 0.5 * (grad * x).sum(axes).reshape(sizes)
    np.testing.assert_allclose(layer.grad_weight, expected, rtol=1e-12)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"expects shape \(\.\.\., 2, 4\)"):
        nr.CMul(2, 4)(np.zeros((3, 4), "float32"))
    with pytest.raises(ValueError, match=r"expects shape"):
        nr.CMul(1, 4)(np.zeros(4, "float32"))
