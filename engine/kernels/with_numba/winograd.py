"""Winograd's minimal filtering F(2x2, 3x3), compiled: tile row by tile row, with scratch that stays in cache.

The matrices are those of Lavin and Gray 2015, section 4.1, written out as sums.
"""

import numpy as np

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.convolution import add, copy
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.pooling import deal, first_maximum, repeat

HALF = np.float32(0.5)
PIECE = 512  # values of a filter transformed at a time


@kernel
def winograd_filter(w: Array, u: Array, ut: Array, work: Array) -> None:
    """See the table."""
    C, filters = w.shape[2:]
    turned = work[: 9 * C * filters].reshape(3, 3, filters, C)
    for a in range(3):
        for b in range(3):
            for o in range(filters):
                for c in range(C):
                    turned[a, b, o, c] = w[a, b, c, o]
    transform_filter(w.reshape(3, 3, -1), u.reshape(4, 4, -1))
    transform_filter(turned.reshape(3, 3, -1), ut.reshape(4, 4, -1))


@inner
def transform_filter(w: Array, u: Array) -> None:
    """Write G w G^T, w [3, 3, X], to u [4, 4, X]: down the columns, then across, in place."""
    for start in range(0, w.shape[2], PIECE):
        p = slice(start, min(start + PIECE, w.shape[2]))
        for b in range(3):
            expand(u[0, b, p], u[1, b, p], u[2, b, p], u[3, b, p], w[0, b, p], w[1, b, p], w[2, b, p])
        for a in range(4):
            expand_in_place(u[a, 0, p], u[a, 1, p], u[a, 2, p], u[a, 3, p])


@kernel
def winograd_filter_gradient(du: Array, dw: Array) -> None:
    """See the table."""
    u, w = du.reshape(4, 4, -1), dw.reshape(3, 3, -1)
    for start in range(0, u.shape[2], PIECE):
        p = slice(start, min(start + PIECE, u.shape[2]))
        for b in range(4):
            contract_in_place(u[0, b, p], u[1, b, p], u[2, b, p], u[3, b, p])
        for a in range(3):
            contract(w[a, 0, p], w[a, 1, p], w[a, 2, p], u[a, 0, p], u[a, 1, p], u[a, 2, p], u[a, 3, p])


@kernel
def winograd_input(x: Array, v: Array, work: Array) -> None:
    """See the table."""
    H, W, L = x.shape
    rows = x.reshape(H, W * L)
    down, flat = work[: 4 * W * L].reshape(4, W, L), work[: 4 * W * L].reshape(4, W * L)
    for t in range(v.shape[2]):
        differences(flat[0], flat[1], flat[2], flat[3], rows[2 * t], rows[2 * t + 1], rows[2 * t + 2], rows[2 * t + 3])
        for i in range(4):
            differences_across(v[i, 0, t], v[i, 1, t], v[i, 2, t], v[i, 3, t], down[i])


@kernel
def winograd_input_gradient(dv: Array, dx: Array, work: Array) -> None:
    """See the table."""
    H, W, L = dx.shape
    rows = dx.reshape(H, W * L)
    down, flat = work[: 4 * W * L].reshape(4, W, L), work[: 4 * W * L].reshape(4, W * L)
    rows[:2] = 0
    for t in range(dv.shape[2]):
        for i in range(4):
            down[i, :2] = 0
            fold_across(down[i], dv[i, 0, t], dv[i, 1, t], dv[i, 2, t], dv[i, 3, t])
        fold(rows[2 * t], rows[2 * t + 1], rows[2 * t + 2], rows[2 * t + 3], flat[0], flat[1], flat[2], flat[3])


@kernel
def winograd_output(m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:
    """See the table."""
    L, (start, first) = m.shape[4], place
    biases, tile = repeat(bias, work, L), work[L : 5 * L].reshape(2, 2, L)
    for i in range(m.shape[2]):
        for j in range(m.shape[3]):
            output_tile(tile[0, 0], tile[0, 1], tile[1, 0], tile[1, 1], m, i, j)
            for a in range(2 * i, min(2 * i + 2, size[0])):
                for b in range(2 * j, min(2 * j + 2, size[1])):
                    add(y[start + a, start + b, first : first + L], tile[a - 2 * i, b - 2 * j], biases)


@kernel
def winograd_output_gradient(dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:
    """See the table."""
    L, (start, first) = dm.shape[4], place
    tile = work[: 4 * L].reshape(2, 2, L)
    for i in range(dm.shape[2]):
        for j in range(dm.shape[3]):
            tile[:] = 0
            for a in range(2 * i, min(2 * i + 2, size[0])):
                for b in range(2 * j, min(2 * j + 2, size[1])):
                    copy(tile[a - 2 * i, b - 2 * j], dy[start + a, start + b, first : first + L])
            spread_tile(dm, i, j, tile)


@kernel
def winograd_pool(m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    """See the table."""
    L, (start, first) = m.shape[4], place
    biases = repeat(bias, work, L)
    for i in range(m.shape[2]):
        for j in range(m.shape[3]):
            below, right = 2 * i + 1 < size[0], 2 * j + 1 < size[1]
            pool_tile(y[start + i, start + j, first : first + L], route[i, j], m, i, j, biases, right, below)


@kernel
def winograd_pool_gradient(dy: Array, place: Place, route: Route, dm: Array, work: Array) -> None:
    """See the table."""
    L, (start, first) = dm.shape[4], place
    tile = work[: 4 * L].reshape(2, 2, L)
    for i in range(dm.shape[2]):
        for j in range(dm.shape[3]):
            d = dy[start + i, start + j, first : first + L]
            deal(tile[0, 0], tile[0, 1], tile[1, 0], tile[1, 1], d, route[i, j])
            spread_tile(dm, i, j, tile)


@inner
def spread_tile(dm: Array, i: int, j: int, tile: Array) -> None:
    """Write A d A^T of one tile d [2, 2, L] to its place in dm."""
    a, b, c, d = tile[0, 0], tile[0, 1], tile[1, 0], tile[1, 1]
    for row in range(4):
        upper = np.float32(1) if row < 3 else np.float32(0)
        lower = np.float32(0) if row == 0 else np.float32(1) if row == 1 else np.float32(-1)
        spread(dm[row, 0, i, j], dm[row, 1, i, j], dm[row, 2, i, j], dm[row, 3, i, j], a, b, c, d, upper, lower)


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
