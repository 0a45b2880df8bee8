"""The first convolution, on images of one channel, with its max-pool, exactly."""

import numpy as np

from engine.kernels.exact.pooling import pool_phases, pool_phases_gradient
from engine.kernels.exact.products import matrix_gradient, multiply
from engine.kernels.table import Array, Place, Route, Size


def stem(x: Array, filters: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    (h, w, L), O = route.shape, bias.size  # noqa: E741 - as in the table
    taps = patches(x, len(filters), h, w)
    rows, matrix = taps.reshape(1, len(taps), -1), filters.reshape(1, -1, O)
    out = np.empty((1, rows.shape[2], O), np.float32)
    multiply(rows.transpose(0, 2, 1), matrix, out, False, work)
    phases = out.reshape(h, 2, 2, w, L).transpose(1, 2, 0, 3, 4)
    pool_phases(phases, bias, y, place, route, size)


def stem_gradient(
    x: Array, dy: Array, place: Place, route: Route, dfilters: Array, microbatch: int, work: Array
) -> None:
    (h, w, L), (k, _, O), N = route.shape, dfilters.shape, len(x)  # noqa: E741
    phases = np.empty((2, 2, h, w, L), np.float32)
    pool_phases_gradient(dy, place, route, phases)
    slopes = phases.transpose(2, 0, 1, 3, 4).reshape(-1, N, O)
    taps = patches(x, k, h, w).reshape(k * k, -1, N).transpose(1, 2, 0)
    matrix_gradient(taps, slopes, dfilters.reshape(-1, O), microbatch, work)


def patches(x: Array, k: int, h: int, w: int) -> Array:
    """Return what meets each filter tap at each output: [k k, h, 2, 2, w, N], row and column in the window third."""
    found = np.empty((k, k, h, 2, 2, w, len(x)), np.float32)
    images = x.transpose(1, 2, 0)
    for a, b, q, r in np.ndindex(k, k, 2, 2):
        found[a, b, :, q, r] = images[a + q : a + q + 2 * h - 1 : 2, b + r : b + r + 2 * w - 1 : 2]
    return found.reshape(k * k, *found.shape[2:])


def stem_work(windows: Size, N: int, kernel: int, filters: int, microbatch: int) -> int:  # noqa: ARG001
    """Return 0: arrays are made as they are needed."""
    return 0
