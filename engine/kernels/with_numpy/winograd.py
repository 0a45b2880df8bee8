"""Winograd's minimal filtering F(4x4, 3x3) in numpy: tiles are gathered, and each transform is one matrix product.

The matrices are those of Lavin and Gray 2015, section 4.3. B^T x B of a tile x is (B^T kron B^T) times its 36 values.
"""

import numpy as np

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


def winograd_filter(w: Array, u: Array, work: Array) -> None:  # noqa: ARG001
    np.matmul(GG, w.reshape(9, -1), out=u.reshape(36, -1))


def winograd_filter_gradient(du: Array, dw: Array, work: Array) -> None:  # noqa: ARG001
    np.matmul(GGT, du.reshape(36, -1), out=dw.reshape(9, -1))


def winograd_input(x: Array, v: Array, work: Array) -> None:
    t, s = v.shape[2:4]
    tiles = work[: v.size].reshape(v.shape)
    for a, b in np.ndindex(6, 6):
        np.copyto(tiles[a, b], x[a : a + 4 * t : 4, b : b + 4 * s : 4])
    np.matmul(BB, tiles.reshape(36, -1), out=v.reshape(36, -1))


def winograd_input_gradient(dv: Array, dx: Array, more: bool, work: Array) -> None:
    t, s = dv.shape[2:4]
    tiles = work[: dv.size].reshape(dv.shape)
    np.matmul(BBT, dv.reshape(36, -1), out=tiles.reshape(36, -1))
    dx[2 if more else 0 :] = 0
    for a, b in np.ndindex(6, 6):
        pixels = dx[a : a + 4 * t : 4, b : b + 4 * s : 4]
        np.add(pixels, tiles[a, b], out=pixels)


def winograd_output(m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:
    tiles, _, _ = _scratch(m, work)
    np.matmul(AA, m.reshape(36, -1), out=tiles.reshape(16, -1))
    image = split(inside(y, place, *size, m.shape[4]), bias.size)
    for a, b in np.ndindex(4, 4):
        target = image[a::4, b::4]
        tile = tiles[a, b, : target.shape[0], : target.shape[1]]
        np.add(split(tile, bias.size), bias, out=target)


def winograd_output_gradient(dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:
    tiles, _, _ = _scratch(dm, work)
    image = inside(dy, place, *size, dm.shape[4])
    tiles.fill(0)
    for a, b in np.ndindex(4, 4):
        source = image[a::4, b::4]
        tiles[a, b, : source.shape[0], : source.shape[1]] = source
    np.matmul(AAT, tiles.reshape(16, -1), out=dm.reshape(36, -1))


def winograd_pool(m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    tiles, phases, rest = _scratch(m, work)
    np.matmul(AA, m.reshape(36, -1), out=tiles.reshape(16, -1))
    by_tile = _by_tile(phases)
    np.copyto(by_tile, tiles.reshape(by_tile.shape))
    h, w, _ = route.shape
    pool_phases(phases[:, :, :h, :w], bias, y, place, route, size, rest)


def winograd_pool_gradient(dy: Array, place: Place, route: Route, size: Size, dm: Array, work: Array) -> None:  # noqa: ARG001
    tiles, phases, rest = _scratch(dm, work)
    h, w, _ = route.shape
    phases[:, :, h:] = 0
    phases[:, :, :, w:] = 0
    pool_phases_gradient(dy, place, route, phases[:, :, :h, :w], rest)
    by_tile = _by_tile(phases)
    np.copyto(tiles.reshape(by_tile.shape), by_tile)
    np.matmul(AAT, tiles.reshape(16, -1), out=dm.reshape(36, -1))


def _scratch(m: Array, work: Array) -> tuple[Array, Array, Array]:
    """Return tiles [4, 4, t, s, L] and phases [2, 2, 2 t, 2 s, L] for m [6, 6, t, s, L], and what is left."""
    t, s, L = m.shape[2:]
    size = 16 * t * s * L
    return work[:size].reshape(4, 4, t, s, L), work[size : 2 * size].reshape(2, 2, 2 * t, 2 * s, L), work[2 * size :]


def _by_tile(phases: Array) -> Array:
    """Return a view of phases [2, 2, 2 t, 2 s, L] as tiles [2, 2, 2, 2, t, s, L], rows and columns of a tile split."""
    _, _, h, w, L = phases.shape
    return phases.reshape(2, 2, h // 2, 2, w // 2, 2, L).transpose(3, 0, 5, 1, 2, 4, 6)
