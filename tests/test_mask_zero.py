"""mask_zero: rows of zeros are padding."""

import numpy as np
import pytest

import numrnn as nr


def padded(*shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape) * (rng.random((*shape[:2], 1)) < 0.6)


def stack():
    nr.seed(0)
    return nr.Sequential(nr.Linear(2, 4), nr.LSTM(4, 3), nr.Linear(3, 2)).astype("float64")


def test_a_recursor_that_masks_zeros_is_one_around_a_mask_zero():
    masked, x = nr.Recursor(stack()).mask_zero(), padded(5, 3, 2)
    expected = nr.Recursor(nr.MaskZero(stack()))
    padding = ~x.any(-1)
    for other in (masked, nr.Sequencer(masked)):
        steps = isinstance(other, nr.Recursor)
        outputs = np.array([other.forward(step) for step in x]) if steps else other.forward(x)
        assert not outputs[padding].any()
        assert outputs[~padding].all()
        np.testing.assert_array_equal(outputs, [expected.forward(step) for step in x])
        masked.zero_grad_parameters()
        expected.zero_grad_parameters()
        pairs = [(step, np.ones((3, 2))) for step in x[::-1]]
        grads = [other.backward(*pair) for pair in pairs][::-1] if steps else other.backward(x, np.ones((5, 3, 2)))
        np.testing.assert_allclose(grads, [expected.backward(*pair) for pair in pairs][::-1], rtol=1e-13)
        for own, wanted in zip(masked.parameters()[1], expected.parameters()[1], strict=True):
            np.testing.assert_allclose(own, wanted, rtol=1e-12, atol=1e-14)
        masked.forget()
        expected.forget()


@pytest.mark.parametrize(
    ("make", "axes", "x"),
    [
        (lambda: nr.GRU(2, 3), 1, [[0.0, 0.0], [0.0, 2.0]]),
        (lambda: nr.LookupRNN(5, 3), 0, [0, 4]),
        (lambda: nr.Recurrence(flattened(), 3, 2), 2, [[[0.0, 0.0]] * 2, [[0.0, 0.0], [0.0, 2.0]]]),
        (lambda: nr.Recursor(nr.Sequential(nr.View(4, n_input_dims=2), nr.Linear(4, 3))), 2, [[[0.0] * 2] * 2] * 2),
    ],
)
def test_a_row_has_the_axes_of_one_input(make, axes, x):
    module = make().mask_zero(axes)
    x = np.array(x)
    output = module.forward(x if x.dtype.kind == "i" else x.astype("float32"))
    np.testing.assert_array_equal(output.any(-1), x.reshape(2, -1).any(-1))
    if not isinstance(module, nr.Recursor):
        with pytest.raises(ValueError, match=rf"got mask_zero\({axes + 1}\); expects {axes}, the number of axes"):
            module.mask_zero(axes + 1)


def flattened():
    flat = nr.Sequential(nr.View(4, n_input_dims=2), nr.Linear(4, 3))
    return nr.Sequential(nr.ParallelTable(flat, nr.Linear(3, 3)), nr.CAddTable(), nr.Tanh())
