"""Element functions for float32, of numbers and of vectors: without branches, and the same bits on every machine.

Only operations that IEEE 754 rounds correctly are used, and powers of two made from bits. The polynomials are those of Moshier's
Cephes library. `functions64` has the same functions for float64.
"""

from __future__ import annotations

import math

from numba import float32, njit

from numrnn.kernels.cpu.machine import INLINE_OPTIONS
from numrnn.kernels.cpu.vector import fma, scale, square_root, where_less

ROUNDING = 12582912.0  # added to a small number, it leaves that rounded to a whole one in the lowest bits
LARGEST = 87.33
"""e ** -LARGEST is about the smallest normal number. Even smaller ones are slow: sigmoid gives 0 there."""


@njit(**INLINE_OPTIONS)
def _power(z):
    """Return e ** z, for -87.33 <= z <= 0: z = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, times 2 ** n."""
    shifted = fma(z, float32(1.44269504088896341), float32(ROUNDING))
    n = shifted - float32(ROUNDING)
    r = fma(n, float32(2.12194440e-4), fma(n, float32(-0.693359375), z))
    p = fma(r, float32(1.9875691500e-4), float32(1.3981999507e-3))
    p = fma(p, r, float32(8.3334519073e-3))
    p = fma(p, r, float32(4.1665795894e-2))
    p = fma(p, r, float32(1.6666665459e-1))
    p = fma(p, r, float32(5.0000001201e-1))
    return scale(fma(p, r * r, r) + float32(1.0), shifted)


@njit(**INLINE_OPTIONS)
def _reciprocal(d):
    """Return 1 / d, for 1 <= d <= 2: a polynomial of degree 2, and Newton's steps."""
    y = fma(d, fma(d, float32(0.2626), float32(-1.2741)), float32(2.0061))
    y = fma(y, fma(-d, y, float32(1.0)), y)
    return fma(y, fma(-d, y, float32(1.0)), y)


@njit(**INLINE_OPTIONS)
def sigmoid(x):
    """1 / (1 + e ** -x), without overflow on either side."""
    size = abs(x)
    e = _power(-where_less(float32(LARGEST), size, float32(LARGEST), size))
    e = where_less(float32(LARGEST), size, float32(0.0), e)
    return where_less(x, float32(0.0), e, float32(1.0)) * _reciprocal(float32(1.0) + e)


@njit(**INLINE_OPTIONS)
def tanh(x):
    """An odd polynomial near 0, 1 - 2 / (e ** 2|x| + 1) elsewhere."""
    z = x * x
    p = fma(z, float32(-5.70498872745e-3), float32(2.06390887954e-2))
    p = fma(p, z, float32(-5.37397155531e-2))
    p = fma(p, z, float32(1.33314422036e-1))
    p = fma(p, z, float32(-3.33332819422e-1))
    near = fma(p * z, x, x)
    size = abs(x)
    e = _power(where_less(float32(10.0), size, float32(-20.0), size * float32(-2.0)))
    far = (float32(1.0) - e) * _reciprocal(float32(1.0) + e)
    return where_less(size, float32(0.625), near, where_less(x, float32(0.0), -far, far))


@njit(**INLINE_OPTIONS)
def exp(x):
    return _power(x)


@njit(**INLINE_OPTIONS)
def log(x):
    return x

@njit(**INLINE_OPTIONS)
def softplus(x):
    return x

@njit(**INLINE_OPTIONS)
def sqrt(x):
    """Square root."""
    return square_root(x)


@njit(**INLINE_OPTIONS)
def relu(x):
    """max(x, 0); NaN stays NaN."""
    return where_less(x, float32(0.0), float32(0.0), x)


@njit(**INLINE_OPTIONS)
def maximum(a, b):
    """The larger of a and b; a where one of them is NaN."""
    return where_less(a, b, b, a)


@njit(**INLINE_OPTIONS)
def minimum(a, b):
    """The smaller of a and b; a where one of them is NaN."""
    return where_less(b, a, b, a)


@njit(**INLINE_OPTIONS)
def greater(a, b):
    """1 where a > b, 0 elsewhere."""
    return where_less(b, a, float32(1.0), float32(0.0))
