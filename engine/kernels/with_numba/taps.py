"""Convolution of stride 1 tap by tap, compiled: products of whole rows of pixels, which lie as a matrix already."""

from engine.kernels.table import Array, Size
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.loops import increase
from engine.kernels.with_numba.products import ROWS, gradient, product

PIECE = 4096  # values of a product that is added to the gradient while it is in the nearest cache


@kernel
def convolve(x: Array, filters: Array, y: Array, origin: Size, work: Array) -> None:  # noqa: ARG001
    (W, N, C), (rows, across, _, O), (h, w) = x.shape[1:], filters.shape, y.shape[:2]  # noqa: E741 - as in the table
    pixels, matrices, out = x.reshape(-1), filters.reshape(-1), y.reshape(-1)
    for i in range(h):
        for a in range(rows):
            for b in range(across):
                at, matrix = ((origin[0] + i + a) * W + origin[1] + b) * N * C, (a * across + b) * C * O
                product(pixels, at, C, 1, matrices, matrix, O, out, i * w * N * O, w * N, C, O, a + b > 0)


@kernel
def convolve_input_gradient(dy: Array, turned: Array, dx: Array, origin: Size, work: Array) -> None:
    (h, w, N, O), (rows, across, C), W = dy.shape, turned.shape[1:], dx.shape[1]  # noqa: E741 - as in the table
    slopes, matrices, out = dy.reshape(-1), turned.reshape(-1), dx.reshape(-1)
    piece = max(ROWS, PIECE // C)
    dx[:] = 0
    for i in range(h):
        for first in range(0, w * N, piece):
            M = min(piece, w * N - first)
            part = work[: M * C]
            for a in range(rows - 1, -1, -1):
                for b in range(across - 1, -1, -1):
                    start, matrix = (i * w * N + first) * O, (a * across + b) * C
                    product(slopes, start, O, 1, matrices, matrix, rows * across * C, part, 0, M, O, C, False)
                    at = (((origin[0] + i + a) * W + origin[1] + b) * N + first) * C
                    increase(out[at : at + M * C], part)


@kernel
def convolve_filter_gradient(x: Array, dy: Array, dfilters: Array, origin: Size, microbatch: int, work: Array) -> None:
    (W, N, C), (h, w, _, O), (rows, across) = x.shape[1:], dy.shape, dfilters.shape[:2]  # noqa: E741 - as in the table
    pixels, slopes, out = x.reshape(-1), dy.reshape(-1), dfilters.reshape(-1)
    for a in range(rows):
        for b in range(across):
            at, to = ((origin[0] + a) * W + origin[1] + b) * N * C, (a * across + b) * C * O
            gradient(pixels, at, W * N * C, slopes, (h, w, N, C, O), out[to : to + C * O], microbatch, work)
