"""Element functions for float64, of numbers and of vectors: without branches, and the same bits on every machine.

Only operations that IEEE 754 rounds correctly are used, and powers of two made from bits. The polynomials are minimax
fits. They are those of `functions32`, with longer polynomials.
"""

from __future__ import annotations

from numba import float64

from numrnn.kernels.cpu.cache import njit
from numrnn.kernels.cpu.machine import INLINE_OPTIONS
from numrnn.kernels.cpu.vector import copysign, exponent, fma, fraction, scale, square_root, where_less

ZERO, HALF, ONE, TWO = float64(0.0), float64(0.5), float64(1.0), float64(2.0)
LOG2_E, LN_2 = float64(1.44269504088896340736), float64(0.69314718055994530942)
LN_2_HIGH, LN_2_LOW = (
    float64(6.93147180369123816490e-01),
    float64(1.90821492927058770002e-10),
)  # their sum is ln 2; multiples of the first are exact
ROUNDING = float64(
    6755399441055744.0
)  # added to a small number, it leaves that rounded to a whole one in the lowest bits
LARGEST = float64(708.396)  # e ** -LARGEST is about the smallest normal number
SATURATED = float64(20.0)  # tanh is 1 from here on
SMALLEST = float64(2.22507385850720138309e-308)  # normal number
SQRT_HALF = float64(0.70710678118654752440)
TWO_OVER_PI = float64(0.63661977236758134308)
HALF_PI_1, HALF_PI_2, HALF_PI_3 = (
    float64(1.57079632679489655800e00),
    float64(6.12323399573676603587e-17),
    float64(-1.49738490485916983294e-33),
)
LARGEST_ANGLE = float64(1e9)
INFINITY, NAN = float64(float("inf")), float64(float("nan"))


@njit(**INLINE_OPTIONS)
def _split_exp(z):
    """Return e ** r - 1, what its rounding lost, and 2 ** n, where z = n ln 2 + r and |r| <= ln 2 / 2.

    2 ** n is to be a normal number.
    """
    shifted = fma(z, LOG2_E, ROUNDING)
    n = shifted - ROUNDING
    above = fma(n, -LN_2_HIGH, z)
    r = fma(n, -LN_2_LOW, above)
    rest = fma(n, -LN_2_LOW, above - r)
    q = float64(2.09718826642900610149e-09)
    q = fma(q, r, float64(2.51136652340801571245e-08))
    q = fma(q, r, float64(2.75570763346268273514e-07))
    q = fma(q, r, float64(2.75572298121784964404e-06))
    q = fma(q, r, float64(2.48015875756460415418e-05))
    q = fma(q, r, float64(1.98412699018891269939e-04))
    q = fma(q, r, float64(1.38888888887429059332e-03))
    q = fma(q, r, float64(8.33333333331459473470e-03))
    q = fma(q, r, float64(4.16666666666670043595e-02))
    q = fma(q, r, float64(1.66666666666666879459e-01))
    q = fma(q, r, float64(5.00000000000000000000e-01))
    beyond = fma(q, r * r, rest)
    part = beyond + r
    return part, (r - part) + beyond, scale(ONE, shifted)


@njit(**INLINE_OPTIONS)
def _divide(a, b, c):
    """Return a / (b + c), corrected for what the sum loses by rounding."""
    d = b + c
    quotient = a / d
    return fma(quotient, ((d - b) - c) / d, quotient)


@njit(**INLINE_OPTIONS)
def exp_of_minus(size):
    """e ** -size, for a size of at least 0. Where that is less than a normal number, it is 0."""
    part, _, power = _split_exp(-where_less(LARGEST, size, LARGEST, size))
    return where_less(LARGEST, size, ZERO, fma(part, power, power))


@njit(**INLINE_OPTIONS)
def sigmoid(x):
    """1 / (1 + e ** -x), without overflow on either side. Where that is less than a normal number, it is 0."""
    size = abs(x)
    e = exp_of_minus(size)
    return _divide(where_less(x, ZERO, e, ONE), ONE, e)


