"""Matrix products, compiled: panels of columns as wide as a tile of the microkernel, pieces of k that stay in cache."""

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.microkernel import panel, pointer
from engine.kernels.with_numba.pairs import level, level_of, merge, merge_rest
from engine.kernels.with_numba.tile import choose
from engine.kernels.with_numba.weight_gradient import weight_gradient

TILE = choose()
ROWS = TILE.rows
LANES, VECTORS = TILE.lanes, TILE.vectors
PAIR = min(2, VECTORS)
DEPTH = 256  # k at a time
SUMS = 4096  # values of a gradient at a time: those of micro-batches that wait for others stay in the first cache

whole = panel(TILE.rows, VECTORS, LANES)
double = panel(TILE.rows, PAIR, LANES, most=TILE.rows * VECTORS // PAIR)
single = panel(TILE.rows, 1, LANES, most=TILE.rows * VECTORS)
edge = panel(TILE.rows, 1, LANES, edge=True, most=TILE.rows * VECTORS)


@kernel
def multiply(a: Array, b: Array, out: Array, more: bool, work: Array) -> None:  # noqa: ARG001
    M, K, N = a.shape[1], a.shape[2], b.shape[2]
    left, right, to = a.reshape(-1), b.reshape(-1), out.reshape(-1)
    for g in range(len(a)):
        product(left, g * M * K, K, 1, right, g * K * N, N, to, g * M * N, M, K, N, more)


@kernel
def matrix_gradient(a: Array, b: Array, out: Array, microbatch: int, work: Array) -> None:
    T, N, M = a.shape
    if T == 1 and min(N, microbatch) <= DEPTH:
        weight_gradient(a.reshape(-1), b.reshape(-1), out.reshape(-1), (N, M, b.shape[2]), microbatch, work)
        return
    gradient(a.reshape(-1), 0, 0, b.reshape(-1), (1, T, N, M, b.shape[2]), out.reshape(-1), microbatch, work)


@inner
def gradient(
    a: Array,
    a0: int,
    line: int,
    b: Array,
    shape: tuple[int, int, int, int, int],
    out: Array,
    microbatch: int,
    work: Array,
) -> None:
    """Set out [M, O] to `matrix_gradient` of a and b [h, w, N, O], in which t is (row, column); all are flat.

    `shape` is (h, w, N, M, O). The first row of a, [w, N, M], begins at a0, the others `line` values further each.
    """
    h, w, N, M, O = shape  # noqa: E741 - as in the table
    if microbatch >= N:  # one chain over all of a and b
        for i in range(h):
            product(a, a0 + i * line, 1, M, b, i * w * N * O, O, out, 0, M, w * N, O, i > 0)
        return
    piece = max(ROWS, SUMS // O // ROWS * ROWS)
    for m in range(0, M, piece):
        rows = min(piece, M - m)
        total = out[m * O : (m + rows) * O]
        for number in range((N + microbatch - 1) // microbatch):
            first = number * microbatch
            to = level(total, work, level_of(number))
            for i in range(h):
                for j in range(w):
                    at, n = j * N + first, min(microbatch, N - first)
                    left, right = a0 + i * line + at * M + m, (i * w * N + at) * O
                    product(a, left, 1, M, b, right, O, to, 0, rows, n, O, i + j > 0)
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

    Each begins at a place, a0, b0, c0, of a flat array. A's rows and columns are `row` and `column`
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
