"""Calls of Winograd's convolution."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs, space
from engine.kernels.table import Array, Route

WORK = space(300_000)
NO_ROUTE = np.zeros((0, 0, 0), np.uint8)


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: whole tiles and such as end beyond the edge, a few channels and many, several micro-batches."""
    for scale in (1.0, TINY):
        for C, filters in ((3, 5), (3, 101)):
            w = x.values(3, 3, C, filters, scale=scale)
            yield Call("winograd_filter", (w, _apart(space(36, C, filters)).reshape(6, 6, C, filters)), ())
    for t, s, size, N, C, O in ((1, 1, (4, 4), 5, 3, 17), (2, 1, (7, 2), 3, 3, 5)):  # noqa: E741
        H, W = 4 * t + 2, 4 * s + 2
        for plane in (x.values(H, W, N * C + 3), x.wild(H, W, N * C + 3, scale=TINY)):
            yield from _both(x, plane, N, size, (C, O))


def _both(x: Inputs, plane: Array, N: int, size: tuple[int, int], channels: tuple[int, int]) -> Iterator[Call]:
    """Yield the pass forward and back, with the pool and without, of N samples in a plane."""
    (C, O), half = channels, (-(-size[0] // 2), -(-size[1] // 2))  # noqa: E741
    u, ut, bias = _apart(x.values(36, C, O)), _apart(x.values(36, O, C)), x.values(O)
    for (h, w), route in ((size, NO_ROUTE), (half, np.zeros((*half, N * O), np.uint8))):
        yield Call("winograd", (plane, N, u, bias, space(h + 2, w + 2, N * O + 2), (1, 2), route, size), (WORK,))
        yield from _gradients(x, plane, N, size, ut, route, (h, w))


def _apart(u: Array) -> Array:
    """Return the points u [36, rows, columns] apart, as they are in a program."""
    wider = space(36, u.shape[1] + 1, u.shape[2])[:, :-1]
    np.copyto(wider, u)
    return wider


def _gradients(
    x: Inputs, plane: Array, N: int, size: tuple[int, int], ut: Array, route: Route, shape: tuple[int, int]
) -> Iterator[Call]:
    """Yield the pass back, in micro-batches and in one, with and without the gradient of the plane."""
    _, O, C = ut.shape  # noqa: E741
    for microbatch, dx in ((2, space(*plane.shape)), (N, space(0, 0, 0))):
        dy = x.values(*shape, N * O)
        back = (plane, N, dy, (0, 0), route, size, ut, dx, space(3, 3, C, O), microbatch)
        yield Call("winograd_gradient", back, (WORK,))
