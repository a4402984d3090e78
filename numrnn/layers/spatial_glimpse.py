"""SpatialGlimpse: what an eye sees that looks at one place of an image."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numrnn.errors import complaint, describe
from numrnn.kernels.cpu.glimpse import shrink_patches, spread_patches
from numrnn.layers.arrays import check_float_array, compact, is_size
from numrnn.module import Module
from numrnn.table import is_table


class SpatialGlimpse(Module):
    """Patches of an image around a location, each larger than the one before and shrunk to the same size.

    The "retina" of Mnih et al., "Recurrent models of visual attention" (2014), figure 1A. The first patch has an edge
    of `size` pixels, each further one `scale` times that of the patch before, rounded down. Beyond the image there are
    zeros. A larger patch is shrunk by averaging over the pixels that each number of the result covers, wholly or in
    part.

    Parameters
    ----------
    size : int
        Height and width of the result.
    depth : int
        Number of patches.
    scale : float
        Ratio of the edges of two patches, at least 1.

    Notes
    -----
    The input is a table [images (..., C, H, W), locations (..., 2)], the output (..., depth * C, size, size), the
    smallest patch's channels first; the axes in front are the same everywhere, say (N,).

    A location is (y, x): (-1, -1) centres the patches at the top left of the image, (1, 1) at the bottom right, and
    what is outside of that counts as the edge. A patch with an even number of rows has one more of them below its
    centre than above, and one more column to the right. The gradient of the locations is zero: they are learned by
    `ReinforceNormal`, say.

    Raises
    ------
    ValueError
        If a size is not a whole number of at least 1, or the scale is below 1; in forward, if the shapes do not fit or
        a location is not finite.
    TypeError
        In forward, if the input is not a table of two float arrays of one element type.

    Examples
    --------
    >>> import numpy as np, numrnn as nr
    >>> image = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> y = nr.SpatialGlimpse(2, depth=2)([image, np.zeros((1, 2))])
    >>> y[0].tolist()  # the middle, and the image at half its size
    [[[5.0, 6.0], [9.0, 10.0]], [[2.5, 4.5], [10.5, 12.5]]]
    """

    row_wise = True

    def __init__(self, size: int, depth: int = 3, scale: float = 2) -> None:
        super().__init__()
        if not is_size(size) or not is_size(depth):
            got = f"size={size!r}, depth={depth!r}"
            raise ValueError(complaint("SpatialGlimpse", got, "whole numbers of at least 1"))
        if isinstance(scale, bool) or not isinstance(scale, int | float | np.number) or not 1 <= scale < math.inf:
            raise ValueError(complaint("SpatialGlimpse", f"scale={scale!r}", "a number of at least 1"))
        self.size, self.depth, self.scale = int(size), int(depth), scale
        self._lengths = np.empty(self.depth, np.int64)  # edges of the patches
        for d in range(self.depth):
            self._lengths[d] = math.floor(self._lengths[d - 1] * scale) if d else self.size

    def check_input(self, input: Any) -> None:
        """Expect a table of images and of a location for each."""
        if not is_table(input) or len(input) != 2:
            wrong = ValueError if is_table(input) else TypeError
            raise wrong(complaint(self, describe(input), "a table [images, locations]"))
        for array in input:
            check_float_array(self, array)
        images, locations = input
        if images.dtype != locations.dtype:
            raise TypeError(complaint(self, describe(input), "images and locations of one element type"))
        if images.ndim < 3 or 0 in images.shape[-3:] or locations.shape != (*images.shape[:-3], 2):
            expects = "images (..., channels, height, width) and locations (..., 2)"
            raise ValueError(complaint(self, describe(input), expects))
        if not np.isfinite(locations).all():
            raise ValueError(complaint(self, "locations that are not finite", "numbers from -1 to 1"))

    def update_output(self, input: Any) -> np.ndarray:
        """Cut the patches out and shrink them."""
        images, places = self._images(input), self._places(input)
        count, channels = images.shape[:2]
        output = np.empty((count, self.depth, channels, self.size, self.size), images.dtype)
        shrink_patches(images, *places, self._lengths, output)
        return output.reshape(*input[0].shape[:-3], self.depth * channels, self.size, self.size)

    def update_grad_input(self, input: Any, grad_output: np.ndarray) -> list[np.ndarray]:
        """Spread the gradients of the patches over the pixels that they come from."""
        images, places = self._images(input), self._places(input)
        count, channels = images.shape[:2]
        patches = compact(grad_output).reshape(count, self.depth, channels, self.size, self.size)
        gradient = np.zeros(images.shape, images.dtype)
        spread_patches(patches, *places, self._lengths, gradient)
        return [gradient.reshape(input[0].shape), np.zeros_like(input[1])]

    def _images(self, input: Any) -> np.ndarray:
        """Return the images as (N, C, H, W)."""
        return compact(input[0]).reshape(-1, *input[0].shape[-3:])

    def _places(self, input: Any) -> list[np.ndarray]:
        """Return the top and the left pixels of the patches, each (N, depth)."""
        locations = np.asarray(input[1], np.float64).reshape(-1, 2)
        places = []
        for axis in range(2):
            before = (self._lengths - 1) // 2  # pixels of a patch before its centre
            room = np.maximum(input[0].shape[axis - 2] + 2 * before - self._lengths, 0)
            share = np.clip((locations[:, axis, None] + 1) / 2, 0, 1)
            places.append(np.floor(share * room).astype(np.int64) - before)
        return places

    def describe_arguments(self) -> str:
        """Return what stands between the parentheses of `repr`."""
        return f"{self.size}, depth={self.depth}, scale={self.scale}"
