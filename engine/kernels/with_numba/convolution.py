"""Convolution as one matrix product, compiled: the copies around it."""

from engine.kernels.table import Array, Place, Size
from engine.kernels.with_numba.jit import inner, kernel


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
def col2im(columns: Array, dx: Array, stride: Size, origin: Size) -> None:
    (h, w, N, rows, across), (down, right), (top, left) = columns.shape[:5], stride, origin
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
def add_bias_gradient(dy: Array, place: Place, shape: tuple[int, int, int], total: Array) -> None:
    (h, w, L), (start, first), C = shape, place, total.size
    for i in range(start, start + h):
        for j in range(start, start + w):
            for n in range(first, first + L, C):
                increase(total, dy[i, j, n : n + C])


@inner
def copy(z: Array, a: Array) -> None:
    """Set z = a."""
    for k in range(z.size):
        z[k] = a[k]


@inner
def add(z: Array, a: Array, b: Array) -> None:
    """Set z = a + b."""
    for k in range(z.size):
        z[k] = a[k] + b[k]


@inner
def increase(z: Array, a: Array) -> None:
    """Add a to z."""
    for k in range(z.size):
        z[k] += a[k]
