"""Element functions for float32, of numbers and of vectors: without branches, and the same bits on every machine.

Only operations that IEEE 754 rounds correctly are used, and powers of two made from bits. The polynomials are minimax
fits. `functions64` has the same functions for float64.
"""

from __future__ import annotations

from numba import float32

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import INLINE_OPTIONS
from numrnn.kernels.cpu.vector import copysign, exponent, fma, fraction, scale, square_root, where_less

ZERO, HALF, ONE, TWO = float32(0.0), float32(0.5), float32(1.0), float32(2.0)
LOG2_E, LN_2 = float32(1.44269504088896340736), float32(0.69314718055994530942)
LN_2_HIGH, LN_2_LOW = (
    float32(0.693359375),
    float32(-2.12194440e-4),
)  # their sum is ln 2; multiples of the first are exact
ROUNDING = float32(12582912.0)  # added to a small number, it leaves that rounded to a whole one in the lowest bits
LARGEST = float32(87.33654)  # e ** -LARGEST is about the smallest normal number
SATURATED = float32(10.0)  # tanh is 1 from here on
SMALLEST = float32(1.17549435082228750797e-38)  # normal number
SQRT_HALF = float32(0.70710678118654752440)
TWO_OVER_PI = float32(0.63661977236758134308)
HALF_PI_1, HALF_PI_2, HALF_PI_3 = (
    float32(1.57079637050628662109e00),
    float32(-4.37113882867379288655e-08),
    float32(-1.71512451000588187280e-15),
)
LARGEST_ANGLE = float32(1e5)
INFINITY, NAN = float32(float("inf")), float32(float("nan"))


@njit(**INLINE_OPTIONS)
def _split_exp(z):
    """Return e ** r - 1 and 2 ** n, where z = n ln 2 + r and |r| <= ln 2 / 2; 2 ** n is to be a normal number."""
    shifted = fma(z, LOG2_E, ROUNDING)
    n = shifted - ROUNDING
    r = fma(n, -LN_2_LOW, fma(n, -LN_2_HIGH, z))
    q = float32(1.39506020242643829e-03)
    q = fma(q, r, float32(8.36895345515374124e-03))
    q = fma(q, r, float32(4.16662041433790986e-02))
    q = fma(q, r, float32(1.66665183066393829e-01))
    q = fma(q, r, float32(5.00000009569903092e-01))
    return fma(q, r * r, r), scale(ONE, shifted)


@njit(**INLINE_OPTIONS)
def exp_of_minus(size):
    """e ** -size, for a size of at least 0. Where that is less than a normal number, it is 0."""
    part, power = _split_exp(-where_less(LARGEST, size, LARGEST, size))
    return where_less(LARGEST, size, ZERO, fma(part, power, power))


@njit(**INLINE_OPTIONS)
def sigmoid(x):
    """1 / (1 + e ** -x), without overflow on either side. Where that is less than a normal number, it is 0."""
    size = abs(x)
    e = exp_of_minus(size)
    return where_less(x, ZERO, e, ONE) / (ONE + e)


@njit(**INLINE_OPTIONS)
def tanh(x):
    """(1 - e ** -2|x|) / (1 + e ** -2|x|), with the sign of x."""
    size = abs(x)
    part, power = _split_exp(where_less(SATURATED, size, SATURATED, size) * -TWO)
    e = fma(part, power, power - ONE)  # less 1
    return copysign(e / (TWO + e), x)


@njit(**INLINE_OPTIONS)
def exp(x):
    """e ** x, scaled in two halves, since neither very small nor very large powers of two are normal numbers."""
    z = where_less(x, float32(-104.0), float32(-104.0), x)
    z = where_less(float32(89.0), z, float32(89.0), z)
    n = fma(z, LOG2_E, ROUNDING) - ROUNDING
    r = fma(n, -LN_2_LOW, fma(n, -LN_2_HIGH, z))
    part, one = _split_exp(r)
    shifted = fma(n, HALF, ROUNDING)
    half = scale(one, shifted)
    return fma(part, half, half) * scale(ONE, n - (shifted - ROUNDING) + ROUNDING)


