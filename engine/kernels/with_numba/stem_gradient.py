"""The gradient of the first convolution's filters, compiled.

Sums of some taps stay in registers while a micro-batch passes by. All four outputs of a window are multiplied, those
that were not the largest by 0: so chains are those of a product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product as pairs_of
from typing import Any

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numba.jit import kernel, plain
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.pairs import level, level_of, levels, merge, merge_rest
from engine.kernels.with_numba.stem import by_size
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import (
    BYTE,
    COUNT,
    FLOATS,
    ROUTE,
    Lanes,
    chains,
    each,
    each_pair,
    emitted,
    loop,
    number,
    splat,
)
from engine.kernels.with_numba.windows import PLACES, share

TAPS, MOST = 9, 13  # at a time: of a filter of any size, of one of the usual sizes
PAIRED = choose().rows * choose().vectors >= 2 * TAPS  # whether registers hold the sums of two vectors


@kernel
def stem_gradient(
    x: Array, dy: Array, place: Place, route: Route, dfilters: Array, microbatch: int, work: Array
) -> None:
    (N, H, W), (h, w, L), k, O, total = x.shape, route.shape, len(dfilters), dfilters.shape[2], dfilters.reshape(-1)  # noqa: E741
    line, pixel, count = dy.shape[1] * dy.shape[2], dy.shape[2], (N + microbatch - 1) // microbatch
    stack, spare = work[: levels(count) * total.size], pointer(work, levels(count) * total.size)
    for number_ in range(count):
        first = number_ * microbatch
        n, sums = min(microbatch, N - first), level(total, stack, level_of(number_))
        slopes = pointer(dy, place[0] * (line + pixel) + place[1] + first * O)
        given = pointer(x, first * H * W), H * W, W, slopes, line, pixel, pointer(route, first * O), w * L, L
        gradient_of_taps(*given, pointer(sums, 0), k, h, w, n, O, spare)
        merge(total, stack, number_)
    merge_rest(total, stack, count)


def stem_work(windows: Size, N: int, kernel: int, filters: int, microbatch: int) -> int:  # noqa: ARG001
    """Return how many values of scratch a stem takes."""
    return plain(levels)(-(-N // microbatch)) * kernel * kernel * filters + filters


@emitted(*(FLOATS, COUNT, COUNT), *(FLOATS, COUNT, COUNT), *(ROUTE, COUNT, COUNT), FLOATS, *(COUNT,) * 5, FLOATS)
def gradient_of_taps(
    b: Any,
    x: Any,
    image: Any,
    row: Any,
    dy: Any,
    dy_row: Any,
    dy_column: Any,
    route: Any,
    route_row: Any,
    route_column: Any,
    sums: Any,
    k: Any,
    h: Any,
    w: Any,
    n: Any,
    count: Any,
    spare: Any,
) -> None:
    """Set sums [k, k, count] to the gradient of the filters, from n images of h x w windows.

    `spare` has room for `count` values, of taps that are not there.
    """
    windows = _Windows(b, x, image, row, dy, dy_row, dy_column, route, route_row, route_column, h, w, n, count)
    taps, over_filters = _Taps(b, windows, sums, k, count, spare), each_pair if PAIRED else each
    by_size(b, k, lambda size: over_filters(b, count, partial(taps.of_size, size) if size else taps.of_any_size))


@dataclass(frozen=True)
class _Taps:
    """Emits the gradients of some filters, a group of taps after the other; the fields are as in `gradient_of_taps`."""

    b: Any
    windows: "_Windows"
    to: Any
    k: Any
    count: Any
    spare: Any

    def of_size(self, size: int, *vectors: Lanes) -> None:
        """Do all taps of a filter whose size is known."""
        b, places = self.b, list(pairs_of(range(size), repeat=2))
        for first in range(0, size * size, MOST):
            some = range(first, min(first + MOST, size * size))
            pixels = [b.add(b.mul(self.windows.row, number(places[t][0])), number(places[t][1])) for t in some]
            self._do([self._place(number(t)) for t in some], pixels, vectors)

    def of_any_size(self, *vectors: Lanes) -> None:
        """Do all taps, and, so that groups are alike, the first one again for those that are not there."""
        b, k, taps = self.b, self.k, self.b.mul(self.k, self.k)
        with loop(b, number(0), taps, TAPS) as first:
            numbers = [b.add(first, number(t)) for t in range(TAPS)]
            there = [b.icmp_signed("<", tap, taps) for tap in numbers]
            pixels = [b.add(b.mul(b.sdiv(tap, k), self.windows.row), b.srem(tap, k)) for tap in numbers]
            pixels = [b.select(yes, pixel, number(0)) for yes, pixel in zip(there, pixels, strict=True)]
            targets = [b.select(yes, self._place(tap), self.spare) for yes, tap in zip(there, numbers, strict=True)]
            self._do(targets, pixels, vectors)

    def _place(self, tap: Any) -> Any:
        return self.b.gep(self.to, [self.b.mul(tap, self.count)])

    def _do(self, targets: Sequence[Any], pixels: Sequence[Any], vectors: Sequence[Lanes]) -> None:
        found = self.windows.sums(vectors, pixels)
        for t, target in enumerate(targets):
            for lanes, value in zip(vectors, found[t :: len(targets)], strict=True):
                lanes.store(value, target)


@dataclass(frozen=True)
class _Windows:
    """Emits loops over windows; the fields are LLVM's values: where arrays begin, and how far apart what is in them."""

    b: Any
    x: Any
    image: Any
    row: Any
    dy: Any
    dy_row: Any
    dy_column: Any
    route: Any
    route_row: Any
    route_column: Any
    h: Any
    w: Any
    n: Any
    count: Any

    def sums(self, vectors: Sequence[Lanes], pixels: Sequence[Any]) -> list[Vector]:
        """Return sums for each of the vectors and pixels: over rows, places in a window, columns and images."""
        zeros = [vectors[0].zero()] * len(vectors) * len(pixels)
        return chains(self.b, self.h, zeros, partial(self._row, vectors, pixels))

    def _row(self, vectors: Sequence[Lanes], pixels: Sequence[Any], i: Any, sums: list[Vector]) -> list[Vector]:
        def column(place: Any, j: Any, sums: list[Vector]) -> list[Vector]:
            return chains(self.b, self.n, sums, self._image(vectors, pixels, i, place, j))

        def columns(place: Any, sums: list[Vector]) -> list[Vector]:
            return chains(self.b, self.w, sums, partial(column, place))

        return chains(self.b, number(len(PLACES)), sums, columns)

    def _image(self, vectors: Sequence[Lanes], pixels: Sequence[Any], i: Any, place: Any, j: Any) -> Any:
        """Return what emits the addition of one image's part, of the window in row i and column j."""
        b = self.b
        line, column = b.add(b.add(i, i), b.lshr(place, number(1))), b.add(b.add(j, j), b.and_(place, number(1)))
        x = b.gep(self.x, [b.add(b.mul(line, self.row), column)])
        dy = b.gep(self.dy, [b.add(b.mul(i, self.dy_row), b.mul(j, self.dy_column))])
        route = b.gep(self.route, [b.add(b.mul(i, self.route_row), b.mul(j, self.route_column))])
        mark = splat(b, b.trunc(place, BYTE))

        def add(n: Any, sums: list[Vector]) -> list[Vector]:
            at, image = b.mul(n, self.count), b.gep(x, [b.mul(n, self.image)])
            slopes, winners = b.gep(dy, [at]), b.gep(route, [at])
            d = [share(lanes.load(slopes), lanes.load_bytes(winners), mark) for lanes in vectors]
            factors = [vectors[0].every(b.gep(image, [pixel])) for pixel in pixels]
            pairs = [(factor, slope) for slope in d for factor in factors]
            return [factor.fma(slope, before) for (factor, slope), before in zip(pairs, sums, strict=True)]

        return add
