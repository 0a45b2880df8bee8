"""Winograd's minimal filtering F(4x4, 3x3), compiled: tile by tile, with scratch that stays in cache.

Each operation runs one-dimensional `transforms` down the columns, then across the rows.
"""

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.convolution import add, copy
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.pooling import deal, pool_window, repeat
from engine.kernels.with_numba.transforms import combine, contract, differences, expand, fold, spread

PIECE = 256  # values of a filter transformed at a time


@kernel
def winograd_filter(w: Array, u: Array, work: Array) -> None:
    w, u = w.reshape(3, 3, -1), u.reshape(6, 6, -1)
    for start in range(0, w.shape[2], PIECE):
        p = slice(start, min(start + PIECE, w.shape[2]))
        z = work[: 18 * (p.stop - start)].reshape(6, 3, -1)
        for b in range(3):
            expand(z[0, b], z[1, b], z[2, b], z[3, b], z[4, b], z[5, b], w[0, b, p], w[1, b, p], w[2, b, p])
        for a in range(6):
            x = u[a]
            expand(x[0, p], x[1, p], x[2, p], x[3, p], x[4, p], x[5, p], z[a, 0], z[a, 1], z[a, 2])


@kernel
def winograd_filter_gradient(du: Array, dw: Array, work: Array) -> None:
    u, w = du.reshape(6, 6, -1), dw.reshape(3, 3, -1)
    for start in range(0, u.shape[2], PIECE):
        p = slice(start, min(start + PIECE, u.shape[2]))
        z = work[: 18 * (p.stop - start)].reshape(3, 6, -1)
        for b in range(6):
            d, e, f, g = u[0, b, p], u[1, b, p], u[2, b, p], u[3, b, p]
            contract(z[0, b], z[1, b], z[2, b], d, e, f, g, u[4, b, p], u[5, b, p])
        for a in range(3):
            x = z[a]
            contract(w[a, 0, p], w[a, 1, p], w[a, 2, p], x[0], x[1], x[2], x[3], x[4], x[5])


@kernel
def winograd_input(x: Array, v: Array, work: Array) -> None:
    H, W, L = x.shape
    rows = x.reshape(H, W * L)
    down, z = work[: 6 * W * L].reshape(6, W, L), work[: 6 * W * L].reshape(6, W * L)
    for t in range(v.shape[2]):
        r = rows[4 * t : 4 * t + 6]
        differences(z[0], z[1], z[2], z[3], z[4], z[5], r[0], r[1], r[2], r[3], r[4], r[5])
        for i in range(6):
            for s in range(v.shape[3]):
                c = down[i, 4 * s : 4 * s + 6]
                a, b, d, e = v[i, 0, t, s], v[i, 1, t, s], v[i, 2, t, s], v[i, 3, t, s]
                differences(a, b, d, e, v[i, 4, t, s], v[i, 5, t, s], c[0], c[1], c[2], c[3], c[4], c[5])


@kernel
def winograd_input_gradient(dv: Array, dx: Array, more: bool, work: Array) -> None:
    H, W, L = dx.shape
    rows = dx.reshape(H, W * L)
    down, z = work[: 6 * W * L].reshape(6, W, L), work[: 6 * W * L].reshape(6, W * L)
    if not more:
        rows[:2] = 0
    for t in range(dv.shape[2]):
        for i in range(6):
            down[i, :2] = 0
            for s in range(dv.shape[3]):
                c = down[i, 4 * s : 4 * s + 6]
                a, b, d, e = dv[i, 0, t, s], dv[i, 1, t, s], dv[i, 2, t, s], dv[i, 3, t, s]
                fold(c[0], c[1], c[2], c[3], c[4], c[5], a, b, d, e, dv[i, 4, t, s], dv[i, 5, t, s])
        r = rows[4 * t : 4 * t + 6]
        fold(r[0], r[1], r[2], r[3], r[4], r[5], z[0], z[1], z[2], z[3], z[4], z[5])


