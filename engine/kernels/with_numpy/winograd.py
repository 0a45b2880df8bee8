"""Winograd's minimal filtering F(4x4, 3x3) in numpy: tiles are gathered, and each transform is one matrix product.

The matrices are those of Lavin and Gray 2015, section 4.3. B^T x B of a tile x is (B^T kron B^T) times its 36 values.
"""

import numpy as np

from engine.kernels.pairs import sum_in_pairs
from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.planes import inside, split
from engine.kernels.with_numpy.pooling import pool_phases, pool_phases_gradient

BT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
G = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
AT = (
    (1, 1, 1, 1, 1, 0),
    (0, 1, -1, 2, -2, 0),
    (0, 1, 1, 4, 4, 0),
    (0, 1, -1, 8, -8, 1),
)
BB, GG, AA = (np.kron(matrix, matrix).astype(np.float32) for matrix in (BT, G, AT))
BBT, GGT, AAT = (np.ascontiguousarray(matrix.T) for matrix in (BB, GG, AA))


SAMPLES = 16  # at a time, forward


def winograd_filter(w: Array, u: Array) -> None:
    np.matmul(GG, w.reshape(9, -1), out=u.reshape(36, -1))


def winograd(
    x: Array, N: int, u: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
) -> None:
    C, O = u.shape[1:]  # noqa: E741 - as in the table
    for first in range(0, N, SAMPLES):
        n = min(SAMPLES, N - first)
        v, m, rest = _transformed(x[:, :, first * C : (first + n) * C], n * O, work)
        np.matmul(v.reshape(36, -1, C), u, out=m.reshape(36, -1, O))
        tiles, phases, rest = _scratch(m, rest)
        np.matmul(AA, m.reshape(36, -1), out=tiles.reshape(16, -1))
        to = place[0], place[1] + first * O
        if route.size:
            h, w, _ = route.shape
            by_tile, won, rest = _by_tile(phases), *_route(h, w, n * O, rest)
            np.copyto(by_tile, tiles.reshape(by_tile.shape))
            pool_phases(phases[:, :, :h, :w], bias, y, to, won, size, rest)
            np.copyto(route[:, :, first * O : (first + n) * O], won)
        else:
            _put_out(tiles, bias, inside(y, to, *size, n * O))


