"""The inner loops of Winograd's transforms: each matrix of Lavin and Gray 2015, section 4.3, written out as sums.

Values that several sums share are computed once: p and q from the points 1 and -1, r and s from 2 and -2.
"""

import numpy as np

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner

TWO, FOUR, FIVE, EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)
QUARTER, SIXTH, TWELFTH, TWENTYFOURTH = (np.float32(1 / n) for n in (4, 6, 12, 24))


@inner
def expand(z0: Array, z1: Array, z2: Array, z3: Array, z4: Array, z5: Array, a: Array, b: Array, c: Array) -> None:
    """Set z = G (a, b, c)."""
    for k in range(a.size):
        p, q = SIXTH * (a[k] + c[k]), SIXTH * b[k]
        r, s = TWENTYFOURTH * a[k] + SIXTH * c[k], TWELFTH * b[k]
        z0[k], z1[k], z2[k], z3[k], z4[k], z5[k] = QUARTER * a[k], -p - q, q - p, r + s, r - s, c[k]


@inner
def contract(z0: Array, z1: Array, z2: Array, a: Array, b: Array, c: Array, d: Array, e: Array, f: Array) -> None:
    """Set z = G^T (a, b, c, d, e, f)."""
    for k in range(a.size):
        p, q, r, s = b[k] + c[k], b[k] - c[k], d[k] + e[k], d[k] - e[k]
        z0[k] = QUARTER * a[k] - SIXTH * p + TWENTYFOURTH * r
        z1[k] = TWELFTH * s - SIXTH * q
        z2[k] = SIXTH * (r - p) + f[k]


@inner
def differences(
    z0: Array,
    z1: Array,
    z2: Array,
    z3: Array,
    z4: Array,
    z5: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    e: Array,
    f: Array,
) -> None:
    """Set z = B^T (a, b, c, d, e, f)."""
    for k in range(a.size):
        p, q = e[k] - FOUR * c[k], d[k] - FOUR * b[k]
        r, s = e[k] - c[k], TWO * (d[k] - b[k])
        z0[k], z5[k] = FOUR * a[k] - FIVE * c[k] + e[k], FOUR * b[k] - FIVE * d[k] + f[k]
        z1[k], z2[k], z3[k], z4[k] = p + q, p - q, r + s, r - s


@inner
def fold(
    z0: Array,
    z1: Array,
    z2: Array,
    z3: Array,
    z4: Array,
    z5: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    e: Array,
    f: Array,
) -> None:
    """Add the first two of B (a, b, c, d, e, f) to z0 and z1, where the tile before ends, and set the others."""
    for k in range(a.size):
        p, q, r, s = b[k] + c[k], b[k] - c[k], d[k] + e[k], TWO * (d[k] - e[k])
        z0[k] += FOUR * a[k]
        z1[k] += FOUR * (f[k] - q) - s
        z2[k], z3[k] = -FIVE * a[k] - FOUR * p - r, q + s - FIVE * f[k]
        z4[k], z5[k] = a[k] + p + r, f[k]


@inner
def combine(
    z0: Array, z1: Array, z2: Array, z3: Array, a: Array, b: Array, c: Array, d: Array, e: Array, f: Array
) -> None:
    """Set z = A^T (a, b, c, d, e, f)."""
    for k in range(a.size):
        p, q, r, s = b[k] + c[k], b[k] - c[k], d[k] + e[k], d[k] - e[k]
        z0[k], z1[k], z2[k], z3[k] = a[k] + p + r, q + TWO * s, p + FOUR * r, q + EIGHT * s + f[k]


@inner
def spread(
    z0: Array, z1: Array, z2: Array, z3: Array, z4: Array, z5: Array, a: Array, b: Array, c: Array, d: Array
) -> None:
    """Set z = A (a, b, c, d)."""
    for k in range(a.size):
        p, q = a[k] + c[k], b[k] + d[k]
        r, s = a[k] + FOUR * c[k], TWO * b[k] + EIGHT * d[k]
        z0[k], z1[k], z2[k], z3[k], z4[k], z5[k] = a[k], p + q, p - q, r + s, r - s, d[k]
