"""Patches of images, shrunk to one size, and the way back."""

from __future__ import annotations

import numpy as np

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import INLINE_OPTIONS, OPTIONS


@njit(**INLINE_OPTIONS)
def _pixels(cell, cells, first, length, size):
    """Return the pixels, from and to, that a cell of a patch covers, how many there are, and those in the image.

    The patch has `length` pixels, of which the first is number `first` of an image of `size`.
    """
    low, high = cell * length // cells, -((-(cell + 1) * length) // cells)
    return max(first + low, 0), min(first + high, size), high - low


@njit(**OPTIONS)
def shrink_patches(
    images: np.ndarray, tops: np.ndarray, lefts: np.ndarray, lengths: np.ndarray, output: np.ndarray
) -> None:
    """Write patches of images: each number is the mean of the pixels that it covers, zeros where there is no image.

    Parameters
    ----------
    images : (N, C, H, W)
    tops, lefts : (N, depth), where the patches begin, which may be outside
    lengths : (depth,), edges of the patches
    output : (N, depth, C, size, size)
    """
    count, depth, channels, size, _ = output.shape
    for n in range(count):
        for d in range(depth):
            for c in range(channels):
                image, patch = images[n, c], output[n, d, c]
                for i in range(size):
                    top, bottom, rows = _pixels(i, size, tops[n, d], lengths[d], image.shape[0])
                    for j in range(size):
                        left, right, columns = _pixels(j, size, lefts[n, d], lengths[d], image.shape[1])
                        total = images.dtype.type(0)
                        for y in range(top, bottom):
                            for x in range(left, right):
                                total += image[y, x]
                        patch[i, j] = total / images.dtype.type(rows * columns)


@njit(**OPTIONS)
def spread_patches(
    patches: np.ndarray, tops: np.ndarray, lefts: np.ndarray, lengths: np.ndarray, gradient: np.ndarray
) -> None:
    """Add to the gradient of the images what the gradient of their shrunk patches gives; see `shrink_patches`."""
    count, depth, channels, size, _ = patches.shape
    for n in range(count):
        for d in range(depth):
            for c in range(channels):
                image, patch = gradient[n, c], patches[n, d, c]
                for i in range(size):
                    top, bottom, rows = _pixels(i, size, tops[n, d], lengths[d], image.shape[0])
                    for j in range(size):
                        left, right, columns = _pixels(j, size, lefts[n, d], lengths[d], image.shape[1])
                        part = patch[i, j] / gradient.dtype.type(rows * columns)
                        for y in range(top, bottom):
                            for x in range(left, right):
                                image[y, x] += part
