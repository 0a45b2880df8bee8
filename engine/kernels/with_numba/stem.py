"""The first convolution, on images of one channel, with its max-pool, compiled.

The four outputs of each pool window stay in registers until the largest is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product as pairs_of
from typing import Any

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, ROUTE, Lanes, chains, each_pair, emitted, number
from engine.kernels.with_numba.windows import PLACES, first_maximum, there

Taps = Callable[[Sequence[Lanes], list[Vector]], list[Vector]]
USUAL = 3, 5  # sizes of filters whose taps are written out


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
    parts, here = (there(b, 1, right), there(b, 1, below)), _Window(b, x, row, filters, k, bias, y, route, count)

    def over_filters(size: int | None) -> None:
        taps = here.in_loops if size is None else partial(here.written_out, size)
        with b.if_else(b.and_(*parts)) as (whole, part):
            with whole:
                each_pair(b, count, partial(here.emit, taps, None))
            with part:
                each_pair(b, count, partial(here.emit, here.in_loops, parts))

    by_size(b, k, over_filters)


def by_size(b: Any, k: Any, emit: Callable[[int | None], None]) -> None:
    """Emit code for k of each usual size, and for any other: `emit(None)`."""
    sizes = [b.icmp_signed("==", k, number(size)) for size in USUAL]
    for size, is_size in zip(USUAL, sizes, strict=True):
        with b.if_then(is_size):
            emit(size)
    with b.if_then(b.not_(b.or_(*sizes))):
        emit(None)


@dataclass(frozen=True)
class _Window:
    """Emits the instructions of a window; the fields are LLVM's values, as in `window`."""

    b: Any
    x: Any
    row: Any
    filters: Any
    k: Any
    bias: Any
    y: Any
    route: Any
    count: Any

    def emit(self, taps: Taps, parts: tuple[Any, Any] | None, *vectors: Lanes) -> None:
        """Do some filters, with what adds up their taps; `parts` as in `first_maximum`."""
        sums = taps(vectors, [vectors[0].zero()] * 4 * len(vectors))
        for number_, lanes in enumerate(vectors):
            best, place = first_maximum(sums[4 * number_ : 4 * number_ + 4], parts)
            lanes.store(best + lanes.load(self.bias), self.y)
            lanes.store_bytes(place, self.route)

    def written_out(self, size: int, lanes: Sequence[Lanes], sums: list[Vector]) -> list[Vector]:
        """Add up the taps of a filter whose size is known."""
        for line, column in pairs_of(range(size), repeat=2):
            sums = self._tap(lanes, number(line), number(column), sums)
        return sums

    def in_loops(self, lanes: Sequence[Lanes], sums: list[Vector]) -> list[Vector]:
        """Add up the taps of a filter of any size."""

        def taps(line: Any, sums: list[Vector]) -> list[Vector]:
            return chains(self.b, self.k, sums, partial(self._tap, lanes, line))

        return chains(self.b, self.k, sums, taps)

    def _tap(self, lanes: Sequence[Lanes], line: Any, column: Any, sums: list[Vector]) -> list[Vector]:
        b = self.b
        start = b.gep(self.filters, [b.mul(b.add(b.mul(line, self.k), column), self.count)])
        pixels = [
            lanes[0].every(b.gep(self.x, [b.add(b.mul(b.add(line, number(p)), self.row), b.add(column, number(q)))]))
            for p, q in PLACES
        ]
        products = [(pixel, factor) for factor in [one.load(start) for one in lanes] for pixel in pixels]
        return [pixel.fma(factor, total) for (pixel, factor), total in zip(products, sums, strict=True)]
