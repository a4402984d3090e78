"""Element functions for float32: branch-free, so that loops over them become vector code.

They give the same bits on every machine. The polynomials are those of Moshier's Cephes library. `functions64` has the
same functions for float64.
"""

from __future__ import annotations

import math

from numba import float32, int32, njit

from numrnn.kernels.cpu.bits import power_of_two_32
from numrnn.kernels.cpu.machine import OPTIONS

_INLINE = {**OPTIONS, "forceinline": True}


@njit(**_INLINE)
def exp(x):
    """e ** x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, then a scaling by 2 ** n in two halves."""
    z = min(max(x, float32(-104.0)), float32(89.0))
    n = (z * float32(1.44269504088896341) + float32(12582912.0)) - float32(12582912.0)  # rounds to a whole number
    r = (z - n * float32(0.693359375)) - n * float32(-2.12194440e-4)
    p = float32(1.9875691500e-4)
    p = p * r + float32(1.3981999507e-3)
    p = p * r + float32(8.3334519073e-3)
    p = p * r + float32(4.1665795894e-2)
    p = p * r + float32(1.6666665459e-1)
    p = p * r + float32(5.0000001201e-1)
    y = (p * (r * r) + r) + float32(1.0)
    half = int32(n) >> int32(1)
    y = (y * power_of_two_32(int32(half))) * power_of_two_32(int32(int32(n) - half))
    return y if x == x else x


LARGEST = float32(87.33)
"""e ** -LARGEST is about the smallest normal number. Even smaller ones are slow: sigmoid gives 0 there."""


@njit(**_INLINE)
def sigmoid(x):
    """1 / (1 + e ** -x), without overflow on either side."""
    size = abs(x)
    e = exp(-(LARGEST if size > LARGEST else size))
    e = float32(0.0) if size > LARGEST else e
    return (e if x < float32(0.0) else float32(1.0)) / (float32(1.0) + e)


@njit(**_INLINE)
def tanh(x):
    """An odd polynomial near 0, 1 - 2 / (e ** 2|x| + 1) elsewhere."""
    z = x * x
    p = float32(-5.70498872745e-3)
    p = p * z + float32(2.06390887954e-2)
    p = p * z + float32(-5.37397155531e-2)
    p = p * z + float32(1.33314422036e-1)
    p = p * z + float32(-3.33332819422e-1)
    near = p * z * x + x
    size = abs(x)
    far = float32(1.0) - float32(2.0) / (exp(size + size) + float32(1.0))
    return near if size < float32(0.625) else (-far if x < float32(0.0) else far)


@njit(**_INLINE)
def log(x):
    """Natural logarithm."""
    return float32(math.log(x))


@njit(**_INLINE)
def sqrt(x):
    """Square root."""
    return float32(math.sqrt(x))


@njit(**_INLINE)
def softplus(x):
    """Log(1 + e ** x), without overflow."""
    return max(x, float32(0.0)) + float32(math.log1p(exp(-abs(x))))
