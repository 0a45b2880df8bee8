"""The first convolution, on images of one channel, with its max-pool, in numpy."""

import numpy as np

from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.convolution import add_bias_gradient
from engine.kernels.with_numpy.pooling import pool_phases, pool_phases_gradient
from engine.kernels.with_numpy.products import multiply


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
    turned: Array,
) -> None:
    k, filters_ = len(filters), filters.reshape(-1, bias.size)
    taps, phases, rest = _arrays(route, k, len(x), patches, work)
    _take_patches(x, taps, padding, turned)
    np.dot(taps.reshape(k * k, -1).T, filters_, out=phases.reshape(-1, bias.size))
    pool_phases(phases, bias, y, place, route, size, rest)


def stem_gradient(
    dy: Array, place: Place, route: Route, patches: Array, dfilters: Array, dbias: Array, more: bool, work: Array
) -> None:
    k, O = len(dfilters), dbias.size  # noqa: E741 - as in the table
    taps, phases, rest = _arrays(route, k, route.shape[2] // O, patches, work)
    if not more:
        dbias.fill(0)
    add_bias_gradient(dy, place, route.shape, dbias)
    pool_phases_gradient(dy, place, route, phases, rest)
    multiply(taps.reshape(k * k, -1), phases.reshape(-1, O), dfilters.reshape(k * k, O), more, rest)


def _arrays(route: Route, k: int, N: int, patches: Array, work: Array) -> tuple[Array, Array, Array]:
    """Return patches [k, k, 2, 2, h, w, N], the convolution's output [2, 2, h, w, L], and the rest of the scratch."""
    h, w, L = route.shape
    used = 4 * h * w * L
    return patches.reshape(k, k, 2, 2, h, w, N), work[:used].reshape(2, 2, h, w, L), work[used:]


def _take_patches(x: Array, patches: Array, padding: int, turned: Array) -> None:
    """Let patches[a, b, q, r, i, j] be what meets kernel tap (a, b) at output (2 i + q, 2 j + r)."""
    kernel, (h, w, _) = len(patches), patches.shape[4:]
    H = x.shape[1]
    # Even and odd columns apart first, so that what follows copies runs of w * N values.
    for parity in (0, 1):
        skip = (parity - padding) % 2
        columns = x[:, :, skip::2].transpose(1, 2, 0)
        left = (skip + padding) // 2
        turned[padding : padding + H, parity, left : left + columns.shape[1]] = columns
    for a, b, q, r in np.ndindex(kernel, kernel, 2, 2):
        top, left = a + q, (b + r) // 2
        patches[a, b, q, r] = turned[top : top + 2 * h - 1 : 2, (b + r) % 2, left : left + w]
