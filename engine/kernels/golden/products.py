"""Calls of matrix products."""

from collections.abc import Iterator

from engine.kernels.golden.inputs import TINY, Call, Inputs, space

# Matrices, rows, k, columns: less than any tile, one more than the largest, chains that are cut, all kinds of edges.
SHAPES = (1, 1, 1, 1), (2, 3, 5, 7), (1, 9, 33, 50), (2, 17, 8, 49), (1, 2, 261, 35), (1, 5, 12, 97)


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: begun and gone on with, with hard values in some rows, sums that end among the denormals."""
    for G, M, K, N in SHAPES:
        for more in (False, True):
            yield Call("multiply", (x.values(G, M, K), x.values(G, K, N), x.values(G, M, N), more), (space(G * M * N),))
        a, b = x.values(G, M, K), x.values(G, M, N)
        for microbatch in (2, M):
            yield Call("matrix_gradient", (a, b, space(K, N), microbatch), (space(16 * N * 5 + K * N * 5),))
        yield Call("transpose", (x.wild(G, M, N), space(G, N, M)), ())
    yield Call("multiply", (x.wild(2, 9, 7), x.values(2, 7, 50), space(2, 9, 50), False), (space(900),))
    yield Call("multiply", (x.values(2, 9, 7), x.wild(2, 7, 50), x.wild(2, 9, 50), True), (space(900),))
    yield Call("multiply", (x.values(1, 9, 7, scale=TINY), x.values(1, 7, 50), space(1, 9, 50), False), (space(450),))
    for scale in (TINY, 2.0**127):
        a = x.values(1, 7, 9, scale=scale)
        yield Call("matrix_gradient", (a, x.wild(1, 7, 50), space(9, 50), 3), (space(16 * 50 * 3),))
