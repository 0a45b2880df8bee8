"""Max-pooling in numpy."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.table import Array, Mask, Place, Route, Size
from engine.kernels.with_numpy.planes import inside, split


def max_pool(x: Array, y: Array, place: Place, route: Route, size: int, work: Route) -> None:
    out = inside(y, place, *route.shape)
    np.copyto(out, x[::size, ::size])
    route.fill(0)
    for number, phase in _phases(x, size):
        rows, columns = phase.shape[:2]
        best, won, to = out[:rows, :columns], work[:rows, :columns], route[:rows, :columns]
        np.greater(phase, best, out=won)
        np.maximum(phase, best, out=best)
        np.multiply(won, won.dtype.type(number), out=won)
        np.maximum(to, won, out=to)  # numbers rise, so the largest is the last that beat all before it


def max_pool_gradient(dy: Array, place: Place, route: Route, dx: Array, size: int, work: Mask) -> None:
    np.equal(route, 0, out=work)
    dy = inside(dy, place, *route.shape)
    np.multiply(dy, work, out=dx[::size, ::size])
    for number, phase in _phases(dx, size):
        rows, columns = phase.shape[:2]
        np.equal(route[:rows, :columns], number, out=work[:rows, :columns])
        np.multiply(dy[:rows, :columns], work[:rows, :columns], out=phase)


def _phases(x: Array, size: int) -> Iterator[tuple[int, Array]]:
    """Yield every place of a window but the first: its number in reading order and its value in all windows."""
    for number in range(1, size * size):
        phase = x[number // size :: size, number % size :: size]
        if phase.size:
            yield number, phase


def pool_phases(phases: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    h, w, _ = route.shape
    phases[1, :, size[0] // 2 :] = -np.inf
    phases[:, 1, :, size[1] // 2 :] = -np.inf
    best, won = phases[0, 0], work.view(np.bool_)[: route.size].reshape(route.shape)
    route.fill(0)
    for number in (1, 2, 3):
        phase = phases[number // 2, number % 2]
        np.greater(phase, best, out=won)
        np.maximum(phase, best, out=best)
        np.multiply(won, np.uint8(number), out=won.view(np.uint8))
        np.maximum(route, won.view(np.uint8), out=route)  # numbers rise: the largest beat all before it
    by_channel = (h, w, -1, bias.size)
    np.add(best.reshape(by_channel), bias, out=split(inside(y, place, *route.shape), bias.size))


def pool_phases_gradient(dy: Array, place: Place, route: Route, phases: Array, work: Array) -> None:
    won = work.view(np.bool_)[: route.size].reshape(route.shape)
    dy = inside(dy, place, *route.shape)
    for number in range(4):
        np.equal(route, number, out=won)
        np.multiply(dy, won, out=phases[number // 2, number % 2])
