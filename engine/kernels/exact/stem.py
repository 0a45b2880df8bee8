"""The first convolution, on images of one channel, with its max-pool, exactly."""

import numpy as np

from engine.kernels.exact.convolution import add_bias_gradient
from engine.kernels.exact.pooling import pool_phases, pool_phases_gradient
from engine.kernels.exact.products import multiply, multiply_columns
from engine.kernels.table import Array, Place, Route, Size


def stem(
    x: Array,
    filters: Array,
    bias: Array,
    y: Array,
    place: Place,
    route: Route,
    size: Size,
    padding: int,
    patches: Array,
    work: Array,
    turned: Array,  # noqa: ARG001
) -> None:
    (h, w, L), k, (N, H, W) = route.shape, len(filters), x.shape
    padded = np.zeros((2 * h + k - 1, 2 * w + k - 1, N), np.float32)
    padded[padding : padding + H, padding : padding + W] = x.transpose(1, 2, 0)
    taps = patches.reshape(h, k, k, 2, 2, w, N)
    for a, b, q, r in np.ndindex(k, k, 2, 2):
        taps[:, a, b, q, r] = padded[a + q : a + q + 2 * h - 1 : 2, b + r : b + r + 2 * w - 1 : 2]
    out = np.empty((h, 4 * w * N, bias.size), np.float32)
    taps = taps.reshape(h, k * k, -1)
    multiply_columns(taps, np.broadcast_to(filters.reshape(k * k, -1), (h, k * k, bias.size)), out, False, work)
    pool_phases(out.reshape(h, 2, 2, w, L).transpose(1, 2, 0, 3, 4), bias, y, place, route, size)


def stem_gradient(
    dy: Array, place: Place, route: Route, patches: Array, dfilters: Array, dbias: Array, more: bool, work: Array
) -> None:
    (h, w, L), k, O = route.shape, len(dfilters), dbias.size  # noqa: E741 - as in the table
    if not more:
        dbias.fill(0)
    add_bias_gradient(dy, place, route.shape, dbias)
    phases = np.empty((2, 2, h, w, L), np.float32)
    pool_phases_gradient(dy, place, route, phases)
    taps, total = patches.reshape(h, 1, k * k, -1), dfilters.reshape(1, k * k, O)
    for i in range(h):
        multiply(taps[i], phases[:, :, i].reshape(1, -1, O), total, more or i > 0, work)
