"""The first convolution, on images of one channel, with its max-pool, compiled.

Forward, the four outputs of each pool window stay in registers until the largest is known. Backward it is one product
for each row of windows.
"""

from typing import Any

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import inner, kernel, plain
from engine.kernels.with_numba.loops import copy
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.pairs import level, level_of, levels, merge, merge_rest
from engine.kernels.with_numba.pooling import deal_row
from engine.kernels.with_numba.products import product
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, ROUTE, Lanes, chains, each_pair, emitted, number
from engine.kernels.with_numba.windows import PLACES, first_maximum, there


@kernel
def stem(
    x: Array,
    filters: Array,
    bias: Array,
    y: Array,
    place: Place,
    route: Route,
    size: Size,
    work: Array,  # noqa: ARG001
) -> None:
    (N, H, W), (h, w, L), k, O = x.shape, route.shape, len(filters), bias.size  # noqa: E741 - as in the table
    pixel, start, first = y.shape[2], place[0], place[1]
    for i in range(h):
        for j in range(w):
            at, below, right = ((start + i) * y.shape[1] + start + j) * pixel + first, size[0] - 2 * i, size[1] - 2 * j
            for n in range(N):
                image, taps = pointer(x, (n * H + 2 * i) * W + 2 * j), pointer(filters, 0)
                best, won = pointer(y, at + n * O), pointer(route, (i * w + j) * L + n * O)
                window(image, W, taps, k, pointer(bias, 0), best, won, below, right, O)


@kernel
def stem_gradient(
    x: Array, dy: Array, place: Place, route: Route, dfilters: Array, microbatch: int, work: Array
) -> None:
    N, k, O, total = len(x), len(dfilters), dfilters.shape[2], dfilters.reshape(-1)  # noqa: E741
    count = (N + microbatch - 1) // microbatch
    depth = levels(count)
    stack, rest = work[: depth * total.size], work[depth * total.size :]
    for number_ in range(count):
        first = number_ * microbatch
        n, sums = min(microbatch, N - first), level(total, stack, level_of(number_))
        part_gradient(x, dy, place, route, sums, k, O, first, n, rest)
        merge(total, stack, number_)
    merge_rest(total, stack, count)


def stem_work(windows: Size, N: int, kernel: int, filters: int, microbatch: int) -> int:
    """Return how many values of scratch a stem takes."""
    (h, w), taps, depth = windows, kernel * kernel, plain(levels)(-(-N // microbatch))
    turned = (2 * h + kernel - 1) * 2 * (w + kernel // 2)
    return depth * taps * filters + microbatch * (turned + 4 * w * (taps + filters))


@inner
def part_gradient(
    x: Array,
    dy: Array,
    place: Place,
    route: Route,
    sums: Array,
    k: int,
    O: int,  # noqa: E741
    first: int,
    n: int,
    work: Array,
) -> None:
    """Set sums [k k O] to the gradient of one micro-batch, the samples from `first` on."""
    (_, H, W), (h, w, _) = x.shape, route.shape
    turned = work[: n * H * ((W + 1) // 2) * 2].reshape(H, 2, (W + 1) // 2 * n)
    rest = work[turned.size :]
    patches, phases = rest[: 4 * k * k * w * n].reshape(k, k, 2, 2, w * n), rest[4 * k * k * w * n :]
    phases = phases[: 4 * w * n * O].reshape(4, w, n * O)
    turn(x, first, n, turned)
    for i in range(h):
        take_patches(turned, patches, i, n)
        a, b, c, d = phases[0], phases[1], phases[2], phases[3]
        deal_row(a, b, c, d, dy[place[0] + i, place[0] :], place[1] + first * O, route[i], first * O)
        K = 4 * w * n
        product(patches, 0, K, 1, phases, 0, O, sums, 0, k * k, K, O, i > 0)


@inner
def turn(x: Array, first: int, N: int, turned: Array) -> None:
    """Put even and odd columns of N images apart, samples last, so that patches are runs of w * N values."""
    for n in range(N):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                turned[i, j % 2, j // 2 * N + n] = x[first + n, i, j]


@inner
def take_patches(turned: Array, patches: Array, i: int, N: int) -> None:
    """Let patches[a, b, q, r] [w N] be what meets kernel tap (a, b) at outputs (2 i + q, 2 j + r)."""
    k, size = len(patches), patches.shape[4]
    for a in range(k):
        for b in range(k):
            for q in range(2):
                for c in range(b, b + 2):
                    left = c // 2 * N
                    copy(patches[a, b, q, c - b], turned[2 * i + q + a, c % 2, left : left + size])


@emitted(FLOATS, COUNT, FLOATS, COUNT, FLOATS, FLOATS, ROUTE, COUNT, COUNT, COUNT)
def window(
    b: Any,
    x: Any,
    row: Any,
    filters: Any,
    k: Any,
    bias: Any,
    y: Any,
    route: Any,
    below: Any,
    right: Any,
    count: Any,
) -> None:
    """Set y to the largest of a window's outputs for `count` filters, plus bias, and route to which it was.

    Of the window `below` rows and `right` columns are there, if less than two.
    """
    valid = there(b, 1, right), there(b, 1, below)

    def emit(*vectors: Lanes) -> None:
        def taps(line: Any, sums: list[Vector]) -> list[Vector]:
            def tap(column: Any, sums: list[Vector]) -> list[Vector]:
                start = b.gep(filters, [b.mul(b.add(b.mul(line, k), column), count)])
                pixels = [
                    vectors[0].every(b.gep(x, [b.add(b.mul(b.add(line, number(p)), row), b.add(column, number(q)))]))
                    for p, q in PLACES
                ]
                factors = [lanes.load(start) for lanes in vectors]
                products = [(pixel, factor) for factor in factors for pixel in pixels]
                return [pixel.fma(factor, total) for (pixel, factor), total in zip(products, sums, strict=True)]

            return chains(b, k, sums, tap)

        sums = chains(b, k, [vectors[0].zero()] * 4 * len(vectors), taps)
        for number_, lanes in enumerate(vectors):
            best, place = first_maximum(sums[4 * number_ : 4 * number_ + 4], *valid)
            lanes.store(best + lanes.load(bias), y)
            lanes.store_bytes(place, route)

    each_pair(b, count, emit)
