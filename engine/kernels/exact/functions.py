"""exp, expm1, log and erf of float64 arrays from + - * / alone, as docs/arithmetic.md says."""

from typing import TypeVar

import numpy as np

from engine.kernels.series import (
    ERF_ABOVE,
    ERF_BELOW,
    EXP,
    EXP32,
    EXPM1,
    HIGHEST,
    LARGEST,
    LN2_HIGH,
    LN2_HIGH32,
    LN2_LOW,
    LN2_LOW32,
    LOG,
    LOG2_E,
    LOWEST,
    LOWEST32,
    ROOT_TWO,
    ROUNDER,
    ROUNDER32,
)
from engine.kernels.table import Array, Doubles

Numbers = TypeVar("Numbers", Array, Doubles)

_EXPONENT = 1023  # of 1.0, as float64 keeps it
_FRACTION = (1 << 52) - 1  # the bits of a float64 that are not its sign or exponent


def exp(x: Doubles) -> Doubles:
    """Return e^x."""
    x = np.where(x < LOWEST, LOWEST, x)
    x = np.where(x > HIGHEST, HIGHEST, x)
    rounded = x * LOG2_E + ROUNDER
    k = rounded - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    return polynomial(EXP, r) * ((rounded.view(np.int64) + _EXPONENT) << 52).view(np.float64)


def expm1(x: Doubles) -> Doubles:
    """Return e^x - 1, right to the last digits near 0, too."""
    x = np.where(x < LOWEST, LOWEST, x)
    x = np.where(x > HIGHEST, HIGHEST, x)
    rounded = x * LOG2_E + ROUNDER
    k = rounded - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    power = ((rounded.view(np.int64) + _EXPONENT) << 52).view(np.float64)
    return r * polynomial(EXPM1, r) * power + (power - 1)


def exp_below(x: Array) -> Array:
    """Return e^x in float32, for x that is not above 0; 0 below -87."""
    held = np.where(x < LOWEST32, np.float32(LOWEST32), x)
    rounded = held * np.float32(LOG2_E) + np.float32(ROUNDER32)
    k = rounded - np.float32(ROUNDER32)
    r = (held - k * np.float32(LN2_HIGH32)) - k * np.float32(LN2_LOW32)
    power = ((rounded.view(np.int32) + np.int32(127)) << 23).view(np.float32)
    return np.where(x < LOWEST32, np.float32(0), polynomial(EXP32, r) * power)


def log(x: Doubles) -> Doubles:
    """Return the natural logarithm of normal numbers above 0, of infinity, or of NaN."""
    bits = x.view(np.int64)
    k = (bits >> 52) - _EXPONENT
    m = ((bits & _FRACTION) | (_EXPONENT << 52)).view(np.float64)
    large = m > ROOT_TWO
    k, m = k + large, np.where(large, m * 0.5, m)
    s = (m - 1) / (m + 1)
    found = k * LN2_HIGH + (2 * s * polynomial(LOG, s * s) + k * LN2_LOW)
    return np.where(x < np.inf, found, x)


def erf(x: Doubles) -> Doubles:
    """Return the error function, right to 11 digits, and 1 in float32 where that is nearest."""
    x = np.where(x > LARGEST, LARGEST, x)
    x = np.where(x < -LARGEST, -LARGEST, x)
    return x * polynomial(ERF_ABOVE, x * x) / polynomial(ERF_BELOW, x * x)


def polynomial(coefficients: tuple[float, ...], x: Numbers) -> Numbers:
    """Return the values at x by Horner's scheme, highest power first, in the type of x."""
    total: Numbers = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + x.dtype.type(coefficient)
    return total
