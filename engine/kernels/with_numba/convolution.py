"""Convolution as one matrix product, compiled: the copies around it."""

from engine.kernels.table import Array, Place, Size
from engine.kernels.with_numba.jit import kernel
from engine.kernels.with_numba.loops import add, copy, increase
from engine.kernels.with_numba.pairs import level, level_of, merge, merge_rest


@kernel
def im2col(x: Array, columns: Array, stride: Size, origin: Size) -> None:
    (h, w, N, rows, across), (down, right), (top, left) = columns.shape[:5], stride, origin
    for i in range(h):
        for j in range(w):
            for a in range(rows):
                for b in range(across):
                    pixels = x[top + i * down + a, left + j * right + b]
                    for n in range(N):
                        copy(columns[i, j, n, a, b], pixels[n])


@kernel
def col2im(columns: Array, dx: Array, stride: Size, origin: Size, more: bool) -> None:
    (h, w, N, rows, across), (down, right), (top, left) = columns.shape[:5], stride, origin
    if not more:
        dx[:] = 0
    for i in range(h):
        for j in range(w):
            for a in range(rows):
                for b in range(across):
                    pixels = dx[top + i * down + a, left + j * right + b]
                    for n in range(N):
                        increase(pixels[n], columns[i, j, n, a, b])


@kernel
def add_bias(x: Array, bias: Array, y: Array, place: Place) -> None:
    (h, w, L), (start, first) = x.shape, place
    C = bias.size
    for i in range(h):
        for j in range(w):
            for n in range(0, L, C):
                add(y[start + i, start + j, first + n : first + n + C], x[i, j, n : n + C], bias)


@kernel
def bias_gradient(
    dy: Array, place: Place, shape: tuple[int, int, int], total: Array, microbatch: int, work: Array
) -> None:
    (h, w, L), (start, first), C, step = shape, place, total.size, microbatch * total.size
    for number in range((L + step - 1) // step):
        to, begin = level(total, work, level_of(number)), first + number * step
        to[:] = 0
        for i in range(start, start + h):
            for j in range(start, start + w):
                for n in range(begin, min(begin + step, first + L), C):
                    increase(to, dy[i, j, n : n + C])
        merge(total, work, number)
    merge_rest(total, work, (L + step - 1) // step)
