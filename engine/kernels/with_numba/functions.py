"""exp, expm1, log and erf from + - * / alone, as docs/arithmetic.md says.

The C library's functions differ from one processor and version to the next, and are slower.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

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
from engine.kernels.with_numba.vector import Vector, filled

EXPONENT = 1023  # of 1.0, as float64 keeps it
FRACTION = (1 << 52) - 1  # the bits of a float64 that are not its sign or exponent


def exp(x: Vector) -> Vector:
    """Return e^x in float64; x is float32 or float64, here and below."""
    r, power = _reduced(x)
    return polynomial(EXP, r) * power


def expm1(x: Vector) -> Vector:
    """Return e^x - 1, float64, right to the last digits near 0, too."""
    r, power = _reduced(x)
    return r * polynomial(EXPM1, r) * power + (power - 1)


def exp_below(x: Vector) -> Vector:
    """Return e^x in float32, for x that is not above 0; 0 below -87."""
    held = x.full(LOWEST32).where(x.below(LOWEST32), x)
    rounded = held * LOG2_E + ROUNDER32
    k = rounded - ROUNDER32
    r = (held - k * LN2_HIGH32) - k * LN2_LOW32
    return x.full(0).where(x.below(LOWEST32), polynomial(EXP32, r) * _power_of_two(rounded, 127, 23))


def log(x: Vector) -> Vector:
    """Return the natural logarithm, float64, of a normal number above 0, of infinity, or of NaN."""
    b, bits = x.builder, x.bits()
    exponent = b.sub(b.ashr(bits, filled(bits.type, 52)), filled(bits.type, EXPONENT))
    fraction = b.and_(bits, filled(bits.type, FRACTION))
    m = x.of_bits(b.or_(fraction, filled(bits.type, EXPONENT << 52)))
    k, large = x.of_integers(exponent), m.above(ROOT_TWO)
    k, m = (k + 1).where(large, k), (m * 0.5).where(large, m)
    s = (m - 1) / (m + 1)
    found = k * LN2_HIGH + (2.0 * s * polynomial(LOG, s * s) + k * LN2_LOW)
    return found.where(x.below(float("inf")), x)


def erf(x: Vector) -> Vector:
    """Return the error function, float64, right to 11 digits, and 1 in float32 where that is nearest."""
    x = x.within(-LARGEST, LARGEST).in_double()
    return x * polynomial(ERF_ABOVE, x * x) / polynomial(ERF_BELOW, x * x)


def polynomial(coefficients: Sequence[float], x: Vector) -> Vector:
    """Return the value at x by Horner's scheme, highest power first, in the type of x."""
    total = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


def of_number(function: Callable[[Vector], Vector], kind: Any = types.float64) -> Callable[[Any], Any]:
    """Return a function for compiled code of one number, of this type of numba's."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return function(Vector(builder, arguments[0])).value

    return cast(Callable[[Any], Any], intrinsic(lambda typing, x: (kind(kind), generate)))  # noqa: ARG005


def _reduced(x: Vector) -> tuple[Vector, Vector]:
    """Return r and 2^k of which e^x is e^r 2^k."""
    x = x.within(LOWEST, HIGHEST).in_double()
    rounded = x * LOG2_E + ROUNDER
    k = rounded - ROUNDER
    return (x - k * LN2_HIGH) - k * LN2_LOW, _power_of_two(rounded, EXPONENT, 52)


def _power_of_two(rounded: Vector, exponent: int, fraction: int) -> Vector:
    """Return 2^k, k being the last bits of `rounded`; `exponent` is that of 1.0, and the fraction has so many bits."""
    b, bits = rounded.builder, rounded.bits()
    return rounded.of_bits(b.shl(b.add(bits, filled(bits.type, exponent)), filled(bits.type, fraction)))
