"""Element functions for float64: the same forms as in `functions32`, with the longer approximations."""

from __future__ import annotations

import math

from numba import float64, int64, njit

from numrnn.kernels.cpu.bits import power_of_two_64
from numrnn.kernels.cpu.machine import OPTIONS

_INLINE = {**OPTIONS, "forceinline": True}


@njit(**_INLINE)
def exp(x):
    """e ** x: x = n ln 2 + r with |r| <= ln 2 / 2, a rational function of r, then a scaling by 2 ** n in two halves."""
    z = min(max(x, float64(-746.0)), float64(710.0))
    n = (z * float64(1.4426950408889634073599) + float64(6755399441055744.0)) - float64(6755399441055744.0)
    r = (z - n * float64(6.93145751953125e-1)) - n * float64(1.42860682030941723212e-6)
    rr = r * r
    p = float64(1.26177193074810590878e-4)
    p = p * rr + float64(3.02994407707441961300e-2)
    p = (p * rr + float64(9.99999999999999999910e-1)) * r
    q = float64(3.00198505138664455042e-6)
    q = q * rr + float64(2.52448340349684104192e-3)
    q = q * rr + float64(2.27265548208155028766e-1)
    q = q * rr + float64(2.0)
    y = p / (q - p)
    y = float64(1.0) + (y + y)
    half = int64(n) >> int64(1)
    y = (y * power_of_two_64(half)) * power_of_two_64(int64(n) - half)
    return y if x == x else x


LARGEST = float64(708.39)
"""e ** -LARGEST is about the smallest normal number. Even smaller ones are slow: sigmoid gives 0 there."""


@njit(**_INLINE)
def sigmoid(x):
    """1 / (1 + e ** -x), without overflow on either side."""
    size = abs(x)
    e = exp(-(LARGEST if size > LARGEST else size))
    e = float64(0.0) if size > LARGEST else e
    return (e if x < float64(0.0) else float64(1.0)) / (float64(1.0) + e)


@njit(**_INLINE)
def tanh(x):
    """An odd rational function near 0, 1 - 2 / (e ** 2|x| + 1) elsewhere."""
    z = x * x
    p = float64(-9.64399179425052238628e-1)
    p = p * z + float64(-9.92877231001918586564e1)
    p = p * z + float64(-1.61468768441708447952e3)
    q = z + float64(1.12811678491632931402e2)
    q = q * z + float64(2.23548839060100448583e3)
    q = q * z + float64(4.84406305325125486048e3)
    near = x * z * (p / q) + x
    size = abs(x)
    far = float64(1.0) - float64(2.0) / (exp(size + size) + float64(1.0))
    return near if size < float64(0.625) else (-far if x < float64(0.0) else far)


@njit(**_INLINE)
def log(x):
    """Natural logarithm."""
    return math.log(x)


@njit(**_INLINE)
def sqrt(x):
    """Square root."""
    return math.sqrt(x)


@njit(**_INLINE)
def softplus(x):
    """Log(1 + e ** x), without overflow."""
    return max(x, float64(0.0)) + math.log1p(exp(-abs(x)))
