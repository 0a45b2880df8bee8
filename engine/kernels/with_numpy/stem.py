"""The first convolution, on images of one channel, with its max-pool, in numpy."""

import numpy as np

from engine.kernels.pairs import sum_in_pairs
from engine.kernels.table import Array, Place, Route, Size
from engine.kernels.with_numpy.pooling import pool_phases, pool_phases_gradient

SAMPLES = 16  # at a time


def stem(x: Array, filters: Array, bias: Array, y: Array, place: Place, route: Route, size: Size, work: Array) -> None:
    k, O, (h, w, _) = len(filters), bias.size, route.shape  # noqa: E741 - as in the table
    for first in range(0, len(x), SAMPLES):
        images = x[first : first + SAMPLES]
        n, L = len(images), slice(first * O, first * O + len(images) * O)
        taps, phases, won, rest = _arrays(h, w, n, k, O, work)
        _take_patches(images, taps)
        np.dot(taps.reshape(k * k, -1).T, filters.reshape(-1, O), out=phases.reshape(-1, O))
        pool_phases(phases, bias, y, (place[0], place[1] + L.start), won, size, rest)
        np.copyto(route[:, :, L], won)


def stem_gradient(
    x: Array, dy: Array, place: Place, route: Route, dfilters: Array, microbatch: int, work: Array
) -> None:
    (k, _, O), (h, w, _), count = dfilters.shape, route.shape, -(-len(x) // microbatch)  # noqa: E741
    waiting = count.bit_length() * dfilters.size

    def one(number: int, out: Array) -> None:
        images = x[number * microbatch : (number + 1) * microbatch]
        n, start = len(images), number * microbatch * O
        taps, phases, won, rest = _arrays(h, w, n, k, O, work[waiting:])
        _take_patches(images, taps)
        np.copyto(won, route[:, :, start : start + n * O])
        pool_phases_gradient(dy, (place[0], place[1] + start), won, phases, rest)
        np.dot(taps.reshape(k * k, -1), phases.reshape(-1, O), out=out.reshape(k * k, O))

    sum_in_pairs(dfilters, work, count, one)


def stem_work(windows: Size, N: int, kernel: int, filters: int, microbatch: int) -> int:
    """Return how many values of scratch a stem takes."""
    values, taps = windows[0] * windows[1] * min(N, max(microbatch, SAMPLES)), kernel * kernel
    return values * (4 * taps + 6 * filters) + (-(-N // microbatch)).bit_length() * taps * filters


def _arrays(h: int, w: int, n: int, k: int, O: int, work: Array) -> tuple[Array, Array, Route, Array]:  # noqa: E741
    """Return patches [k, k, 2, 2, h, w, n], the outputs [2, 2, h, w, L], a route [h, w, L], and the rest of `work`."""
    values, L = h * w * n, n * O
    taps, rest = work[: 4 * k * k * values], work[4 * k * k * values :]
    phases, rest = rest[: 4 * values * O], rest[4 * values * O :]
    won = rest[: values * O].view(np.uint8)[: values * O].reshape(h, w, L)
    return taps.reshape(k, k, 2, 2, h, w, n), phases.reshape(2, 2, h, w, L), won, rest[values * O :]


def _take_patches(x: Array, patches: Array) -> None:
    """Let patches[a, b, q, r, i, j] be what meets filter tap (a, b) at output (2 i + q, 2 j + r)."""
    k, (h, w, _) = len(patches), patches.shape[4:]
    images = x.transpose(1, 2, 0)
    for a, b, q, r in np.ndindex(k, k, 2, 2):
        patches[a, b, q, r] = images[a + q : a + q + 2 * h - 1 : 2, b + r : b + r + 2 * w - 1 : 2]
