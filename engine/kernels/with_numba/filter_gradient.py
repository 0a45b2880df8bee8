"""The gradient of a filter of Winograd's: 36 products, transformed back, of which only six of a tile are ever written.

A tile of the microkernel is done at a time, for all micro-batches, so that the sums of those that wait for others stay
in the first caches. Its products are begun with 0 or with what is in `u`. Sums of earlier micro-batches that form a
pair with this one are added before anything is written.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.kernels.table import Array, Size
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.microkernel import Panel, in_tiles, pointer
from engine.kernels.with_numba.pairs import levels
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.transforms import contract
from engine.kernels.with_numba.vectors import (
    FLAG,
    FLOATS,
    LANES,
    Lanes,
    counts,
    emitted,
    first_lanes,
    grid,
    loop,
    number,
)
from engine.kernels.with_numba.waiting import sum_of
from engine.system.caches import cache_size

ROWS = choose().rows
# Of a tile there are, at a time, 18 values half transformed and six products for each of its own; they should take no
# more than half of the first cache.
VECTORS = max(1, min(choose().vectors, cache_size(1) // 2 // (4 * 24 * ROWS * LANES)))
TILE = 24 * ROWS * VECTORS * LANES  # how many these are


def columns(vectors: int, edge: bool = False) -> Any:
    """Return a function for compiled code that computes C rows of as many columns as `vectors` have, or the last of O.

    It takes `count` micro-batches, the first of which is number `first`. Number `last` completes the gradient, which is
    written to `to` [3, 3, C, O]; sums that wait for others are in the `stack`.
    """

    @emitted(*(FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, FLOATS), FLAG, counts(12))
    def compute(b: Any, *arguments: Any) -> None:
        tiles = _Tiles(b, vectors, edge, *arguments)
        in_tiles(b, tiles.C, ROWS, tiles.emit)

    return compute


@dataclass(frozen=True)
class _Tiles:
    """Emits the instructions of a tile; the fields after `edge` are LLVM's values.

    v [36, all_k, C], m [36, all_k, O] and u [36, C, O] have points so far apart; of all_k rows each micro-batch has K,
    the last one what remains; `left` columns are to be done. A tile has `levels` sums in the stack; with 0 all tiles
    have the same place there.
    """

    b: Any
    vectors: int
    edge: bool
    v: Any
    m: Any
    u: Any
    to: Any
    stack: Any
    z: Any
    more: Any
    v_point: Any
    m_point: Any
    u_point: Any
    levels: Any
    first: Any
    count: Any
    last: Any
    K: Any
    all_k: Any
    C: Any
    O: Any  # noqa: E741
    left: Any

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.vectors * LANES

    def emit(self, row: Any, rows: int) -> None:
        """Emit the computation of `rows` rows from `row` on."""
        b = self.b
        sums = b.gep(self.stack, [b.mul(b.mul(row, self.levels), number(9 * self.width))])
        with loop(b, number(0), self.count, 1) as i:
            at = b.mul(i, self.K)
            with loop(b, number(0), number(6), 1) as j:
                self._column(j, row, rows, at)
            self._finish(b.add(self.first, i), row, rows, sums)

    def _column(self, j: Any, row: Any, rows: int, at: Any) -> None:
        """Emit the products of the points in column j, and their transform to three values each, in z [3, 6, tile]."""
        b, size = self.b, rows * self.width
        products = b.gep(self.z, [number(18 * size)])
        with loop(b, number(0), number(6), 1) as i:
            g = b.add(b.mul(i, number(6)), j)
            self._product(g, row, rows, at, b.gep(products, [b.mul(i, number(size))]))
        with loop(b, number(0), number(size), LANES) as start:
            lanes = Lanes(b, start, None)
            points = [lanes.load(b.gep(products, [number(i * size)])) for i in range(6)]
            out = b.gep(self.z, [b.mul(j, number(size))])
            for i, value in enumerate(contract(*points)):
                lanes.store(value, b.gep(out, [number(6 * i * size)]))

    def _product(self, g: Any, row: Any, rows: int, at: Any, out: Any) -> None:
        """Emit the product of point g for the rows of v and m from `at` on."""
        b, rest = self.b, self.b.sub(self.all_k, at)
        v = b.gep(self.v, [b.add(b.mul(g, self.v_point), b.add(b.mul(at, self.C), row))])
        m = b.gep(self.m, [b.add(b.mul(g, self.m_point), b.mul(at, self.O))])
        begin = b.gep(self.u, [b.add(b.mul(g, self.u_point), b.mul(row, self.O))])
        K = b.select(b.icmp_signed("<", rest, self.K), rest, self.K)
        panel = Panel(
            *(b, self.vectors, LANES, self.edge, v, number(1), self.C, m, self.O),
            *(out, number(self.width), number(rows), K, self.left, self.more, begin, self.O),
        )
        panel.tile(number(0), rows)

    def _finish(self, place: Any, row: Any, rows: int, sums: Any) -> None:
        """Emit the rest of the transform of micro-batch number `place`, and its way to the stack, or to `to`."""
        b, size = self.b, rows * self.width
        made = sum_of(b, place, self.last, sums, number(9 * size))
        start = made.place(b.gep(self.to, [b.mul(row, self.O)]))
        tap, step = made.if_last(b.mul(self.C, self.O), number(size)), made.if_last(self.O, number(self.width))
        lanes = Lanes(b, number(0), first_lanes(b, self.left) if self.edge else None)
        with loop(b, number(0), number(rows), 1) as i, loop(b, number(0), number(self.vectors), 1) as j:
            column = b.mul(j, number(LANES))
            there = b.add(b.mul(i, number(self.width)), column)
            points = grid(b, b.gep(self.z, [there]), number(6 * size), number(size), (3, 6))
            values = [contract(*[lanes.load(place) for place in line]) for line in points]
            to = _nine(b, b.gep(start, [b.add(b.mul(i, step), column)]), tap)
            made.write(lanes, [value for line in values for value in line], to, partial(self._waiting, there, size))

    def _waiting(self, there: Any, size: int, level: Any) -> list[Any]:
        """Return where the nine values of a place in the tile are in a sum that waits."""
        return _nine(self.b, self.b.gep(level, [there]), number(size))


def _nine(builder: Any, start: Any, tap: Any) -> list[Any]:
    """Return where the values of the nine taps begin."""
    return [place for line in grid(builder, start, builder.mul(tap, number(3)), tap, (3, 3)) for place in line]


whole, single, edge = columns(VECTORS), columns(1), columns(1, edge=True)


@inner
def filter_gradient(
    v: Array,
    v_point: int,
    m: Array,
    m_point: int,
    u: Array,
    more: bool,
    channels: Size,
    tiles: int,
    samples: tuple[int, int, int],
    N: int,
    dw: Array,
    stack: Array,
    z: Array,
) -> None:
    """Set dw [3, 3, C, O] to the sums of the micro-batches of v and m, which have `tiles` rows a sample.

    `channels` is (C, O), `samples` (number of the first, how many, those of a micro-batch), of N in all calls: until
    all are there, sums wait in the stack. Points of u are `apart(C, O)` values apart.
    """
    (C, O), (first, n, microbatch) = channels, samples  # noqa: E741
    count, last, place = (n + microbatch - 1) // microbatch, (N - 1) // microbatch, first // microbatch
    depth, point, K, rows = 0 if n == N else levels(last), apart(C, O), microbatch * tiles, n * tiles
    o = 0
    while o < O:
        left = (O - o) // LANES
        x, y, w, scratch = pointer(v, 0), pointer(m, o), pointer(u, o), pointer(z, 0)
        to, sums = pointer(dw, o), pointer(stack, depth * 9 * C * o)
        numbers = v_point, m_point, point, depth, place, count, last, K, rows, C, O, O - o
        if left >= VECTORS:
            whole(x, y, w, to, sums, scratch, more, numbers)
        elif left:
            single(x, y, w, to, sums, scratch, more, numbers)
        else:
            edge(x, y, w, to, sums, scratch, more, numbers)
        o += VECTORS * LANES if left >= VECTORS else LANES


@inner
def stacked(C: int, O: int, depth: int) -> int:  # noqa: E741
    """Return how many values `depth` sums take that wait for others: whole vectors."""
    return depth * 9 * C * ((O + LANES - 1) // LANES * LANES)


@inner
def apart(C: int, O: int) -> int:  # noqa: E741
    """Return how far points are apart: not a multiple of 4096 bytes, for the caches' sake."""
    return C * O + 16
