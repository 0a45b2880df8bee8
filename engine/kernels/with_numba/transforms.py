"""The inner loops of Winograd's transforms: each matrix of Lavin and Gray 2015, section 4.1, written out as sums."""

import numpy as np

from engine.kernels.table import Array, Route
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.pooling import first_maximum

HALF = np.float32(0.5)


@inner
def expand(z0: Array, z1: Array, z2: Array, z3: Array, a: Array, b: Array, c: Array) -> None:
    """Set z = G (a, b, c)."""
    for k in range(a.size):
        outer = HALF * (a[k] + c[k])
        z0[k], z1[k], z2[k], z3[k] = a[k], outer + HALF * b[k], outer - HALF * b[k], c[k]


@inner
def expand_in_place(z0: Array, z1: Array, z2: Array, z3: Array) -> None:
    """Set z = G (z0, z1, z2)."""
    for k in range(z0.size):
        outer, middle, last = HALF * (z0[k] + z2[k]), HALF * z1[k], z2[k]
        z1[k], z2[k], z3[k] = outer + middle, outer - middle, last


@inner
def contract(z0: Array, z1: Array, z2: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    """Set z = G^T (a, b, c, d)."""
    for k in range(a.size):
        both = HALF * (b[k] + c[k])
        z0[k], z1[k], z2[k] = a[k] + both, HALF * (b[k] - c[k]), both + d[k]


@inner
def contract_in_place(z0: Array, z1: Array, z2: Array, d: Array) -> None:
    """Set (z0, z1, z2) = G^T (z0, z1, z2, d)."""
    for k in range(d.size):
        both, half = HALF * (z1[k] + z2[k]), HALF * (z1[k] - z2[k])
        z0[k], z1[k], z2[k] = z0[k] + both, half, both + d[k]


@inner
def differences(z0: Array, z1: Array, z2: Array, z3: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    """Set z = B^T (a, b, c, d)."""
    for k in range(z0.size):
        z0[k], z1[k], z2[k], z3[k] = a[k] - c[k], b[k] + c[k], c[k] - b[k], b[k] - d[k]


@inner
def differences_across(z0: Array, z1: Array, z2: Array, z3: Array, x: Array) -> None:
    """Set z [s, L] = B^T of the s tiles, four pixels each, that overlap in x [2 s + 2, L]."""
    for j in range(z0.shape[0]):
        for k in range(z0.shape[1]):
            a, b, c, d = x[2 * j, k], x[2 * j + 1, k], x[2 * j + 2, k], x[2 * j + 3, k]
            z0[j, k], z1[j, k], z2[j, k], z3[j, k] = a - c, b + c, c - b, b - d


@inner
def fold(z0: Array, z1: Array, z2: Array, z3: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    """Add the first half of B (a, b, c, d) to z0 and z1, where the tile before ends, and set z2 and z3."""
    for k in range(a.size):
        z0[k] += a[k]
        z1[k] += b[k] - c[k] + d[k]
        z2[k] = b[k] + c[k] - a[k]
        z3[k] = -d[k]


@inner
def fold_across(z: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    """Write to z [2 s + 2, L], its first two pixels zero, the sum over s overlapping tiles of B (a, b, c, d)."""
    for j in range(a.shape[0]):
        fold(z[2 * j], z[2 * j + 1], z[2 * j + 2], z[2 * j + 3], a[j], b[j], c[j], d[j])


@inner
def spread(
    z0: Array,
    z1: Array,
    z2: Array,
    z3: Array,
    a: Array,
    b: Array,
    c: Array,
    d: Array,
    upper: np.float32,
    lower: np.float32,
) -> None:
    """Set z = A (p, q), p = upper * a + lower * c, q = upper * b + lower * d: one row of A d A^T."""
    for k in range(a.size):
        p, q = upper * a[k] + lower * c[k], upper * b[k] + lower * d[k]
        z0[k], z1[k], z2[k], z3[k] = p, p + q, p - q, -q


@inner
def output_tile(a: Array, b: Array, c: Array, d: Array, m: Array, i: int, j: int) -> None:
    """Set (a, b; c, d) = A^T m A of the tile (i, j)."""
    for k in range(a.size):
        a[k], b[k], c[k], d[k] = outputs(m, i, j, k)


@inner
def pool_tile(y: Array, route: Route, m: Array, i: int, j: int, bias: Array, right: bool, below: bool) -> None:
    """Set y to the largest of A^T m A of the tile (i, j), plus bias, and route to its number."""
    for k in range(y.size):
        a, b, c, d = outputs(m, i, j, k)
        best, route[k] = first_maximum(a, b, c, d, right, below)
        y[k] = best + bias[k]


@inner
def outputs(m: Array, i: int, j: int, k: int) -> tuple[float, float, float, float]:
    """Return A^T m A of one value k of the tile (i, j)."""
    a0 = m[0, 0, i, j, k] + m[0, 1, i, j, k] + m[0, 2, i, j, k]
    a1 = m[1, 0, i, j, k] + m[1, 1, i, j, k] + m[1, 2, i, j, k]
    a2 = m[2, 0, i, j, k] + m[2, 1, i, j, k] + m[2, 2, i, j, k]
    a3 = m[3, 0, i, j, k] + m[3, 1, i, j, k] + m[3, 2, i, j, k]
    b0 = m[0, 1, i, j, k] - m[0, 2, i, j, k] - m[0, 3, i, j, k]
    b1 = m[1, 1, i, j, k] - m[1, 2, i, j, k] - m[1, 3, i, j, k]
    b2 = m[2, 1, i, j, k] - m[2, 2, i, j, k] - m[2, 3, i, j, k]
    b3 = m[3, 1, i, j, k] - m[3, 2, i, j, k] - m[3, 3, i, j, k]
    return a0 + a1 + a2, b0 + b1 + b2, a1 - a2 - a3, b1 - b2 - b3
