"""Convolution of stride 1 tap by tap, by any products of matrices: numpy's, or exact ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.kernels.table import Array, Size
from engine.kernels.with_numpy.products import matrix_gradient, multiply

Product = Callable[[Array, Array, Array, bool, Array], None]  # `multiply` of the table
Gradient = Callable[[Array, Array, Array, int, Array], None]  # its `matrix_gradient`


@dataclass(frozen=True)
class Taps:
    """The operations of the table, of these products."""

    multiply: Product
    matrix_gradient: Gradient

    def convolve(self, x: Array, filters: Array, y: Array, origin: Size, work: Array) -> None:
        """See the table."""
        for number, (tap, pixels) in enumerate(_taps(x, filters.shape[:2], y.shape[:2], origin)):
            for row, out in zip(pixels, y, strict=True):
                self.multiply(_matrix(row), filters[tap][None], _matrix(out), number > 0, work)

    def convolve_input_gradient(self, dy: Array, turned: Array, dx: Array, origin: Size, work: Array) -> None:
        """See the table."""
        dx.fill(0)
        part = work[: dx[0, : dy.shape[1]].size].reshape(dy.shape[1], *dx.shape[2:])
        for tap, pixels in reversed(list(_taps(dx, turned.shape[1:3], dy.shape[:2], origin))):
            for row, slopes in zip(pixels, dy, strict=True):
                self.multiply(_matrix(slopes), turned[:, *tap][None], _matrix(part), False, work)
                np.add(row, part, out=row)

    def convolve_filter_gradient(
        self, x: Array, dy: Array, dfilters: Array, origin: Size, microbatch: int, work: Array
    ) -> None:
        """See the table."""
        slopes = dy.reshape(-1, *dy.shape[2:])
        for tap, pixels in _taps(x, dfilters.shape[:2], dy.shape[:2], origin):
            self.matrix_gradient(pixels.reshape(-1, *x.shape[2:]), slopes, dfilters[tap], microbatch, work)


def _taps(x: Array, window: Size, size: Size, origin: Size) -> Iterator[tuple[Size, Array]]:
    """Yield (row, column) of every tap of the kernel and the pixels of x that it meets, [h, w, N, C]."""
    for a, b in np.ndindex(window):
        top, left = origin[0] + a, origin[1] + b
        yield (a, b), x[top : top + size[0], left : left + size[1]]


def _matrix(pixels: Array) -> Array:
    return pixels.reshape(1, -1, pixels.shape[-1])


TAPS = Taps(multiply, matrix_gradient)
convolve, convolve_input_gradient = TAPS.convolve, TAPS.convolve_input_gradient
convolve_filter_gradient = TAPS.convolve_filter_gradient
