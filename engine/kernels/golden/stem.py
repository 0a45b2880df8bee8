"""Calls of the first convolution with its pool."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs, space
from engine.kernels.table import Array

WORK = space(20_000)


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: sizes that are odd, equal values, filters that fill a vector; and the gradients of each."""
    for h, w, N, k, O in ((4, 3, 3, 3, 5), (3, 4, 5, 2, 35), (3, 3, 1, 4, 16)):  # noqa: E741 - as in the table
        H, W = 2 * h + k - 1, 2 * w + k - 1
        for images, scale in ((x.few(N, H, W), 1.0), (x.wild(N, H, W), TINY), (x.values(N, H, W, scale=TINY), 1.0)):
            yield from _both(x, images, (h, w, k, O), scale)


def _both(x: Inputs, images: Array, shape: tuple[int, int, int, int], scale: float) -> Iterator[Call]:
    """Yield the pass forward and back; `scale`: of filters and gradients."""
    (h, w, k, O), N = shape, len(images)  # noqa: E741
    filters, bias, route = x.values(k, k, O, scale=scale), x.values(O, scale=TINY), np.zeros((h, w, N * O), np.uint8)
    size = 2 * h - 1, 2 * w
    yield Call("stem", (images, filters, bias, space(h + 2, w + 2, N * O), (1, 0), route, size), (WORK,))
    for microbatch in (2, N):
        dy = x.values(h, w, N * O, scale=scale)
        yield Call("stem_gradient", (images, dy, (0, 0), route, space(k, k, O), microbatch), (WORK,))
