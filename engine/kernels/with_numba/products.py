"""Matrix products, compiled: panels of columns as wide as a tile of the microkernel, pieces of k that stay in cache."""

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.microkernel import panel, pointer
from engine.kernels.with_numba.pairs import level, level_of, merge, merge_rest
from engine.kernels.with_numba.tile import choose

TILE = choose()
ROWS = TILE.rows
LANES, VECTORS = TILE.lanes, TILE.vectors
PAIR = min(2, VECTORS)
DEPTH = 256  # k at a time

whole = panel(TILE.rows, VECTORS, LANES)
double = panel(TILE.rows, PAIR, LANES)
single = panel(TILE.rows, 1, LANES)
edge = panel(TILE.rows, 1, LANES, edge=True)


@kernel
def multiply(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:  # noqa: ARG001
    M, K, N = a.shape[1], a.shape[2], b.shape[2]
    for g in range(len(a)):
        product(a, g * M * K, K, 1, b, g * K * N, N, out, g * M * N, M, K, N, more)


@kernel
def matrix_gradient(a: Array, b: Array, out: Array, microbatch: int, work: Array) -> None:
    (T, N, M), O, flat = a.shape, b.shape[2], out.reshape(-1)  # noqa: E741 - as in the table
    if microbatch >= N:  # one chain over all rows of a and b
        product(a, 0, 1, M, b, 0, O, flat, 0, M, T * N, O, False)
        return
    for i in range(0, M, ROWS):
        rows = min(ROWS, M - i)
        total = flat[i * O : (i + rows) * O]
        for number in range((N + microbatch - 1) // microbatch):
            first = number * microbatch
            to = level(total, work, level_of(number))
            for t in range(T):
                at, n = t * N + first, min(microbatch, N - first)
                product(a, at * M + i, 1, M, b, at * O, O, to, 0, rows, n, O, t > 0)
            merge(total, work, number)
        merge_rest(total, work, (N + microbatch - 1) // microbatch)


@inner
def product(
    a: Array,
    a0: int,
    row: int,
    column: int,
    b: Array,
    b0: int,
    b_row: int,
    c: Array,
    c0: int,
    M: int,
    K: int,
    N: int,
    more: bool,
) -> None:
    """Set C [M, N] = A [M, K] B [K, N], or with `more` go on with what is in C.

    Each begins at a place, a0, b0, c0, of a contiguous array of any shape. A's rows and columns are `row` and `column`
    values apart, B's rows `b_row`, C's N.
    """
    for k in range(0, K, DEPTH):
        depth, going = min(DEPTH, K - k), more or k > 0
        n = 0
        while n < N:
            left = (N - n) // LANES
            x, y, z = pointer(a, a0 + k * column), pointer(b, b0 + k * b_row + n), pointer(c, c0 + n)
            if left >= VECTORS and left != VECTORS + 1:
                whole(x, row, column, y, b_row, z, N, M, depth, N - n, going)
                n += VECTORS * LANES
            elif left >= PAIR:
                double(x, row, column, y, b_row, z, N, M, depth, N - n, going)
                n += PAIR * LANES
            elif left:
                single(x, row, column, y, b_row, z, N, M, depth, N - n, going)
                n += LANES
            else:
                edge(x, row, column, y, b_row, z, N, M, depth, N - n, going)
                n = N
