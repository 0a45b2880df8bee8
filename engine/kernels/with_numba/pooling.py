"""Max-pooling, compiled."""

import numpy as np

from engine.kernels.table import Array, Mask, Place, Route
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.loops import copy

ZERO = np.float32(0)


@kernel
def max_pool(x: Array, y: Array, place: Place, route: Route, size: int, work: Route) -> None:  # noqa: ARG001
    (h, w, L), (start, first) = route.shape, place
    H, W, _ = x.shape
    for i in range(h):
        for j in range(w):
            best, won = y[start + i, start + j, first : first + L], route[i, j]
            best[:] = x[i * size, j * size]
            won[:] = 0
            for a in range(i * size, min(i * size + size, H)):
                for b in range(j * size, min(j * size + size, W)):
                    challenge(best, won, x[a, b], (a - i * size) * size + b - j * size)


@kernel
def max_pool_gradient(dy: Array, place: Place, route: Route, dx: Array, size: int, work: Mask) -> None:  # noqa: ARG001
    L, (start, first) = route.shape[2], place
    for a in range(dx.shape[0]):
        for b in range(dx.shape[1]):
            i, j = a // size, b // size
            number = (a - i * size) * size + b - j * size
            pick(dx[a, b], dy[start + i, start + j, first : first + L], route[i, j], number)


@inner
def challenge(best: Array, won: Route, x: Array, number: int) -> None:
    """Where x is larger than best, or NaN, put it there, and `number` in won.

    All is read before anything is chosen: without AVX-512 a loop that reads one or the other is not vectorised.
    """
    mark = won.dtype.type(number)
    for k in range(best.size):
        value, held, before = x[k], best[k], won[k]
        better = (value > held) | (value != value)  # noqa: PLR0124 - NaN
        best[k] = value if better else held
        won[k] = mark if better else before


@inner
def pick(z: Array, d: Array, route: Route, number: int) -> None:
    """Set z = d where route is `number`, 0 elsewhere."""
    for k in range(z.size):
        value = d[k]
        z[k] = value if route[k] == number else ZERO


@inner
def repeat(bias: Array, work: Array, L: int) -> Array:
    """Return bias over and over, L values, in the scratch."""
    C = bias.size
    for n in range(0, L, C):
        copy(work[n : n + C], bias)
    return work[:L]
