"""The gradient of a matrix of weights from rows of samples: a product of few terms for each micro-batch.

A tile of it is done at a time, for all micro-batches. Only sums that wait for others are written, and they stay in the
first cache.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.microkernel import Panel, in_tiles, pointer
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import FLOATS, LANES, Lanes, counts, emitted, first_lanes, loop, number
from engine.kernels.with_numba.waiting import sum_of

ROWS, VECTORS = choose().rows, choose().vectors
PAIR = min(2, VECTORS)


def columns(vectors: int, edge: bool = False) -> Any:
    """Return a function for compiled code that computes M rows of as many columns as `vectors` have, or the last."""

    @emitted(*(FLOATS, FLOATS, FLOATS, FLOATS), counts(6))
    def compute(b: Any, *arguments: Any) -> None:
        tiles = _Tiles(b, vectors, edge, *arguments)
        in_tiles(b, tiles.M, ROWS, tiles.emit)

    return compute


@dataclass(frozen=True)
class _Tiles:
    """Emits the instructions of a tile; the fields after `edge` are LLVM's values.

    Of N rows of x [N, M] and y [N, O] each of `count` micro-batches has K, the last one what remains. `left` columns
    are to be done.
    """

    b: Any
    vectors: int
    edge: bool
    x: Any
    y: Any
    to: Any
    stack: Any
    count: Any
    K: Any
    N: Any
    M: Any
    O: Any  # noqa: E741
    left: Any

    def emit(self, row: Any, rows: int) -> None:
        """Emit the computation of `rows` rows from `row` on."""
        b, last = self.b, self.b.sub(self.count, number(1))
        lanes = Lanes(b, number(0), first_lanes(b, self.left) if self.edge else None)
        width = self.left if self.edge else number(self.vectors * LANES)
        with loop(b, number(0), self.count, 1) as i:
            made = sum_of(b, i, last, self.stack, b.mul(width, number(rows)))
            start = made.place(b.gep(self.to, [b.mul(row, self.O)]))
            to = self._places(rows, made.if_last(self.O, width), start)
            made.write(lanes, self._products(i, row, rows), to, partial(self._places, rows, width))

    def _products(self, i: Any, row: Any, rows: int) -> list[Vector]:
        """Return the products of micro-batch number i."""
        b, at = self.b, self.b.mul(i, self.K)
        rest = b.sub(self.N, at)
        x, y = b.gep(self.x, [b.mul(at, self.M)]), b.gep(self.y, [b.mul(at, self.O)])
        panel = Panel(
            *(b, self.vectors, LANES, self.edge, x, number(1), self.M, y, self.O, self.to, self.O, number(rows)),
            *(b.select(b.icmp_signed("<", rest, self.K), rest, self.K), self.left, None),
        )
        return [Vector(b, value) for value in panel.chains(row, rows)]

    def _places(self, rows: int, step: Any, start: Any) -> list[Any]:
        """Return where the vectors of a tile are that begins at `start`, with rows so far apart."""
        lines = [self.b.gep(start, [self.b.mul(step, number(i))]) for i in range(rows)]
        return [self.b.gep(line, [number(j * LANES)]) for line in lines for j in range(self.vectors)]


whole, double, single, edge = columns(VECTORS), columns(PAIR), columns(1), columns(1, edge=True)


@inner
def weight_gradient(a: Array, b: Array, out: Array, shape: tuple[int, int, int], microbatch: int, work: Array) -> None:
    """Set out [M, O] to `matrix_gradient` of a [N, M] and b [N, O]; all are flat, and `shape` is (N, M, O)."""
    (N, M, O), o = shape, 0  # noqa: E741 - as in the table
    count = (N + microbatch - 1) // microbatch
    while o < O:
        left = (O - o) // LANES
        x, y, to, stack = pointer(a, 0), pointer(b, o), pointer(out, o), pointer(work, 0)
        if left >= VECTORS and left != VECTORS + 1:
            whole(x, y, to, stack, (count, microbatch, N, M, O, O - o))
            o += VECTORS * LANES
        elif left >= PAIR:
            double(x, y, to, stack, (count, microbatch, N, M, O, O - o))
            o += PAIR * LANES
        elif left:
            single(x, y, to, stack, (count, microbatch, N, M, O, O - o))
            o += LANES
        else:
            edge(x, y, to, stack, (count, microbatch, N, M, O, O - o))
            o = O
