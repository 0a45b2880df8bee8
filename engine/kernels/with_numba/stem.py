"""The first convolution, on images of one channel, with its max-pool, compiled.

The four outputs of each pool window stay in registers until the largest is known.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product as pairs_of
from typing import Any

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, ROUTE, Lanes, chains, each_pair, emitted, number
from engine.kernels.with_numba.windows import PLACES, first_maximum, there

USUAL = 3  # the size of a filter whose taps are written out


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
    parts = there(b, 1, right), there(b, 1, below)

    def tap(lanes: Sequence[Lanes], line: Any, column: Any, sums: list[Vector]) -> list[Vector]:
        start = b.gep(filters, [b.mul(b.add(b.mul(line, k), column), count)])
        pixels = [
            lanes[0].every(b.gep(x, [b.add(b.mul(b.add(line, number(p)), row), b.add(column, number(q)))]))
            for p, q in PLACES
        ]
        products = [(pixel, factor) for factor in [one.load(start) for one in lanes] for pixel in pixels]
        return [pixel.fma(factor, total) for (pixel, factor), total in zip(products, sums, strict=True)]

    def written_out(lanes: Sequence[Lanes], sums: list[Vector]) -> list[Vector]:
        for line, column in pairs_of(range(USUAL), repeat=2):
            sums = tap(lanes, number(line), number(column), sums)
        return sums

    def in_loops(lanes: Sequence[Lanes], sums: list[Vector]) -> list[Vector]:
        def taps(line: Any, sums: list[Vector]) -> list[Vector]:
            return chains(b, k, sums, lambda column, sums: tap(lanes, line, column, sums))

        return chains(b, k, sums, taps)

    def emit(taps: Any, parts: tuple[Any, Any] | None, *vectors: Lanes) -> None:
        sums = taps(vectors, [vectors[0].zero()] * 4 * len(vectors))
        for number_, lanes in enumerate(vectors):
            best, place = first_maximum(sums[4 * number_ : 4 * number_ + 4], parts)
            lanes.store(best + lanes.load(bias), y)
            lanes.store_bytes(place, route)

    with b.if_else(b.and_(b.icmp_signed("==", k, number(USUAL)), b.and_(*parts))) as (usual, other):
        with usual:
            each_pair(b, count, partial(emit, written_out, None))
        with other:
            each_pair(b, count, partial(emit, in_loops, parts))
