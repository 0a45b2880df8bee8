"""Convolution as one matrix product, in numpy: the copies around it."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.table import Array


def im2col(x: Array, columns: Array, stride: int) -> None:
    """See the table."""
    for a, b, pixels in _taps(x, columns, stride):
        columns[:, :, :, a, b] = pixels


def col2im(columns: Array, dx: Array, stride: int) -> None:
    """See the table."""
    dx.fill(0)
    for a, b, pixels in _taps(dx, columns, stride):
        np.add(pixels, columns[:, :, :, a, b], out=pixels)


def _taps(x: Array, columns: Array, stride: int) -> Iterator[tuple[int, int, Array]]:
    """Yield (row, column) of every kernel tap and the pixels of x that it meets, [h, w, N, C]."""
    h, w, _, kernel = columns.shape[:4]
    height, width = stride * (h - 1) + 1, stride * (w - 1) + 1
    for a in range(kernel):
        for b in range(kernel):
            yield a, b, x[a : a + height : stride, b : b + width : stride]


def add_bias(x: Array, bias: Array, y: Array, start: int) -> None:
    """See the table."""
    h, w, size = x.shape
    by_channel = (-1, size // bias.size, bias.size)
    for row in range(h):
        target = y[start + row, start : start + w]
        np.add(x[row].reshape(by_channel), bias, out=target.reshape(by_channel))


def add_bias_gradient(dy: Array, start: int, h: int, w: int, total: Array) -> None:
    """See the table."""
    for row in range(h):
        pixels = dy[start + row, start : start + w].reshape(-1, total.size)
        np.add(total, np.add.reduce(pixels, axis=0), out=total)
