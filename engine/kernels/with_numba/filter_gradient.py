"""The gradient of a filter of Winograd's: 36 products, transformed back, of which only a tile at a time is written.

A tile of the microkernel is done at a time, its products being begun with 0 or with what is in `u`. Sums of earlier
micro-batches that form a pair with this one are added before anything is written.
"""

from dataclasses import dataclass
from typing import Any

from engine.kernels.table import Array, Size
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.microkernel import Panel, in_tiles, pointer
from engine.kernels.with_numba.pairs import completed, level_of
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.transforms import contract
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import (
    COUNT,
    FLAG,
    FLOATS,
    LANES,
    Lanes,
    both_ways,
    chains,
    emitted,
    first_lanes,
    grid,
    loop,
    number,
)
from engine.system.caches import cache_size

ROWS = choose().rows
ROOM = cache_size(1) * 3 // 4  # bytes that the products of a tile may take
VECTORS = max(1, min(choose().vectors, ROOM // (4 * 36 * ROWS * LANES)))
TILE = 36 * ROWS * VECTORS * LANES  # values of the products of a tile


def columns(vectors: int, edge: bool = False) -> Any:
    """Return a function for compiled code: it does C rows of as many columns as `vectors` have, or the last N of O.

    It sets `to` [3, 3, C, columns] to what it computes plus the `pairs` sums that begin there and every 9 taps further.
    """

    @emitted(FLOATS, COUNT, FLOATS, COUNT, FLAG, FLOATS, FLOATS, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, FLOATS)
    def compute(
        b: Any,
        v: Any,
        v_point: Any,
        m: Any,
        m_point: Any,
        more: Any,
        u: Any,
        to: Any,
        point: Any,
        pairs: Any,
        C: Any,
        K: Any,
        O: Any,  # noqa: E741
        N: Any,
        z: Any,
    ) -> None:
        tiles = _Tiles(b, vectors, edge, v, v_point, m, m_point, more, u, to, point, pairs, C, K, O, N, z)
        in_tiles(b, C, ROWS, tiles.emit)

    return compute


@dataclass(frozen=True)
class _Tiles:
    """Emits the instructions of a tile; the fields after `edge` are LLVM's values.

    v [36, K, C], m [36, K, O] and u [36, C, O] have points so far apart, `to` and u taps and points `point`.
    """

    b: Any
    vectors: int
    edge: bool
    v: Any
    v_point: Any
    m: Any
    m_point: Any
    more: Any
    u: Any
    to: Any
    point: Any
    pairs: Any
    C: Any
    K: Any
    O: Any  # noqa: E741
    N: Any
    z: Any

    def emit(self, row: Any, rows: int) -> None:
        """Do `rows` rows from `row` on: 36 products to z, then each of their vectors back to where it belongs."""
        b, size = self.b, rows * self.vectors * LANES
        with loop(b, number(0), number(36), 1) as g:
            self._product(g, row, rows, b.gep(self.z, [b.mul(g, number(size))]))
        lanes = Lanes(b, number(0), first_lanes(b, self.N) if self.edge else None)
        with loop(b, number(0), number(rows), 1) as i, loop(b, number(0), number(self.vectors), 1) as j:
            at = b.gep(self.z, [b.mul(b.add(b.mul(i, number(self.vectors)), j), number(LANES))])
            points = [
                [lanes.load(place) for place in line] for line in grid(b, at, number(6 * size), number(size), (6, 6))
            ]
            there = b.gep(self.to, [b.add(b.mul(b.add(row, i), self.O), b.mul(j, number(LANES)))])
            self._write(lanes, [value for line in both_ways(contract, points) for value in line], there)

    def _product(self, g: Any, row: Any, rows: int, out: Any) -> None:
        """Emit the product of point g."""
        b = self.b
        v, m = b.gep(self.v, [b.add(b.mul(g, self.v_point), row)]), b.gep(self.m, [b.mul(g, self.m_point)])
        begin = b.gep(self.u, [b.add(b.mul(g, self.point), b.mul(row, self.O))])
        panel = Panel(
            *(b, self.vectors, LANES, self.edge, v, number(1), self.C, m, self.O),
            *(out, number(self.vectors * LANES), number(rows), self.K, self.N, self.more, begin, self.O),
        )
        panel.tile(number(0), rows)

    def _write(self, lanes: Lanes, values: list[Vector], to: Any) -> None:
        """Emit the addition of sums that are pairs, the last one first, and the stores."""
        b = self.b

        def places(start: Any) -> list[Any]:
            return [
                place for line in grid(b, start, b.mul(self.point, number(3)), self.point, (3, 3)) for place in line
            ]

        def add(turn: Any, values: list[Vector]) -> list[Vector]:
            level = b.sub(b.sub(self.pairs, number(1)), turn)
            there = places(b.gep(to, [b.mul(level, b.mul(self.point, number(9)))]))
            return [lanes.load(place) + value for place, value in zip(there, values, strict=True)]

        def store(values: list[Vector]) -> None:
            for value, place in zip(values, places(to), strict=True):
                lanes.store(value, place)

        with b.if_else(b.icmp_signed(">", self.pairs, number(0))) as (paired, alone):
            with paired:
                store(chains(b, self.pairs, values, add))
            with alone:
                store(values)


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
    stack: Array,
    z: Array,
) -> None:
    """Set sums [3, 3, C, O] in the stack to those of the micro-batches of v and m, which have `tiles` rows a sample.

    `channels` is (C, O), `samples` (number of the first, how many, those of a micro-batch). Points of u are
    `apart(C, O)` values apart, and so are taps of a sum.
    """
    (C, O), (first, n, microbatch) = channels, samples  # noqa: E741
    point, o, scratch = apart(C, O), 0, pointer(z, 0)
    while o < O:
        left = (O - o) // LANES
        for start in range(0, n, microbatch):
            K, place = min(microbatch, n - start) * tiles, (first + start) // microbatch
            pairs = completed(place)
            x, y, begin = pointer(v, start * tiles * C), pointer(m, start * tiles * O + o), pointer(u, o)
            to = pointer(stack, (level_of(place) - pairs) * 9 * point + o)
            if left >= VECTORS:
                whole(x, v_point, y, m_point, more, begin, to, point, pairs, C, K, O, O - o, scratch)
            elif left:
                single(x, v_point, y, m_point, more, begin, to, point, pairs, C, K, O, O - o, scratch)
            else:
                edge(x, v_point, y, m_point, more, begin, to, point, pairs, C, K, O, O - o, scratch)
        o += VECTORS * LANES if left >= VECTORS else LANES


@inner
def apart(C: int, O: int) -> int:  # noqa: E741
    """Return how far points and taps are apart: not a multiple of 4096 bytes, for the caches' sake."""
    return C * O + 16
