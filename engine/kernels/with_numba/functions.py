"""exp, expm1, log and erf: float64 in, float64 out, from + - * / alone, as docs/arithmetic.md says.

LLVM makes vectors of them. The C library's functions differ from one processor and version to the next, and are slower.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

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
from engine.kernels.with_numba.jit import inner

SINGLE_EXP = tuple(np.float32(c) for c in EXP32)
SINGLE_LOG2_E, SINGLE_ROUNDER, SINGLE_LOWEST = np.float32(LOG2_E), np.float32(ROUNDER32), np.float32(LOWEST32)
SINGLE_HIGH, SINGLE_LOW = np.float32(LN2_HIGH32), np.float32(LN2_LOW32)
ZERO = np.float32(0)
Number = TypeVar("Number", float, np.float32)

EXPONENT = 1023  # of 1.0, as float64 keeps it
FRACTION = (1 << 52) - 1  # the bits of a float64 that are not its sign or exponent


@inner
def exp(x: float) -> float:
    """Return e^x."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    rounded = x * LOG2_E + ROUNDER
    k = rounded - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    return polynomial(EXP, r) * number((bits(rounded) + EXPONENT) << 52)


@inner
def expm1(x: float) -> float:
    """Return e^x - 1, right to the last digits near 0, too."""
    x = LOWEST if x < LOWEST else x
    x = HIGHEST if x > HIGHEST else x
    rounded = x * LOG2_E + ROUNDER
    k = rounded - ROUNDER
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    power = number((bits(rounded) + EXPONENT) << 52)
    return r * polynomial(EXPM1, r) * power + (power - 1.0)


@inner
def exp_below(x: np.float32) -> np.float32:
    """Return e^x in float32, for x that is not above 0; 0 below -87."""
    held = SINGLE_LOWEST if x < SINGLE_LOWEST else x
    rounded = held * SINGLE_LOG2_E + SINGLE_ROUNDER
    k = rounded - SINGLE_ROUNDER
    r = (held - k * SINGLE_HIGH) - k * SINGLE_LOW
    power = single_number((single_bits(rounded) + np.int32(127)) << np.int32(23))
    return ZERO if x < SINGLE_LOWEST else polynomial(SINGLE_EXP, r) * power


@inner
def log(x: float) -> float:
    """Return the natural logarithm of a normal number above 0, of infinity, or of NaN."""
    if not x < float("inf"):
        return x
    k = (bits(x) >> 52) - EXPONENT
    m = number((bits(x) & FRACTION) | (EXPONENT << 52))
    if m > ROOT_TWO:
        k, m = k + 1, m * 0.5
    s = (m - 1.0) / (m + 1.0)
    return k * LN2_HIGH + (2.0 * s * polynomial(LOG, s * s) + k * LN2_LOW)


@inner
def erf(x: float) -> float:
    """Return the error function, right to 11 digits, and 1 in float32 where that is nearest."""
    x = LARGEST if x > LARGEST else x
    x = -LARGEST if x < -LARGEST else x
    return x * polynomial(ERF_ABOVE, x * x) / polynomial(ERF_BELOW, x * x)


@inner
def polynomial(coefficients: tuple[Number, ...], x: Number) -> Number:
    """Return the value at x by Horner's scheme, highest power first, in the type of x."""
    total = coefficients[0]
    for k in range(1, len(coefficients)):
        total = total * x + coefficients[k]
    return total


def _reinterpreted(signature: Any, wanted: Any) -> Any:
    """Return a function for compiled code that takes the same bits for another type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.bitcast(arguments[0], wanted)

    return intrinsic(lambda typing, x: (signature, generate))  # noqa: ARG005


bits = cast(Callable[[float], int], _reinterpreted(types.int64(types.float64), ir.IntType(64)))
number = cast(Callable[[int], float], _reinterpreted(types.float64(types.int64), ir.DoubleType()))
single_bits = cast(Callable[[np.float32], np.int32], _reinterpreted(types.int32(types.float32), ir.IntType(32)))
single_number = cast(Callable[[np.int32], np.float32], _reinterpreted(types.float32(types.int32), ir.FloatType()))
