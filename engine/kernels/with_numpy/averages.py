"""Means of windows in numpy. Sums are taken in reading order, so these are the bits of the compiled ones."""

import numpy as np

from engine.kernels.arrays import Array, Place
from engine.kernels.with_numpy.planes import inside


def average_pool(x: Array, y: Array, place: Place, size: int) -> None:
    H, W, L = x.shape
    mean = inside(y, place, -(-H // size), -(-W // size), L)
    np.copyto(mean, x[::size, ::size])
    for number in range(1, min(size, H) * min(size, W)):
        a, b = divmod(number, min(size, W))
        phase = x[a::size, b::size]
        part = mean[: phase.shape[0], : phase.shape[1]]
        np.add(part, phase, out=part)
    np.divide(mean, _numbers(H, W, size), out=mean)


def average_pool_gradient(dy: Array, place: Place, dx: Array, size: int) -> None:
    H, W, L = dx.shape
    d = inside(dy, place, -(-H // size), -(-W // size), L)
    numbers = _numbers(H, W, size)
    for number in range(min(size, H) * min(size, W)):
        a, b = divmod(number, min(size, W))
        phase = dx[a::size, b::size]
        rows, columns = phase.shape[:2]
        np.divide(d[:rows, :columns], numbers[:rows, :columns], out=phase)


def _numbers(H: int, W: int, size: int) -> Array:
    """Return how many values each window has, [h, w, 1]."""
    rows, columns = (np.minimum(size, edge - np.arange(0, edge, size)) for edge in (H, W))
    return np.multiply.outer(rows, columns).astype(np.float32)[..., None]
