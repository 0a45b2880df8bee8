"""Winograd's minimal filtering F(4x4, 3x3), compiled: a row of tiles of some samples at a time stays in the cache.

Rows of a transformed row of tiles are in the order of micro-batch, tile and sample, so that those of a micro-batch
follow one another. The 36 matrices are `PAD` values further apart than they need: at multiples of 4096 bytes they would
be in one another's way in the cache.
"""

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import inner, kernel, plain
from engine.kernels.with_numba.loops import copy
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.pairs import level, level_of, levels, merge, merge_rest
from engine.kernels.with_numba.pooling import repeat
from engine.kernels.with_numba.products import product
from engine.kernels.with_numba.rows import fold_back, put_out, take_in, transform
from engine.kernels.with_numba.tiles import filter_gradient_tile, filter_tile

PAD = 16
CACHE = 96 << 10  # values that a block of samples, transformed, should have at most, or a part of a filter's gradient


@kernel
def winograd_filter(w: Array, u: Array) -> None:
    size = w.shape[2] * w.shape[3]
    filter_tile(pointer(w, 0), size, pointer(u, 0), size, size)


def winograd_work(tiles: Size, N: int, C: int, filters: int, microbatch: int) -> int:
    """Return how many values of scratch both passes take."""
    s, count = tiles[1], plain(levels)(-(-N // microbatch))
    n = max(plain(at_once)(s, C, filters), microbatch)
    around = 2 * n * filters + 96 * (4 * s + 2)
    transformed = 36 * (s * n * (C + filters) + C * filters + 3 * PAD)
    return around + transformed + (2 * count + 1) * 9 * C * filters


@inner
def at_once(s: int, C: int, filters: int) -> int:
    """Return how many samples are done at a time: the more, the larger the filter is that must be read each time."""
    n = max(1, max(CACHE, 27 * C * filters) // (36 * s * (C + filters)))
    return n // 8 * 8 if n > 8 else n


@kernel
def winograd(
    x: Array, N: int, u: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array
) -> None:
    (_, C, O), t, s = u.shape, (x.shape[0] - 2) // 4, (x.shape[1] - 2) // 4  # noqa: E741 - as in the table
    step = at_once(s, C, O)
    biases, nothing, rest = repeat(bias, work, step * O), work[step * O : 2 * step * O], work[2 * step * O :]
    for first in range(0, N, step):
        n = min(step, N - first)
        v_point, m_point = s * n * C + PAD, s * n * O + PAD
        v, m = rest[: 36 * v_point], rest[36 * v_point : 36 * (v_point + m_point)]
        for i in range(t):
            transform(x, i, first * C, n * C, v, 0, v_point)
            for g in range(36):
                product(v, g * v_point, C, 1, u, g * C * O, O, m, g * m_point, s * n, C, O, False)
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
    step = microbatch if t > 1 else together(microbatch, at_once(s, C, O))
    total, depth = dw.reshape(-1), levels((N + microbatch - 1) // microbatch)
    stack, work = work[: depth * total.size], work[depth * total.size :]
    nothing, z, rest = work[: step * O], work[step * O :], work[step * O + 96 * (4 * s + 2) :]
    dx[:2] = 0
    for first in range(0, N, step):
        n, number = min(step, N - first), first // step
        v_point, m_point = s * n * C + PAD, s * n * O + PAD
        v, m = rest[: 36 * v_point], rest[36 * v_point : 36 * (v_point + m_point)]
        sums, after = level(total, stack, level_of(number)), rest[36 * (v_point + m_point) :]
        for i in range(t):
            for f in range(first, first + n, microbatch):
                k, at = min(microbatch, first + n - f), (f - first) * s
                transform(x, i, f * C, k * C, v, at * C, v_point)
                to = place[0], place[1] + f * O
                take_in(dy, to, route, f * O, size, i, k * O, m, at * O, m_point, nothing)
            filter_gradient(v, m, sums, C, O, s, n, microbatch, i > 0, i + 1 == t, after)
            if dx.size:
                for g in range(36):  # v has served its purpose, and is in the cache
                    product(m, g * m_point, O, 1, ut, g * O * C, C, v, g * v_point, s * n, O, C, False)
                for f in range(first, first + n, microbatch):
                    k, at = min(microbatch, first + n - f), (f - first) * s
                    fold_back(v, at * C, v_point, dx, i, f * C, k * C, z)
        merge(total, stack, number)
    merge_rest(total, stack, (N + step - 1) // step)


@inner
def together(microbatch: int, limit: int) -> int:
    """Return how many samples a power of two of micro-batches has, up to the limit: their sums are pairs."""
    step = microbatch
    while 2 * step <= limit:
        step *= 2
    return step


@inner
def filter_gradient(
    v: Array,
    m: Array,
    sums: Array,
    C: int,
    O: int,  # noqa: E741
    s: int,
    n: int,
    microbatch: int,
    more: bool,
    last: bool,
    work: Array,
) -> None:
    """Go on with the filter's gradient, transformed; after the last row transform it back to `sums` [3, 3, C, O].

    It is computed for as many channels at a time as the cache likes, if there is but one row; then the sums of several
    micro-batches are added up meanwhile.
    """
    v_point, m_point, count = s * n * C + PAD, s * n * O + PAD, (n + microbatch - 1) // microbatch
    channels = C if more or not last else min(C, max(8, CACHE // (36 * O) // 8 * 8))
    point, whole = channels * O + PAD, 9 * channels * O
    u, total, stack = work[: 36 * point], work[36 * point : 36 * point + whole], work[36 * point + whole :]
    for c in range(0, C, channels):
        width = min(channels, C - c)
        for number in range(count):
            first = number * microbatch
            k = min(microbatch, n - first) * s
            at_v, at_m = first * s * C + c, first * s * O
            products(v, at_v, v_point, C, m, at_m, m_point, O, u, point, width, k, more)
            if last and count == 1:
                filter_gradient_tile(pointer(u, 0), point, pointer(sums, c * O), C * O, width * O)
            elif last:
                to = level(total, stack, level_of(number))
                filter_gradient_tile(pointer(u, 0), point, pointer(to, 0), channels * O, width * O)
                merge(total, stack, number)
        if last and count > 1:
            merge_rest(total, stack, count)
            for tap in range(9):
                at, to_c = tap * channels * O, tap * C * O + c * O
                copy(sums[to_c : to_c + width * O], total[at : at + width * O])


@inner
def products(
    v: Array,
    at_v: int,
    v_point: int,
    C: int,
    m: Array,
    at_m: int,
    m_point: int,
    O: int,  # noqa: E741
    u: Array,
    point: int,
    width: int,
    k: int,
    more: bool,
) -> None:
    """Set u, for `width` of C channels, to the products over k rows of v and m for each of the 36 points."""
    for g in range(36):
        product(v, at_v + g * v_point, 1, C, m, at_m + g * m_point, O, u, g * point, width, k, O, more)
