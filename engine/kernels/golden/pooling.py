"""Calls of max-pooling by itself."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: windows that end beyond the edge, equal values, both zeros, NaN."""
    for size, h, w in ((2, 4, 3), (3, 3, 2)):
        for image in (x.few(7, 5, 33), x.wild(7, 5, 33)):
            route = np.zeros((h, w, 33), np.uint8)
            yield Call("max_pool", (image, space(h + 2, w + 2, 40), (1, 4), route, size), (np.zeros_like(route),))
            mask = np.zeros(route.shape, np.bool_)
            yield Call("max_pool_gradient", (x.wild(h, w, 33), (0, 0), route, space(7, 5, 33), size), (mask,))