@kernel
def winograd_output(m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:
    L, (start, first) = m.shape[4], place
    biases, tile, scratch = repeat(bias, work, L), work[L : 17 * L].reshape(4, 4, L), work[17 * L :]
    for i in range(m.shape[2]):
        for j in range(m.shape[3]):
            output_tile(tile, m, i, j, scratch)
            for a in range(4 * i, min(4 * i + 4, size[0])):
                for b in range(4 * j, min(4 * j + 4, size[1])):
                    add(y[start + a, start + b, first : first + L], tile[a - 4 * i, b - 4 * j], biases)


@kernel
def winograd_output_gradient(dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:
    L, (start, first) = dm.shape[4], place
    tile, scratch = work[: 16 * L].reshape(4, 4, L), work[16 * L :]
    for i in range(dm.shape[2]):
        for j in range(dm.shape[3]):
            tile[:] = 0
            for a in range(4 * i, min(4 * i + 4, size[0])):
                for b in range(4 * j, min(4 * j + 4, size[1])):
                    copy(tile[a - 4 * i, b - 4 * j], dy[start + a, start + b, first : first + L])
            output_tile_gradient(dm, i, j, tile, scratch)


@kernel
def winograd_pool(m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    L, (start, first) = m.shape[4], place
    biases, tile, scratch = repeat(bias, work, L), work[L : 17 * L].reshape(4, 4, L), work[17 * L :]
    for i in range(m.shape[2]):
        for j in range(m.shape[3]):
            output_tile(tile, m, i, j, scratch)
            for a in range(4 * i, min(4 * i + 4, size[0]), 2):
                for b in range(4 * j, min(4 * j + 4, size[1]), 2):
                    p, q = a - 4 * i, b - 4 * j
                    best, won = y[start + a // 2, start + b // 2, first : first + L], route[a // 2, b // 2]
                    w, x, u, v = tile[p, q], tile[p, q + 1], tile[p + 1, q], tile[p + 1, q + 1]
                    pool_window(best, won, w, x, u, v, biases, b + 1 < size[1], a + 1 < size[0])


@kernel
def winograd_pool_gradient(dy: Array, place: Place, route: Route, size: Size, dm: Array, work: Array) -> None:
    L, (start, first) = dm.shape[4], place
    tile, scratch = work[: 16 * L].reshape(4, 4, L), work[16 * L :]
    for i in range(dm.shape[2]):
        for j in range(dm.shape[3]):
            if 4 * i + 4 > size[0] or 4 * j + 4 > size[1]:
                tile[:] = 0
            for a in range(4 * i, min(4 * i + 4, size[0]), 2):
                for b in range(4 * j, min(4 * j + 4, size[1]), 2):
                    p, q = a - 4 * i, b - 4 * j
                    d, won = dy[start + a // 2, start + b // 2, first : first + L], route[a // 2, b // 2]
                    deal(tile[p, q], tile[p, q + 1], tile[p + 1, q], tile[p + 1, q + 1], d, won)
            output_tile_gradient(dm, i, j, tile, scratch)


@inner
def output_tile(tile: Array, m: Array, i: int, j: int, work: Array) -> None:
    """Write A^T m A of the tile (i, j) to tile [4, 4, L]."""
    z = work[: 24 * m.shape[4]].reshape(4, 6, -1)
    for b in range(6):
        x = m[0, b, i, j], m[1, b, i, j], m[2, b, i, j], m[3, b, i, j], m[4, b, i, j], m[5, b, i, j]
        combine(z[0, b], z[1, b], z[2, b], z[3, b], x[0], x[1], x[2], x[3], x[4], x[5])
    for a in range(4):
        c, y = z[a], tile[a]
        combine(y[0], y[1], y[2], y[3], c[0], c[1], c[2], c[3], c[4], c[5])


@inner
def output_tile_gradient(dm: Array, i: int, j: int, tile: Array, work: Array) -> None:
    """Write A d A^T of the tile d [4, 4, L] to its place (i, j) in dm."""
    z = work[: 24 * dm.shape[4]].reshape(6, 4, -1)
    for b in range(4):
        spread(z[0, b], z[1, b], z[2, b], z[3, b], z[4, b], z[5, b], tile[0, b], tile[1, b], tile[2, b], tile[3, b])
    for a in range(6):
        x = dm[a, 0, i, j], dm[a, 1, i, j], dm[a, 2, i, j], dm[a, 3, i, j], dm[a, 4, i, j], dm[a, 5, i, j]
        spread(x[0], x[1], x[2], x[3], x[4], x[5], z[a, 0], z[a, 1], z[a, 2], z[a, 3])
