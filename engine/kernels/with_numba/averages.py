"""Means of windows, compiled."""

import numpy as np

from engine.kernels.arrays import Array, Place
from engine.kernels.with_numba.jit import inner, kernel
from engine.kernels.with_numba.loops import copy, increase


@kernel
def average_pool(x: Array, y: Array, place: Place, size: int) -> None:
    (H, W, L), (start, first) = x.shape, place
    for top in range(0, H, size):
        for left in range(0, W, size):
            below, right = min(top + size, H), min(left + size, W)
            mean = y[start + top // size, start + left // size, first : first + L]
            if below == top + 2 and right == left + 2:
                mean_of_four(mean, x[top, left], x[top, left + 1], x[top + 1, left], x[top + 1, left + 1])
                continue
            copy(mean, x[top, left])
            for a in range(top, below):
                for b in range(left + 1 if a == top else left, right):
                    increase(mean, x[a, b])
            divide(mean, np.float32((below - top) * (right - left)))


@kernel
def average_pool_gradient(dy: Array, place: Place, dx: Array, size: int) -> None:
    (H, W, L), (start, first) = dx.shape, place
    for top in range(0, H, size):
        for left in range(0, W, size):
            below, right = min(top + size, H), min(left + size, W)
            share = dx[top, left]
            copy(share, dy[start + top // size, start + left // size, first : first + L])
            divide(share, np.float32((below - top) * (right - left)))
            for a in range(top, below):
                for b in range(left + 1 if a == top else left, right):
                    copy(dx[a, b], share)


@inner
def mean_of_four(z: Array, a: Array, b: Array, c: Array, d: Array) -> None:
    """Set z = (a + b + c + d) / 4."""
    for k in range(z.size):
        z[k] = (a[k] + b[k] + c[k] + d[k]) / np.float32(4)


@inner
def divide(z: Array, number: np.float32) -> None:
    """Divide z by a number."""
    for k in range(z.size):
        z[k] /= number