def winograd_gradient(
    x: Array,
    N: int,
    dy: Array,
    place: Place,
    route: Route,
    size: Size,
    ut: Array,
    dx: Array,
    dw: Array,
    microbatch: int,
    work: Array,
) -> None:
    _, O, C = ut.shape  # noqa: E741
    count = -(-N // microbatch)
    used = count.bit_length() * dw.size
    du, rest = work[used : used + 36 * C * O].reshape(36, C, O), work[used + 36 * C * O :]
    dx.fill(0)

    def one(number: int, out: Array) -> None:
        first, n = number * microbatch, min(microbatch, N - number * microbatch)
        v, dm, scratch = _transformed(x[:, :, first * C : (first + n) * C], n * O, rest)
        won = route[:, :, first * O : (first + n) * O]
        _take_in(dy, (place[0], place[1] + first * O), won, size, dm, scratch)
        rows, slopes = v.reshape(36, -1, C), dm.reshape(36, -1, O)
        np.matmul(rows.transpose(0, 2, 1), slopes, out=du)
        np.matmul(GGT, du.reshape(36, -1), out=out.reshape(9, -1))
        if dx.size:
            np.matmul(slopes, ut, out=rows)
            _fold_back(v, dx[:, :, first * C : (first + n) * C], scratch)

    sum_in_pairs(dw, work, count, one)


def winograd_work(tiles: Size, N: int, C: int, filters: int, microbatch: int) -> int:
    """Return how many values of scratch both passes take."""
    values = tiles[0] * tiles[1] * min(N, max(microbatch, SAMPLES))
    return values * (72 * C + 79 * filters) + (36 + 9 * (-(-N // microbatch)).bit_length()) * C * filters


def _transformed(x: Array, L: int, work: Array) -> tuple[Array, Array, Array]:
    """Return B^T x B of every tile, [6, 6, t, s, n C], an array [6, 6, t, s, L] in scratch, and the rest of `work`."""
    t, s = ((edge - 2) // 4 for edge in x.shape[:2])
    shape = 6, 6, t, s, x.shape[2]
    used, outputs = 36 * t * s * x.shape[2], 36 * t * s * L
    v, m, rest = work[:used].reshape(shape), work[used : used + outputs], work[used + outputs :]
    tiles = rest[:used].reshape(shape)
    for a, b in np.ndindex(6, 6):
        np.copyto(tiles[a, b], x[a : a + 4 * t : 4, b : b + 4 * s : 4])
    np.matmul(BB, tiles.reshape(36, -1), out=v.reshape(36, -1))
    return v, m.reshape(6, 6, t, s, L), rest


def _fold_back(dv: Array, dx: Array, work: Array) -> None:
    """Add to dx the sum over tiles of B dv B^T."""
    t, s = dv.shape[2:4]
    tiles = work[: dv.size].reshape(dv.shape)
    np.matmul(BBT, dv.reshape(36, -1), out=tiles.reshape(36, -1))
    for a, b in np.ndindex(6, 6):
        pixels = dx[a : a + 4 * t : 4, b : b + 4 * s : 4]
        np.add(pixels, tiles[a, b], out=pixels)


def _put_out(tiles: Array, bias: Array, y: Array) -> None:
    """Write tiles [4, 4, t, s, L] and the bias to the image y."""
    image = split(y, bias.size)
    for a, b in np.ndindex(4, 4):
        target = image[a::4, b::4]
        tile = tiles[a, b, : target.shape[0], : target.shape[1]]
        np.add(split(tile, bias.size), bias, out=target)


def _take_in(dy: Array, place: Place, route: Route, size: Size, dm: Array, work: Array) -> None:
    """Write to dm A d A^T, d being the gradient of the convolution's outputs."""
    tiles, phases, rest = _scratch(dm, work)
    tiles.fill(0)
    if route.size:
        h, w, L = route.shape
        phases.fill(0)
        won, rest = _route(h, w, L, rest)
        np.copyto(won, route)
        pool_phases_gradient(dy, place, won, phases[:, :, :h, :w], rest)
        by_tile = _by_tile(phases)
        np.copyto(tiles.reshape(by_tile.shape), by_tile)
    else:
        image = inside(dy, place, *size, dm.shape[4])
        for a, b in np.ndindex(4, 4):
            source = image[a::4, b::4]
            tiles[a, b, : source.shape[0], : source.shape[1]] = source
    np.matmul(AAT, tiles.reshape(16, -1), out=dm.reshape(36, -1))


def _route(h: int, w: int, L: int, work: Array) -> tuple[Route, Array]:
    """Return a route in scratch, and the rest of it."""
    return work[: h * w * L].view(np.uint8)[: h * w * L].reshape(h, w, L), work[h * w * L :]


def _scratch(m: Array, work: Array) -> tuple[Array, Array, Array]:
    """Return tiles [4, 4, t, s, L] and phases [2, 2, 2 t, 2 s, L] for m [6, 6, t, s, L], and what is left."""
    t, s, L = m.shape[2:]
    size = 16 * t * s * L
    return work[:size].reshape(4, 4, t, s, L), work[size : 2 * size].reshape(2, 2, 2 * t, 2 * s, L), work[2 * size :]


def _by_tile(phases: Array) -> Array:
    """Return a view of phases [2, 2, 2 t, 2 s, L] as tiles [2, 2, 2, 2, t, s, L], rows and columns of a tile split."""
    _, _, h, w, L = phases.shape
    return phases.reshape(2, 2, h // 2, 2, w // 2, 2, L).transpose(3, 0, 5, 1, 2, 4, 6)
