"""Winograd's one-dimensional transforms: each matrix of Lavin and Gray 2015, section 4.3, written out as sums.

Values that several sums share are computed once: p and q from the points 1 and -1, r and s from 2 and -2.
"""

from engine.kernels.with_numba.vector import Vector

QUARTER, SIXTH, TWELFTH, TWENTYFOURTH = 1 / 4, 1 / 6, 1 / 12, 1 / 24


def expand(a: Vector, b: Vector, c: Vector) -> tuple[Vector, ...]:
    """Return G (a, b, c)."""
    p, q = SIXTH * (a + c), SIXTH * b
    r, s = TWENTYFOURTH * a + SIXTH * c, TWELFTH * b
    return QUARTER * a, -p - q, q - p, r + s, r - s, c


def contract(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> tuple[Vector, ...]:
    """Return G^T (a, b, c, d, e, f)."""
    p, q, r, s = b + c, b - c, d + e, d - e
    return QUARTER * a - SIXTH * p + TWENTYFOURTH * r, TWELFTH * s - SIXTH * q, SIXTH * (r - p) + f


def differences(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> tuple[Vector, ...]:
    """Return B^T (a, b, c, d, e, f)."""
    p, q = e - 4 * c, d - 4 * b
    r, s = e - c, 2 * (d - b)
    return 4 * a - 5 * c + e, p + q, p - q, r + s, r - s, 4 * b - 5 * d + f


def fold(y: Vector, z: Vector, a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> tuple[Vector, ...]:
    """Return B (a, b, c, d, e, f), y and z, where the tile before ends, added to its first two."""
    p, q, r, s = b + c, b - c, d + e, 2 * (d - e)
    return y + 4 * a, z + (4 * (f - q) - s), -5 * a - 4 * p - r, q + s - 5 * f, a + p + r, f


def combine(a: Vector, b: Vector, c: Vector, d: Vector, e: Vector, f: Vector) -> tuple[Vector, ...]:
    """Return A^T (a, b, c, d, e, f)."""
    p, q, r, s = b + c, b - c, d + e, d - e
    return a + p + r, q + 2 * s, p + 4 * r, q + 8 * s + f


def spread(a: Vector, b: Vector, c: Vector, d: Vector) -> tuple[Vector, ...]:
    """Return A (a, b, c, d)."""
    p, q = a + c, b + d
    r, s = a + 4 * c, 2 * b + 8 * d
    return a, p + q, p - q, r + s, r - s, d
