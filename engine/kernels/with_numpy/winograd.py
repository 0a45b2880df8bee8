"""Winograd's minimal filtering F(2x2, 3x3) in numpy: whole arrays at a time, each transform once down, once across.

The matrices are those of Lavin and Gray 2015, eq. (10) and section 4.1; A^T and B^T are written out as sums.
"""

import numpy as np

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.planes import inside, split
from engine.kernels.with_numpy.pooling import pool_phases, pool_phases_gradient

G = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)
GG = np.kron(G, G)  # G w G^T of all channels at once is one product with w as [9, C O]
MINUS = np.float32(-1)  # np.negative of numpy 2.4 is wrong for some strides
GGT = np.ascontiguousarray(GG.T)


def winograd_filter(w: Array, u: Array, ut: Array, work: Array) -> None:
    """See the table."""
    C, filters = w.shape[2:]
    np.matmul(GG, w.reshape(9, -1), out=u.reshape(16, -1))
    turned = work[: w.size].reshape(9, filters, C)
    np.copyto(turned, w.reshape(9, C, filters).transpose(0, 2, 1))
    np.matmul(GG, turned.reshape(9, -1), out=ut.reshape(16, -1))


def winograd_filter_gradient(du: Array, dw: Array) -> None:
    """See the table."""
    np.matmul(GGT, du.reshape(16, -1), out=dw.reshape(9, -1))


def winograd_input(x: Array, v: Array, work: Array) -> None:
    """See the table."""
    t, s, L = v.shape[2:]
    down = work[: 4 * t * x.shape[1] * L].reshape(4, t, x.shape[1], L)
    _differences([x[i : i + 2 * t : 2] for i in range(4)], down)
    _differences([down[:, :, i : i + 2 * s : 2] for i in range(4)], v.transpose(1, 0, 2, 3, 4))


def winograd_input_gradient(dv: Array, dx: Array, work: Array) -> None:
    """See the table."""
    t, L = dv.shape[2], dv.shape[4]
    down = work[: 4 * t * dx.shape[1] * L].reshape(4, t, dx.shape[1], L)
    _fold(dv.transpose(1, 3, 0, 2, 4), down.transpose(2, 0, 1, 3))
    _fold(down, dx)


def winograd_output(m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:
    """See the table."""
    tiles = _output_tiles(m, work)
    image = split(inside(y, place, *size, m.shape[4]), bias.size)
    for q, r in np.ndindex(2, 2):
        target = image[q::2, r::2]
        tile = tiles[q, r, : target.shape[0], : target.shape[1]]
        np.add(split(tile, bias.size), bias, out=target)


def winograd_output_gradient(dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:
    """See the table."""
    tiles, image = _tiles(dm, work), inside(dy, place, *size, dm.shape[4])
    tiles.fill(0)
    for q, r in np.ndindex(2, 2):
        source = image[q::2, r::2]
        tiles[q, r, : source.shape[0], : source.shape[1]] = source
    _output_tiles_gradient(tiles, dm, work)


def winograd_pool(m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    """See the table."""
    pool_phases(_output_tiles(m, work), bias, y, place, route, size, work)


def winograd_pool_gradient(dy: Array, place: Place, route: Route, dm: Array, work: Array) -> None:
    """See the table."""
    tiles = _tiles(dm, work)
    pool_phases_gradient(dy, place, route, tiles, work)
    _output_tiles_gradient(tiles, dm, work)


def _differences(x: list[Array], out: Array) -> None:
    """Write B^T x: x is 4 arrays, so is out."""
    np.subtract(x[0], x[2], out=out[0])
    np.add(x[1], x[2], out=out[1])
    np.subtract(x[2], x[1], out=out[2])
    np.subtract(x[1], x[3], out=out[3])


def _fold(z: Array, out: Array) -> None:
    """Write to out [2 t + 2, ...] the sum over t overlapping tiles of B z, z [4, t, ...]."""
    even, odd = out[0::2], out[1::2]
    np.add(z[1], z[2], out=even[1:])
    np.subtract(even[1:], z[0], out=even[1:])
    np.copyto(even[0], z[0, 0])
    np.add(even[1:-1], z[0, 1:], out=even[1:-1])
    np.subtract(z[1], z[2], out=odd[:-1])
    np.add(odd[:-1], z[3], out=odd[:-1])
    np.multiply(z[3, -1], MINUS, out=odd[-1])
    np.subtract(odd[1:-1], z[3, :-1], out=odd[1:-1])


def _tiles(m: Array, work: Array) -> Array:
    """Return the last third of the scratch as tiles [2, 2, t, s, L]."""
    size = m.size // 4
    return work[2 * size : 3 * size].reshape(2, 2, *m.shape[2:])


def _output_tiles(m: Array, work: Array) -> Array:
    """Return A^T m A as tiles [2, 2, t, s, L] in the scratch."""
    tiles, across = _tiles(m, work), work[: m.size // 2].reshape(2, *m.shape[1:])
    _sums(m.transpose(1, 0, 2, 3, 4), across)
    _sums(across.transpose(1, 0, 2, 3, 4), tiles)
    return tiles


def _sums(m: Array, out: Array) -> None:
    """Write A^T m: m [4, ...], out [2, ...]."""
    np.add(m[0], m[1], out=out[0])
    np.add(out[0], m[2], out=out[0])
    np.subtract(m[1], m[2], out=out[1])
    np.subtract(out[1], m[3], out=out[1])


def _output_tiles_gradient(tiles: Array, dm: Array, work: Array) -> None:
    """Write A d A^T for tiles d [2, 2, t, s, L]."""
    across = work[: dm.size // 2].reshape(2, *dm.shape[1:])
    _spread(tiles, across.transpose(1, 0, 2, 3, 4))
    _spread(across, dm.transpose(1, 0, 2, 3, 4))


def _spread(d: Array, out: Array) -> None:
    """Write A d: d [2, ...], out [4, ...]."""
    np.copyto(out[0], d[0])
    np.add(d[0], d[1], out=out[1])
    np.subtract(d[0], d[1], out=out[2])
    np.multiply(d[1], MINUS, out=out[3])
