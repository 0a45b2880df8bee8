"""Calls of max-pooling by itself."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: windows that end beyond the edge, equal values, both zeros, NaN; windows of many places."""
    for size, H, W in ((2, 7, 5), (3, 7, 5), (17, 18, 17), (257, 257, 3)):
        h, w, number = -(-H // size), -(-W // size), np.min_scalar_type(size * size - 1)
        for image in (x.few(H, W, 33), x.wild(H, W, 33)):
            route = np.zeros((h, w, 33), number)
            yield Call("max_pool", (image, space(h + 2, w + 2, 40), (1, 4), route, size), (np.zeros_like(route),))
            mask = np.zeros(route.shape, np.bool_)
            yield Call("max_pool_gradient", (x.wild(h, w, 33), (0, 0), route, space(H, W, 33), size), (mask,))
