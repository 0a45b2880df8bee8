"""Max-pooling, exactly: a later value wins if it is larger than all before it, or NaN."""

import numpy as np

from engine.kernels.table import Array, Mask, Place, Route, Size
from engine.kernels.with_numpy.planes import inside

ZERO = np.float32(0)


def max_pool(x: Array, y: Array, place: Place, route: Route, size: int, work: Route) -> None:  # noqa: ARG001
    best = inside(y, place, *route.shape)
    np.copyto(best, x[::size, ::size])
    route.fill(0)
    for a, b in np.ndindex(min(size, x.shape[0]), min(size, x.shape[1])):
        phase = x[a::size, b::size]
        rows, columns = phase.shape[:2]
        challenge(best[:rows, :columns], route[:rows, :columns], phase, a * size + b)


def max_pool_gradient(dy: Array, place: Place, route: Route, dx: Array, size: int, work: Mask) -> None:  # noqa: ARG001
    d = inside(dy, place, *route.shape)
    for a, b in np.ndindex(min(size, dx.shape[0]), min(size, dx.shape[1])):
        phase = dx[a::size, b::size]
        rows, columns = phase.shape[:2]
        np.copyto(phase, np.where(route[:rows, :columns] == a * size + b, d[:rows, :columns], ZERO))


def pool_phases(phases: Array, bias: Array, y: Array, place: Place, route: Route, size: Size) -> None:
    """Largest of phases [2, 2, h, w, L], the values at even and odd rows and columns, plus bias [C], into the plane y.

    `size` is the number of rows and columns that exist.
    """
    best = phases[0, 0].copy()
    route.fill(0)
    for number in (1, 2, 3):
        a, b = divmod(number, 2)
        rows, columns = (size[0] + 1 - a) // 2, (size[1] + 1 - b) // 2  # those that exist
        challenge(best[:rows, :columns], route[:rows, :columns], phases[a, b, :rows, :columns], number)
    np.copyto(inside(y, place, *route.shape), best + np.tile(bias, best.shape[2] // bias.size))


def pool_phases_gradient(dy: Array, place: Place, route: Route, phases: Array) -> None:
    """Write to phases [2, 2, h, w, L] the gradient: dy (a plane) for the one that won, 0 for the others."""
    d = inside(dy, place, *route.shape)
    for number in range(4):
        np.copyto(phases[number // 2, number % 2], np.where(route == number, d, ZERO))


def challenge(best: Array, route: Route, x: Array, number: int) -> None:
    """Where x is larger than best, or NaN, put it there, and `number` in route."""
    better = (x > best) | np.isnan(x)
    np.copyto(best, x, where=better)
    np.copyto(route, route.dtype.type(number), where=better)