@njit(**INLINE_OPTIONS)
def tanh(x):
    """(1 - e ** -2|x|) / (1 + e ** -2|x|), with the sign of x."""
    size = abs(x)
    part, lost, power = _split_exp(where_less(SATURATED, size, SATURATED, size) * -TWO)
    e = fma(part, power, power - ONE)  # less 1
    lost = fma(lost, power, fma(part, power, (power - ONE) - e))
    d = TWO + e
    quotient = e / d
    return copysign(quotient + (lost - quotient * (((TWO - d) + e) + lost)) / d, x)


@njit(**INLINE_OPTIONS)
def exp(x):
    """e ** x, scaled in two halves, since neither very small nor very large powers of two are normal numbers."""
    z = where_less(x, float64(-746.0), float64(-746.0), x)
    z = where_less(float64(710.0), z, float64(710.0), z)
    n = fma(z, LOG2_E, ROUNDING) - ROUNDING
    r = fma(n, -LN_2_LOW, fma(n, -LN_2_HIGH, z))
    part, _, one = _split_exp(r)
    shifted = fma(n, HALF, ROUNDING)
    half = scale(one, shifted)
    return fma(part, half, half) * scale(ONE, n - (shifted - ROUNDING) + ROUNDING)


@njit(**INLINE_OPTIONS)
def log(x):
    """Natural logarithm: x = m 2 ** n with m near 1, then a series in s = (m - 1) / (m + 1)."""
    is_small = where_less(x, SMALLEST, ONE, ZERO)
    y = where_less(x, SMALLEST, x * float64(18014398509481984.0), x)
    n = exponent(y, SQRT_HALF) - is_small * float64(54.0)
    result = _log_of(fraction(y, SQRT_HALF) - ONE, n)
    result = where_less(x, INFINITY, result, x)  # infinity and NaN stay
    return where_less(x, SMALLEST, where_less(ZERO, x, result, where_less(x, ZERO, NAN, -INFINITY)), result)


@njit(**INLINE_OPTIONS)
def _log_of(f, n):
    """Return log((1 + f) 2 ** n), for a small f."""
    s = f / (TWO + f)
    z = s * s
    p = float64(1.48022210419811339754e-01)
    p = fma(p, z, float64(1.53134567623841033601e-01))
    p = fma(p, z, float64(1.81835861787930902489e-01))
    p = fma(p, z, float64(2.22221981803284063250e-01))
    p = fma(p, z, float64(2.85714287459286897519e-01))
    p = fma(p, z, float64(3.99999999994001487202e-01))
    p = fma(p, z, float64(6.66666666666673624064e-01))
    half_square = HALF * f * f
    return fma(n, LN_2_HIGH, f - (half_square - fma(s, fma(p, z, half_square), n * LN_2_LOW)))


@njit(**INLINE_OPTIONS)
def softplus(x):
    """max(x, 0) + log(1 + e ** -|x|), without overflow. Where that is less than a normal number, it is 0."""
    size = abs(x)
    e = exp_of_minus(size)
    is_large = where_less(float64(0.41421356237309504880), e, ONE, ZERO)
    f = where_less(float64(0.41421356237309504880), e, (e - ONE) * HALF, e)  # 1 + e = (1 + f) 2 ** n
    return where_less(x, ZERO, ZERO, x) + _log_of(f, is_large)


@njit(**INLINE_OPTIONS)
def _sine(x, quarters):
    """Return the sine of x + quarters * pi / 2, or NaN for an x that is too large to tell."""
    n = fma(x, TWO_OVER_PI, ROUNDING) - ROUNDING
    r = fma(n, -HALF_PI_3, fma(n, -HALF_PI_2, fma(n, -HALF_PI_1, x)))  # the first of these is exact
    z = r * r
    q = float64(1.5899129588096283e-10)
    q = fma(q, z, float64(-2.5050815706032e-08))
    q = fma(q, z, float64(2.7557314206930887e-06))
    q = fma(q, z, float64(-0.00019841269831872495))
    q = fma(q, z, float64(0.00833333333332602))
    q = fma(q, z, float64(-0.16666666666666652))
    sine = fma(q * z, r, r)
    q = float64(-1.1369396557334301e-11)
    q = fma(q, z, float64(2.087592695675362e-09))
    q = fma(q, z, float64(-2.755731596826104e-07))
    q = fma(q, z, float64(2.4801587295474383e-05))
    q = fma(q, z, float64(-0.001388888888888427))
    q = fma(q, z, float64(0.04166666666666666))
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
