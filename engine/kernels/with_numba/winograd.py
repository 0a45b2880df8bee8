"""Winograd's minimal filtering F(2x2, 3x3), compiled: tile row by tile row, with scratch that stays in cache.

Each operation runs one-dimensional `transforms` down the columns, then across the rows.
"""

import numpy as np

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.convolution import add, copy
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.pooling import deal, repeat
from engine.kernels.with_numba.transforms import (
    contract,
    contract_in_place,
    differences,
    differences_across,
    expand,
    expand_in_place,
    fold,
    fold_across,
    output_tile,
    pool_tile,
    spread,
)

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
