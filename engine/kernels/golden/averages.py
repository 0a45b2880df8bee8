"""Calls of means of windows."""

from collections.abc import Iterator

from engine.kernels.golden.inputs import TINY, Call, Inputs, space


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: windows of two and of other sizes, such as end beyond the edge, the whole image; denormals."""
    for size, h, w in ((2, 4, 3), (3, 3, 2), (9, 1, 1)):
        for scale in (1.0, TINY):
            yield Call("average_pool", (x.wild(7, 5, 33, scale=scale), space(h + 2, w + 2, 40), (1, 4), size))
            dy = x.wild(h + 2, w + 2, 40, scale=scale)
            yield Call("average_pool_gradient", (dy, (1, 4), space(7, 5, 33), size))
