"""The gradient of a matrix of weights from rows of samples: a product of few terms for each micro-batch.

A tile of it is done at a time, for all micro-batches, so that each writes but a sum that waits for others, which stays
in the first cache.
"""

from typing import Any

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.microkernel import Panel, in_tiles, pointer
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, LANES, Lanes, emitted, first_lanes, loop, number
from engine.kernels.with_numba.waiting import sum_of

ROWS, VECTORS = choose().rows, choose().vectors
PAIR = min(2, VECTORS)


def columns(vectors: int, edge: bool = False) -> Any:
    """Return a function for compiled code: it does M rows of as many columns as `vectors` have, or the last left of O.

    `count` micro-batches of K samples, the last of which has what is left, of N; a [N, M] and b [N, O].
    """

    @emitted(*(FLOATS, FLOATS, FLOATS, FLOATS, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT))
    def compute(
        b: Any,
        a: Any,
        x: Any,
        to: Any,
        stack: Any,
        count: Any,
        K: Any,
        N: Any,
        M: Any,
        O: Any,  # noqa: E741
        left: Any,
    ) -> None:
        lanes = Lanes(b, number(0), first_lanes(b, left) if edge else None)
        width = left if edge else number(vectors * LANES)

        def places(start: Any, row: Any, rows: int) -> list[Any]:
            lines = [b.gep(start, [b.mul(row, number(i))]) for i in range(rows)]
            return [b.gep(line, [number(j * LANES)]) for line in lines for j in range(vectors)]

        def emit(row: Any, rows: int) -> None:
            with loop(b, number(0), count, 1) as i:
                at = b.mul(i, K)
                rest = b.sub(N, at)
                terms = b.select(b.icmp_signed("<", rest, K), rest, K)
                samples, values = b.gep(a, [b.mul(at, M)]), b.gep(x, [b.mul(at, O)])
                panel = Panel(
                    *(b, vectors, LANES, edge, samples, number(1), M, values, O),
                    *(to, O, number(rows), terms, left, None),
                )
                made = sum_of(b, i, b.sub(count, number(1)), stack, b.mul(width, number(rows)))
                found = [Vector(b, value) for value in panel.chains(row, rows)]
                start = made.place(b.gep(to, [b.mul(row, O)]))
                made.write(
                    *(lanes, found, places(start, made.choose(O, width), rows)),
                    lambda level: places(level, width, rows),
                )

        in_tiles(b, M, ROWS, emit)

    return compute


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
            whole(x, y, to, stack, count, microbatch, N, M, O, O - o)
            o += VECTORS * LANES
        elif left >= PAIR:
            double(x, y, to, stack, count, microbatch, N, M, O, O - o)
            o += PAIR * LANES
        elif left:
            single(x, y, to, stack, count, microbatch, N, M, O, O - o)
            o += LANES
        else:
            edge(x, y, to, stack, count, microbatch, N, M, O, O - o)
            o = O
