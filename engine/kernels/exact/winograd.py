"""Winograd's minimal filtering F(4x4, 3x3), exactly: transforms down the columns, then across the rows."""

from collections.abc import Callable

import numpy as np

from engine.kernels.exact.pooling import pool_phases, pool_phases_gradient
from engine.kernels.exact.transforms import combine, contract, differences, expand, fold, spread
from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.planes import inside

Transform = Callable[..., list[Array]]


def both_ways(transform: Transform, x: Array) -> Array:
    """Return x [a, b, ...] transformed along its first axis, then along its second."""
    down = np.stack(transform(*x))
    return np.stack(transform(*(down[:, b] for b in range(down.shape[1]))), axis=1)


def winograd_filter(w: Array, u: Array, work: Array) -> None:  # noqa: ARG001
    np.copyto(u, both_ways(expand, w))


def winograd_filter_gradient(du: Array, dw: Array, work: Array) -> None:  # noqa: ARG001
    np.copyto(dw, both_ways(contract, du))


def winograd_input(x: Array, v: Array, work: Array) -> None:  # noqa: ARG001
    t, s = v.shape[2:4]
    tiles = [[x[a : a + 4 * t : 4, b : b + 4 * s : 4] for b in range(6)] for a in range(6)]
    np.copyto(v, both_ways(differences, np.array(tiles)))


def winograd_input_gradient(dv: Array, dx: Array, more: bool, work: Array) -> None:  # noqa: ARG001
    across = np.zeros((dx.shape[1], 6, dv.shape[2], dx.shape[2]), np.float32)
    fold(*(dv[:, b].transpose(2, 0, 1, 3) for b in range(6)), out=across)
    if not more:
        dx[:2] = 0
    fold(*(across[:, a].transpose(1, 0, 2) for a in range(6)), out=dx)


def winograd_output(m: Array, bias: Array, y: Array, place: Place, size: Size, work: Array) -> None:  # noqa: ARG001
    image = _image(both_ways(combine, m))[: size[0], : size[1]]
    np.add(image, np.tile(bias, m.shape[4] // bias.size), out=inside(y, place, *size, m.shape[4]))


def winograd_output_gradient(dy: Array, place: Place, size: Size, dm: Array, work: Array) -> None:  # noqa: ARG001
    t, s, L = dm.shape[2:]
    image = np.zeros((4 * t, 4 * s, L), np.float32)
    image[: size[0], : size[1]] = inside(dy, place, *size, L)
    np.copyto(dm, both_ways(spread, _tiles(image)))


def winograd_pool(m: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:  # noqa: ARG001
    h, w, _ = route.shape
    image = _image(both_ways(combine, m))[: 2 * h, : 2 * w]
    phases = np.array([[image[a::2, b::2] for b in range(2)] for a in range(2)])
    pool_phases(phases, bias, y, place, route, size)


def winograd_pool_gradient(dy: Array, place: Place, route: Route, size: Size, dm: Array, work: Array) -> None:  # noqa: ARG001
    (t, s, L), (h, w, _) = dm.shape[2:], route.shape
    phases = np.empty((2, 2, h, w, L), np.float32)
    pool_phases_gradient(dy, place, route, phases)
    image = np.zeros((4 * t, 4 * s, L), np.float32)
    for a, b in np.ndindex(2, 2):
        image[a : 2 * h : 2, b : 2 * w : 2] = phases[a, b]
    np.copyto(dm, both_ways(spread, _tiles(image)))


def _image(tiles: Array) -> Array:
    """Return tiles [4, 4, t, s, L] as the image [4 t, 4 s, L]."""
    _, _, t, s, L = tiles.shape
    return tiles.transpose(2, 0, 3, 1, 4).reshape(4 * t, 4 * s, L)


def _tiles(image: Array) -> Array:
    """Return the image [4 t, 4 s, L] as tiles [4, 4, t, s, L]."""
    H, W, L = image.shape
    return image.reshape(H // 4, 4, W // 4, 4, L).transpose(1, 3, 0, 2, 4)
