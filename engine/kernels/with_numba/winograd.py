"""Winograd's minimal filtering F(4x4, 3x3), compiled: a row of tiles of some samples at a time stays in the cache.

Rows of a transformed row of tiles are in the order of micro-batch, tile and sample, so that those of a micro-batch
follow one another. The 36 matrices are `PAD` values further apart than they need: at multiples of 4096 bytes they would
be in one another's way in the cache.
"""

from numba.np.numpy_support import carray

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.filter_gradient import TILE, apart, filter_gradient, stacked
from engine.kernels.with_numba.jit import inner, kernel, plain
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.pairs import levels
from engine.kernels.with_numba.pooling import repeat
from engine.kernels.with_numba.products import product
from engine.kernels.with_numba.rows import fold_back, put_out, take_in, transform
from engine.kernels.with_numba.tiles import filter_tile
from engine.system.caches import cache_size

PAD = 16
CACHE = 96 << 10  # values that a block of samples, transformed, should have at most
SECOND_CACHE = cache_size(2) // 4


@kernel
def winograd_filter(w: Array, u: Array) -> None:
    size = w.shape[2] * w.shape[3]
    filter_tile(pointer(w, 0), size, pointer(u, 0), u.strides[1] // 4, size)


@inner
def flat(u: Array) -> Array:
    """Return the memory of a filter u [36, C, O]: 36 times as many values as from point to point."""
    return carray(pointer(u, 0), (36 * (u.strides[0] // 4),))


def winograd_work(tiles: Size, N: int, C: int, filters: int, microbatch: int) -> int:
    """Return how many values of scratch both passes take."""
    (t, s), n = tiles, max(plain(at_once)(tiles[1], C, filters), microbatch)
    waiting = plain(levels)(-(-N // microbatch) - 1)  # the last sum goes to its place at once
    sums = plain(stacked)(C, filters, waiting) + 36 * plain(apart)(C, filters)
    rows = max(s * n, plain(rows_at_once)(t, s * microbatch, C, filters) * s * microbatch)
    return sums + plain(back)(s) + 2 * n * filters + 36 * (rows * (C + filters) + 2 * PAD)


@inner
def back(s: int) -> int:
    """Return how many values of scratch the transforms back of a row of s tiles take."""
    return max(TILE, 96 * (4 * s + 2))


@inner
def at_once(s: int, C: int, filters: int) -> int:
    """Return how many samples are done at a time: the more, the larger the filter is that must be read each time."""
    n = max(1, max(CACHE, 27 * C * filters) // (36 * s * (C + filters)))
    return n // 8 * 8 if n > 8 else n


@inner
def rows_at_once(t: int, tiles: int, C: int, filters: int) -> int:
    """Return how many of t rows of so many `tiles` a gradient takes at a time: as many as the second cache holds.

    With all rows at once, the 36 products of a row need not be written and read again for the next one.
    """
    return max(1, min(t, SECOND_CACHE // (36 * tiles * (C + filters))))


@kernel
def winograd(
    x: Array, N: int, u: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
) -> None:
    (_, C, O), t, s = u.shape, (x.shape[0] - 2) // 4, (x.shape[1] - 2) // 4  # noqa: E741 - as in the table
    step, filters = at_once(s, C, O), flat(u)
    biases, nothing, rest = repeat(bias, work, step * O), work[step * O : 2 * step * O], work[2 * step * O :]
    for first in range(0, N, step):
        n = min(step, N - first)
        v_point, m_point = s * n * C + PAD, s * n * O + PAD
        v, m = rest[: 36 * v_point], rest[36 * v_point : 36 * (v_point + m_point)]
        for i in range(t):
            transform(x, i, first * C, n * C, v, 0, v_point)
            for g in range(36):
                product(v, g * v_point, C, 1, filters, g * (filters.size // 36), O, m, g * m_point, s * n, C, O, False)
            to = place[0], place[1] + first * O
            put_out(m, 0, m_point, i, n * O, biases, y, to, route, first * O, size, nothing)


@kernel
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
    (_, O, C), t, s = ut.shape, (x.shape[0] - 2) // 4, (x.shape[1] - 2) // 4  # noqa: E741
    step = microbatch if t > 1 else max(1, at_once(s, C, O) // microbatch) * microbatch  # u is of one micro-batch
    point, filters, sums = apart(C, O), flat(ut), dw.reshape(-1)
    waiting = stacked(C, O, levels((N - 1) // microbatch))
    stack, u = work[:waiting], work[waiting:]
    z, nothing = u[36 * point :], u[36 * point + back(s) :]
    rest = nothing[step * O :]
    dx[:2] = 0
    for first in range(0, N, step):
        samples, M = (first, min(step, N - first), microbatch), s * min(step, N - first)
        rows = rows_at_once(t, s * microbatch, C, O)  # as in `winograd_work`, however few samples are left
        v_point, m_point = rows * M * C + PAD, rows * M * O + PAD
        v, m = rest[: 36 * v_point], rest[36 * v_point : 36 * (v_point + m_point)]
        for top in range(0, t, rows):
            taken = min(rows, t - top)
            some = top, taken
            take_rows(x, dy, place, route, size, some, samples, (C, O), v, v_point, m, m_point, nothing)
            if top + taken < t:
                for g in range(36):
                    product(v, g * v_point, 1, C, m, g * m_point, O, u, g * point, C, taken * M, O, top > 0)
            else:
                filter_gradient(v, v_point, m, m_point, u, top > 0, (C, O), taken * s, samples, N, sums, stack, z)
            if dx.size:
                for g in range(36):  # v has served its purpose, and is in the cache
                    u_g = g * (filters.size // 36)
                    product(m, g * m_point, O, 1, filters, u_g, C, v, g * v_point, taken * M, O, C, False)
                give_rows(v, v_point, dx, some, samples, C, z)


@inner
def take_rows(
    x: Array,
    dy: Array,
    place: Place,
    route: Route,
    size: Size,
    rows: Size,
    samples: tuple[int, int, int],
    channels: Size,
    v: Array,
    v_point: int,
    m: Array,
    m_point: int,
    nothing: Array,
) -> None:
    """Transform rows (first, how many) of x to v and of dy to m, of `samples` (first, how many, of a micro-batch)."""
    (first, n, microbatch), (C, O), s = samples, channels, (x.shape[1] - 2) // 4  # noqa: E741
    for i in range(rows[1]):
        for f in range(first, first + n, microbatch):
            k, at, to = min(microbatch, first + n - f), (i * n + f - first) * s, (place[0], place[1] + f * O)
            transform(x, rows[0] + i, f * C, k * C, v, at * C, v_point)
            take_in(dy, to, route, f * O, size, rows[0] + i, k * O, m, at * O, m_point, nothing)


@inner
def give_rows(v: Array, v_point: int, dx: Array, rows: Size, samples: tuple[int, int, int], C: int, z: Array) -> None:
    """Transform the gradient v of what `take_rows` made of x back to dx."""
    (first, n, microbatch), s = samples, (dx.shape[1] - 2) // 4
    for i in range(rows[1]):
        for f in range(first, first + n, microbatch):
            at, k = (i * n + f - first) * s, min(microbatch, first + n - f)
            fold_back(v, at * C, v_point, dx, rows[0] + i, f * C, k * C, z)
