"""Transposing matrices, compiled: square tiles in registers."""

from typing import Any

from llvmlite import ir

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.microkernel import pointer
from engine.kernels.with_numba.vector import Vector
from engine.kernels.with_numba.vectors import COUNT, FLOATS, INT, LANES, Lanes, emitted, number


@kernel
def transpose(a: Array, out: Array) -> None:
    G, M, N = a.shape
    rows, columns = M - M % LANES, N - N % LANES
    for g in range(G):
        for i in range(0, rows, LANES):
            for j in range(0, columns, LANES):
                tile(pointer(a, (g * M + i) * N + j), N, pointer(out, (g * N + j) * M + i), M)
        for i in range(M):
            for j in range(columns if i < rows else 0, N):
                out[g, j, i] = a[g, i, j]


@emitted(FLOATS, COUNT, FLOATS, COUNT)
def tile(b: Any, a: Any, row: Any, out: Any, out_row: Any) -> None:
    """Transpose as many rows as a vector has lanes: pairs of rows exchange halves, then quarters, and so on."""
    here, far = Lanes(b, number(0), None), LANES // 2
    rows = [here.load(b.gep(a, [b.mul(row, number(i))])).value for i in range(LANES)]
    while far:
        for i in range(LANES):
            if not i & far:
                first, second = rows[i], rows[i + far]
                low = [LANES + j - far if j & far else j for j in range(LANES)]
                high = [LANES + j if j & far else j + far for j in range(LANES)]
                for place, lanes in ((i, low), (i + far, high)):
                    rows[place] = b.shuffle_vector(first, second, ir.Constant(ir.VectorType(INT, LANES), lanes))
        far //= 2
    for i, value in enumerate(rows):
        here.store(Vector(b, value), b.gep(out, [b.mul(out_row, number(i))]))