@njit(**INLINE_OPTIONS)
def log(x):
    """Natural logarithm: x = m 2 ** n with m near 1, then a series in s = (m - 1) / (m + 1)."""
    is_small = where_less(x, SMALLEST, ONE, ZERO)
    y = where_less(x, SMALLEST, x * float32(8388608.0), x)
    n = exponent(y, SQRT_HALF) - is_small * float32(23.0)
    result = _log_of(fraction(y, SQRT_HALF) - ONE, n)
    result = where_less(x, INFINITY, result, x)  # infinity and NaN stay
    return where_less(x, SMALLEST, where_less(ZERO, x, result, where_less(x, ZERO, NAN, -INFINITY)), result)


@njit(**INLINE_OPTIONS)
def _log_of(f, n):
    """Return log((1 + f) 2 ** n), for a small f."""
    s = f / (TWO + f)
    z = s * s
    p = float32(2.35878277557077687e-01)
    p = fma(p, z, float32(2.85370269420511191e-01))
    p = fma(p, z, float32(4.00003393212957414e-01))
    p = fma(p, z, float32(6.66666656287091763e-01))
    half_square = HALF * f * f
    return fma(n, LN_2_HIGH, f - (half_square - fma(s, fma(p, z, half_square), n * LN_2_LOW)))


@njit(**INLINE_OPTIONS)
def softplus(x):
    """max(x, 0) + log(1 + e ** -|x|), without overflow. Where that is less than a normal number, it is 0."""
    size = abs(x)
    e = exp_of_minus(size)
    is_large = where_less(float32(0.41421356237309504880), e, ONE, ZERO)
    f = where_less(float32(0.41421356237309504880), e, (e - ONE) * HALF, e)  # 1 + e = (1 + f) 2 ** n
    return where_less(x, ZERO, ZERO, x) + _log_of(f, is_large)


@njit(**INLINE_OPTIONS)
def _sine(x, quarters):
    """Return the sine of x + quarters * pi / 2, or NaN for an x that is too large to tell."""
    n = fma(x, TWO_OVER_PI, ROUNDING) - ROUNDING
    r = fma(n, -HALF_PI_3, fma(n, -HALF_PI_2, fma(n, -HALF_PI_1, x)))  # the first of these is exact
    z = r * r
    q = float32(-1.95166561298222373e-04)
    q = fma(q, z, float32(8.33217354546483130e-03))
    q = fma(q, z, float32(-1.66666548735123182e-01))
    sine = fma(q * z, r, r)
    q = float32(2.44377304568862516e-05)
    q = fma(q, z, float32(-1.38873614532225250e-03))
    q = fma(q, z, float32(4.16666467478358227e-02))
    cosine = fma(q * z, z, fma(z, -HALF, ONE))
    n = n + quarters
    odd = abs(n - TWO * _rounded(n * HALF))
    half = (n - odd) * HALF
    sign = ONE - TWO * abs(half - TWO * _rounded(half * HALF))
    result = sign * where_less(HALF, odd, cosine, sine)
    return where_less(LARGEST_ANGLE, abs(x), NAN, result)


@njit(**INLINE_OPTIONS)
def _rounded(x):
    """Return the whole number next to x."""
    return (x + ROUNDING) - ROUNDING


@njit(**INLINE_OPTIONS)
def sin(x):
    """Sine of x radians; NaN if x is beyond `LARGEST_ANGLE`."""
    return _sine(x, ZERO)


@njit(**INLINE_OPTIONS)
def cos(x):
    """Cosine of x radians; NaN if x is beyond `LARGEST_ANGLE`."""
    return _sine(x, ONE)


@njit(**INLINE_OPTIONS)
def sqrt(x):
    """Square root."""
    return square_root(x)


@njit(**INLINE_OPTIONS)
def relu(x):
    """max(x, 0); NaN stays NaN."""
    return where_less(x, ZERO, ZERO, x)


@njit(**INLINE_OPTIONS)
def maximum(a, b):
    """The larger of a and b; a if one of them is NaN."""
    return where_less(a, b, b, a)


@njit(**INLINE_OPTIONS)
def minimum(a, b):
    """The smaller of a and b; a if one of them is NaN."""
    return where_less(b, a, b, a)


@njit(**INLINE_OPTIONS)
def greater(a, b):
    """1 where a > b, 0 elsewhere."""
    return where_less(b, a, ONE, ZERO)
