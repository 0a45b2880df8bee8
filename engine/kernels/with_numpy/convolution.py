"""Convolution as one matrix product, in numpy: the copies around it."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.pairs import sum_in_pairs
from engine.kernels.table import Array, Place, Size
from engine.kernels.with_numpy.planes import inside, split


def im2col(x: Array, columns: Array, stride: Size, origin: Size) -> None:
    for a, b, pixels in _taps(x, columns, stride, origin):
        columns[:, :, :, a, b] = pixels


def col2im(columns: Array, dx: Array, stride: Size, origin: Size, more: bool) -> None:
    if not more:
        dx.fill(0)
    for a, b, pixels in _taps(dx, columns, stride, origin):
        np.add(pixels, columns[:, :, :, a, b], out=pixels)


def _taps(x: Array, columns: Array, stride: Size, origin: Size) -> Iterator[tuple[int, int, Array]]:
    """Yield (row, column) of every kernel tap and the pixels of x that it meets, [h, w, N, C]."""
    h, w, _, rows, across = columns.shape[:5]
    height, width = stride[0] * (h - 1) + 1, stride[1] * (w - 1) + 1
    for a, b in np.ndindex(rows, across):
        top, left = origin[0] + a, origin[1] + b
        yield a, b, x[top : top + height : stride[0], left : left + width : stride[1]]


def add_bias(x: Array, bias: Array, y: Array, place: Place) -> None:
    np.add(split(x, bias.size), bias, out=split(inside(y, place, *x.shape), bias.size))


def bias_gradient(
    dy: Array, place: Place, shape: tuple[int, int, int], total: Array, microbatch: int, work: Array
) -> None:
    image = split(inside(dy, place, *shape), total.size)

    def add_up(number: int, out: Array) -> None:
        out.fill(0)
        for row in image[:, :, number * microbatch : (number + 1) * microbatch]:
            np.add(out, np.add.reduce(row, axis=(0, 1)), out=out)

    sum_in_pairs(total, work, -(-image.shape[2] // microbatch), add_up)
