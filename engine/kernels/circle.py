"""Sine and cosine from + - * / alone, so that they have the same bits on any processor: see docs/arithmetic.md."""

from math import factorial, pi

import numpy as np

from engine.kernels.table import Doubles

# Highest power first, in x^2, for |x| up to pi / 4: sin(x) / x and cos(x).
SIN = tuple((-1) ** k / factorial(2 * k + 1) for k in range(8, -1, -1))
COS = tuple((-1) ** k / factorial(2 * k) for k in range(8, -1, -1))
TWO_PI = 2 * pi


def sin_cos(turns: Doubles) -> tuple[Doubles, Doubles]:
    """Return sine and cosine of angles in turns (1 is a full circle), float64 of any shape, up to 2^50 in size.

    Quarters of a turn are exact.
    """
    quarters = np.floor(turns * 4 + 0.5)
    x = (turns - quarters / 4) * TWO_PI
    square = x * x
    sine, cosine = x * _polynomial(SIN, square), _polynomial(COS, square)
    quarter = quarters - 4 * np.floor(quarters / 4)
    odd = (quarter == 1) | (quarter == 3)
    sines, cosines = np.where(odd, cosine, sine), np.where(odd, sine, cosine)
    return np.where(quarter >= 2, -sines, sines), np.where((quarter == 1) | (quarter == 2), -cosines, cosines)


def _polynomial(coefficients: tuple[float, ...], x: Doubles) -> Doubles:
    """Return the values at x by Horner's scheme, highest power first."""
    total: Doubles = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total
