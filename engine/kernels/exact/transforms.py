"""Winograd's one-dimensional transforms, written out as sums in the order of docs/arithmetic.md.

The matrices are those of Lavin and Gray 2015, section 4.3. Every operation is rounded to float32.
"""

import numpy as np

from engine.kernels.table import Array

QUARTER, SIXTH, TWELFTH, TWENTYFOURTH = (np.float32(1 / n) for n in (4, 6, 12, 24))
TWO, FOUR, FIVE, EIGHT = (np.float32(n) for n in (2, 4, 5, 8))


def expand(a: Array, b: Array, c: Array) -> list[Array]:
    """Return G (a, b, c)."""
    p, q = SIXTH * (a + c), SIXTH * b
    r, s = TWENTYFOURTH * a + SIXTH * c, TWELFTH * b
    return [QUARTER * a, -p - q, q - p, r + s, r - s, c]


def contract(a: Array, b: Array, c: Array, d: Array, e: Array, f: Array) -> list[Array]:
    """Return G^T (a, b, c, d, e, f)."""
    p, q, r, s = b + c, b - c, d + e, d - e
    return [QUARTER * a - SIXTH * p + TWENTYFOURTH * r, TWELFTH * s - SIXTH * q, SIXTH * (r - p) + f]


def differences(a: Array, b: Array, c: Array, d: Array, e: Array, f: Array) -> list[Array]:
    """Return B^T (a, b, c, d, e, f)."""
    p, q = e - FOUR * c, d - FOUR * b
    r, s = e - c, TWO * (d - b)
    return [FOUR * a - FIVE * c + e, p + q, p - q, r + s, r - s, FOUR * b - FIVE * d + f]


def fold(a: Array, b: Array, c: Array, d: Array, e: Array, f: Array, *, out: Array) -> None:
    """Write B (a, b, c, d, e, f) of tiles [n, ...] to out [4 n + 2, ...].

    The first two of a tile are added: to what is there, or to the end of the tile before.
    """
    p, q, r, s = b + c, b - c, d + e, TWO * (d - e)
    out[2::4], out[3::4] = -FIVE * a - FOUR * p - r, q + s - FIVE * f
    out[4::4], out[5::4] = a + p + r, f
    out[0:-2:4] += FOUR * a
    out[1:-2:4] += FOUR * (f - q) - s


def combine(a: Array, b: Array, c: Array, d: Array, e: Array, f: Array) -> list[Array]:
    """Return A^T (a, b, c, d, e, f)."""
    p, q, r, s = b + c, b - c, d + e, d - e
    return [a + p + r, q + TWO * s, p + FOUR * r, q + EIGHT * s + f]


def spread(a: Array, b: Array, c: Array, d: Array) -> list[Array]:
    """Return A (a, b, c, d)."""
    p, q = a + c, b + d
    r, s = a + FOUR * c, TWO * b + EIGHT * d
    return [a, p + q, p - q, r + s, r - s, d]
