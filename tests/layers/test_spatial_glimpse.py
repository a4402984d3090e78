"""SpatialGlimpse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numrnn as nr


def naive(image, location, size, depth, scale):
    """Return the glimpse of one image: paste it into zeros, cut, and average."""
    channels, *shape = image.shape
    patches, length = [], size
    for d in range(depth):
        length = math.floor(length * scale) if d else size
        margin = 2 * length
        padded = np.pad(image, ((0, 0), (margin, margin), (margin, margin)))
        before = (length - 1) // 2
        starts = []
        for place, extent in zip(np.clip(location, -1, 1), shape, strict=True):
            centres = max(extent - 1 - (length % 2 == 0), 0)  # the last pixel that a patch may have as its centre
            starts.append(math.floor((place + 1) / 2 * centres) - before + margin)
        top, left = starts
        patch = padded[:, top : top + length, left : left + length]
        cells = [(math.floor(k * length / size), math.ceil((k + 1) * length / size)) for k in range(size)]
        patches.append(
            [[[patch[c, a:b, e:f].mean() for e, f in cells] for a, b in cells] for c in range(channels)],
        )
    return np.concatenate(patches)


@given(
    rows=st.integers(1, 3),
    channels=st.integers(1, 2),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    size=st.integers(1, 4),
    depth=st.integers(1, 3),
    scale=st.sampled_from([1, 1.5, 2, 3]),
    seed=st.integers(0, 2**16),
)
def test_equals_cutting_and_averaging(rows, channels, height, width, size, depth, scale, seed):
    rng = np.random.default_rng(seed)
    images, locations = rng.normal(size=(rows, channels, height, width)), rng.uniform(-1.5, 1.5, (rows, 2))
    glimpse = nr.SpatialGlimpse(size, depth, scale)
    output = glimpse.forward([images, locations])
    expected = [naive(*pair, size, depth, scale) for pair in zip(images, locations, strict=True)]
    assert output.shape == (rows, depth * channels, size, size)
    np.testing.assert_allclose(output, expected, atol=1e-12)


@given(
    size=st.integers(1, 3),
    depth=st.integers(1, 3),
    scale=st.sampled_from([1.5, 2]),
    channels=st.integers(1, 2),
    seed=st.integers(0, 2**16),
)
@settings(max_examples=settings.default.max_examples // 2)
def test_gradient_is_that_of_a_linear_map(size, depth, scale, channels, seed):
    rng = np.random.default_rng(seed)
    images, locations = rng.normal(size=(2, channels, 5, 4)), rng.uniform(-1, 1, (2, 2))
    glimpse = nr.SpatialGlimpse(size, depth, scale)
    grad_output = rng.normal(size=glimpse.forward([images, locations]).shape)
    grad_images, grad_locations = glimpse.backward([images, locations], grad_output)
    assert not grad_locations.any()
    direction = rng.normal(size=images.shape)
    along = (glimpse.forward([direction, locations]) * grad_output).sum()
    np.testing.assert_allclose((grad_images * direction).sum(), along, atol=1e-12)


def test_a_location_is_row_and_column_of_the_centre():
    image = np.arange(35.0).reshape(1, 5, 7)
    glimpse = nr.SpatialGlimpse(1, depth=1)
    for row in range(5):
        for column in range(7):
            location = np.array([row / 4, column / 6]) * 2 - 1 + 1e-9
            assert glimpse.forward([image, location]).item() == image[0, row, column]


def test_what_is_beyond_the_image_is_zero_and_is_not_looked_at():
    images = np.full((1, 1, 4, 4), 3.0)
    images[0, 0, :2] = np.nan
    glimpse = nr.SpatialGlimpse(3, depth=1)
    corner = glimpse.forward([images, np.ones((1, 2))])[0, 0]
    assert corner.tolist() == [[3, 3, 0], [3, 3, 0], [0, 0, 0]]
    beyond = glimpse.forward([images, np.array([[7.0, 1.0]])])[0, 0]
    assert beyond.tolist() == corner.tolist()


def test_a_whole_sequence_of_images_at_once():
    rng = np.random.default_rng(0)
    images, locations = rng.normal(size=(3, 2, 1, 6, 5)), rng.uniform(-1, 1, (3, 2, 2))
    glimpse = nr.SpatialGlimpse(2)
    steps = [list(pair) for pair in zip(images, locations, strict=True)]
    for step, output in zip(steps, nr.Sequencer(glimpse).forward(steps), strict=True):
        np.testing.assert_array_equal(output, glimpse.forward(step))


images, locations = np.zeros((2, 3, 5, 4)), np.zeros((2, 2))


@pytest.mark.parametrize(
    ("input", "error", "message"),
    [
        (images, TypeError, r"a table \[images, locations\]"),
        ([images], ValueError, r"a table \[images, locations\]"),
        ([images, locations, locations], ValueError, r"a table \[images, locations\]"),
        ([images, locations.astype("f4")], TypeError, "one element type"),
        ([images.astype(int), locations], TypeError, "one float32 or float64 array"),
        ([images, np.zeros((2, 3))], ValueError, r"locations \(\.\.\., 2\)"),
        ([images, np.zeros((3, 2))], ValueError, r"locations \(\.\.\., 2\)"),
        ([images[0, 0], np.zeros(2)], ValueError, r"images \(\.\.\., channels, height, width\)"),
        ([images[..., :0], locations], ValueError, r"images \(\.\.\., channels, height, width\)"),
        ([images, locations * np.nan], ValueError, "locations that are not finite; expects numbers from -1 to 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(input, error, message):
    glimpse = nr.SpatialGlimpse(2)
    with pytest.raises(error, match=message) as caught:
        glimpse.forward(input)
    assert str(caught.value).startswith("SpatialGlimpse(2, depth=3, scale=2): got")


@pytest.mark.parametrize(
    "arguments", [(0,), (2.0,), (True,), (2, 0), (2, 3, 0.5), (2, 3, "2"), (2, 3, math.nan), (2, 3, math.inf)]
)
def test_sizes_are_checked(arguments):
    with pytest.raises(ValueError, match=r"SpatialGlimpse: got .*; expects"):
        nr.SpatialGlimpse(*arguments)
