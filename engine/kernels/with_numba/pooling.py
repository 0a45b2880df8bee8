"""Max-pooling, compiled."""

import numpy as np

from engine.kernels.table import Array, Mask, Place, Route
from engine.kernels.with_numba.jit import inner, kernel

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
    """Where x is larger than best, or NaN, put it there, and `number` in won."""
    for k in range(best.size):
        better = (x[k] > best[k]) | (x[k] != x[k])
        best[k] = x[k] if better else best[k]
        won[k] = number if better else won[k]


@inner
def pick(z: Array, d: Array, route: Route, number: int) -> None:
    """Set z = d where route is `number`, 0 elsewhere."""
    for k in range(z.size):
        z[k] = d[k] if route[k] == number else ZERO


@inner
def pool_row(
    y: Array, first: int, route: Route, a: Array, b: Array, c: Array, d: Array, bias: Array, W: int, below: bool
) -> None:
    """Set y[:, first:] to max(a, b, c, d) + bias, pixel by pixel; c and d only count if `below`.

    Offsets are unsigned, here and in `deal_row`, because the check for negative ones would keep loops from vectorising.
    """
    offset = np.uint64(first)
    for j in range(route.shape[0]):
        right = 2 * j + 1 < W
        for k in range(bias.size):
            best, route[j, k] = first_maximum(a[j, k], b[j, k], c[j, k], d[j, k], right, below)
            y[j, offset + np.uint64(k)] = best + bias[k]


@inner
def first_maximum(a: float, b: float, c: float, d: float, right: bool, below: bool) -> tuple[float, np.uint8]:
    """Return the first largest of four numbers, or a NaN among them, and which it was."""
    best, number = a, np.uint8(0)
    better = right & ((b > best) | (b != b))  # noqa: PLR0124
    best, number = (b, np.uint8(1)) if better else (best, number)
    better = below & ((c > best) | (c != c))  # noqa: PLR0124
    best, number = (c, np.uint8(2)) if better else (best, number)
    better = right & below & ((d > best) | (d != d))  # noqa: PLR0124
    return (d, np.uint8(3)) if better else (best, number)


@inner
def pool_window(
    y: Array, route: Route, a: Array, b: Array, c: Array, d: Array, bias: Array, right: bool, below: bool
) -> None:
    """Set y to max(a, b, c, d) + bias and route to which it was; b and d only count if `right`, c and d if `below`."""
    for k in range(y.size):
        best, route[k] = first_maximum(a[k], b[k], c[k], d[k], right, below)
        y[k] = best + bias[k]


@inner
def deal(a: Array, b: Array, c: Array, d: Array, dy: Array, route: Route) -> None:
    """Give dy to the one of a, b, c, d that route names, 0 to the others."""
    for k in range(dy.size):
        a[k], b[k], c[k], d[k] = shares(dy[k], route[k])


@inner
def deal_row(a: Array, b: Array, c: Array, d: Array, dy: Array, first: int, route: Route) -> None:
    """Do `deal` for dy[:, first:], pixel by pixel."""
    offset = np.uint64(first)
    for j in range(route.shape[0]):
        for k in range(route.shape[1]):
            a[j, k], b[j, k], c[j, k], d[j, k] = shares(dy[j, offset + np.uint64(k)], route[j, k])


@inner
def shares(d: np.float32, number: int) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Return four numbers, d at the place `number`, 0 elsewhere."""
    return (
        d if number == 0 else ZERO,
        d if number == 1 else ZERO,
        d if number == 2 else ZERO,
        d if number == 3 else ZERO,
    )


@inner
def repeat(bias: Array, work: Array, L: int) -> Array:
    """Return bias over and over, L values, in the scratch."""
    C = bias.size
    for n in range(0, L, C):
        work[n : n + C] = bias
    return work[:L]
