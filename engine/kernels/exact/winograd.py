"""Winograd's minimal filtering F(4x4, 3x3), exactly: transforms down the columns, then across the rows."""

from collections.abc import Callable

import numpy as np

from engine.kernels.exact.pooling import pool_phases, pool_phases_gradient
from engine.kernels.exact.products import multiply
from engine.kernels.exact.transforms import combine, contract, differences, expand, fold, spread
from engine.kernels.pairs import in_pairs
from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.planes import inside

Transform = Callable[..., list[Array]]


def both_ways(transform: Transform, x: Array) -> Array:
    """Return x [a, b, ...] transformed along its first axis, then along its second."""
    down = np.stack(transform(*x))
    return np.stack(transform(*(down[:, b] for b in range(down.shape[1]))), axis=1)


def winograd_filter(w: Array, u: Array) -> None:
    np.copyto(u, both_ways(expand, w))


def winograd(
    x: Array, N: int, u: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
) -> None:
    C, O = u.shape[1:]  # noqa: E741 - as in the table
    v = transformed(x[:, :, : N * C])
    t, s, L = v.shape[2], v.shape[3], v.shape[4] // C * O
    m = np.empty((36, v.size // 36 // C, O), np.float32)
    multiply(v.reshape(36, -1, C), u, m, False, work)
    image = _image(both_ways(combine, m.reshape(6, 6, t, s, L)))
    if route.size:
        h, w, _ = route.shape
        phases = np.array([[image[a : 2 * h : 2, b : 2 * w : 2] for b in range(2)] for a in range(2)])
        pool_phases(phases, bias, y, place, route, size)
    else:
        np.add(image[: size[0], : size[1]], np.tile(bias, L // O), out=inside(y, place, *size, L))


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
    O, C = ut.shape[1:]  # noqa: E741
    v = transformed(x[:, :, : N * C])
    t, s = v.shape[2:4]
    dm = both_ways(spread, _tiles(slopes(dy, place, route, size, (4 * t, 4 * s, N * O))))
    du = np.empty((-(-N // microbatch), 36, C, O), np.float32)
    samples, gradients = v.reshape(36, t * s, N, C), dm.reshape(36, t * s, N, O)
    for number, sums in enumerate(du):
        part = slice(number * microbatch, (number + 1) * microbatch)
        rows, columns = (a[:, :, part].reshape(36, -1, a.shape[3]) for a in (samples, gradients))
        multiply(rows.transpose(0, 2, 1), columns, sums, False, work)
    parts = [both_ways(contract, sums.reshape(6, 6, C, O)) for sums in du]
    np.copyto(dw, in_pairs(parts, np.add))
    if dx.size:
        dv = np.empty((36, t * s * N, C), np.float32)
        multiply(dm.reshape(36, -1, O), ut, dv, False, work)
        fold_back(dv.reshape(6, 6, t, s, N * C), dx[:, :, : N * C])


def winograd_work(tiles: Size, N: int, C: int, filters: int, microbatch: int) -> int:  # noqa: ARG001
    """Return 0: arrays are made as they are needed."""
    return 0


def transformed(x: Array) -> Array:
    """Return B^T x B for every tile of the plane x, [6, 6, t, s, L]."""
    t, s = ((edge - 2) // 4 for edge in x.shape[:2])
    tiles = [[x[a : a + 4 * t : 4, b : b + 4 * s : 4] for b in range(6)] for a in range(6)]
    return both_ways(differences, np.array(tiles))


def fold_back(dv: Array, dx: Array) -> None:
    """Write to the plane dx the sum over tiles of B dv B^T."""
    across = np.zeros((dx.shape[1], 6, dv.shape[2], dx.shape[2]), np.float32)
    fold(*(dv[:, b].transpose(2, 0, 1, 3) for b in range(6)), out=across)
    dx[:2] = 0
    fold(*(across[:, a].transpose(1, 0, 2) for a in range(6)), out=dx)


def slopes(dy: Array, place: Place, route: Route, size: Size, shape: tuple[int, int, int]) -> Array:
    """Return the gradient of the convolution's outputs, with zeros where there are none, of this shape."""
    image = np.zeros(shape, np.float32)
    if route.size:
        h, w, L = route.shape
        phases = np.empty((2, 2, h, w, L), np.float32)
        pool_phases_gradient(dy, place, route, phases)
        for a, b in np.ndindex(2, 2):
            image[a : 2 * h : 2, b : 2 * w : 2] = phases[a, b]
    else:
        image[: size[0], : size[1]] = inside(dy, place, *size, shape[2])
    return image


def _image(tiles: Array) -> Array:
    """Return tiles [4, 4, t, s, L] as the image [4 t, 4 s, L]."""
    _, _, t, s, L = tiles.shape
    return tiles.transpose(2, 0, 3, 1, 4).reshape(4 * t, 4 * s, L)


def _tiles(image: Array) -> Array:
    """Return the image [4 t, 4 s, L] as tiles [4, 4, t, s, L]."""
    H, W, L = image.shape
    return image.reshape(H // 4, 4, W // 4, 4, L).transpose(1, 3, 0, 2, 4)
