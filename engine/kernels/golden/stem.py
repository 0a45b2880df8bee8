"""Calls of the first convolution with its pool."""

from collections.abc import Iterator

import numpy as np

from engine.kernels.golden.inputs import TINY, Call, Inputs, space
from engine.kernels.table import Array


def calls(x: Inputs) -> Iterator[Call]:
    """Yield them: with and without padding, sizes that are odd, and equal values; and the gradients of each."""
    # A single image is contiguous however its axes are turned: for a compiler another type.
    for H, W, N, k, padding in ((9, 8, 3, 3, 0), (7, 6, 3, 3, 1), (6, 7, 1, 2, 0)):
        for pixels, scale in ((x.few(H, W, N), 1.0), (x.wild(H, W, N), TINY), (x.values(H, W, N, scale=TINY), 1.0)):
            yield from _both(x, pixels, k, padding, scale)


def _both(x: Inputs, pixels: Array, k: int, padding: int, scale: float) -> Iterator[Call]:
    """Yield the pass forward and the two ways back; `pixels` are [H, W, N], and seen as [N, H, W].

    `scale`: of filters and gradients.
    """
    (H, W, N), O = pixels.shape, 5  # noqa: E741 - as in the table
    size = H + 2 * padding - k + 1, W + 2 * padding - k + 1
    h, w = -(-size[0] // 2), -(-size[1] // 2)
    filters, bias, route = x.values(k, k, O, scale=scale), x.values(O, scale=TINY), np.zeros((h, w, N * O), np.uint8)
    patches, work = space(4 * k * k * h * w * N), space(5 * h * w * N * O + k * k * O)
    turned, images = space(2 * h + k - 1, 2, w + k // 2, N), pixels.transpose(2, 0, 1)
    forward = (images, filters, bias, space(h + 2, w + 2, N * O), (1, 0), route, size, padding, patches)
    yield Call("stem", forward, (work, turned))
    for more in (False, True):
        dy = x.values(h, w, N * O, scale=scale)
        yield Call(
            "stem_gradient",
            (dy, (0, 0), route, patches, x.values(k, k, O, scale=scale), x.values(O, scale=scale), more),
            (work,),
        )
