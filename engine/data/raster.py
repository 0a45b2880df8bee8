"""Drawing: the grey image of a pen that moved along given points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 28
_MARGIN = 4
_WIDTH = SIDE + 2 * _MARGIN
_REACH = 3  # pixels about a segment's middle that the pen may blacken: 7 x 7
_FAR = -9.0  # the depth of pixels that no segment is near
_OFFSETS = np.arange(-_REACH, _REACH + 1)
_PATCH = (_OFFSETS[:, None] * _WIDTH + _OFFSETS).ravel()
_DOWN = np.repeat(_OFFSETS, len(_OFFSETS)).astype(np.float32)
_ACROSS = np.tile(_OFFSETS, len(_OFFSETS)).astype(np.float32)


def draw(points: Floats, pen_down: NDArray[np.bool_], radius: Floats) -> Floats:
    """Return how deep each pixel's middle lies inside the pen's trace, in pixels: float32 [n, 28, 28].

    `points` float32 [n, P, 2] are x, y in pixels; `pen_down` [n, P - 1] says which segments are drawn; `radius`
    float32 [n, P - 1] is half the pen's width there. Depth is radius - distance, so 0 at the edge and negative
    outside; it is right up to 3 pixels from the middle of a segment, which is why segments should be short.
    """
    n, start = len(points), points[:, :-1]
    step: Floats = points[:, 1:] - start
    squared: Floats = np.maximum(step[..., 0] * step[..., 0] + step[..., 1] * step[..., 1], np.float32(1e-12))
    corner: Floats = np.clip(np.rint(start + step / 2), _REACH - _MARGIN, SIDE + _MARGIN - 1 - _REACH)
    offset: Floats = corner - start
    row, column = (corner[..., axis].astype(np.int64) + _MARGIN for axis in (1, 0))
    pixel = (np.arange(n)[:, None] * _WIDTH + row) * _WIDTH + column
    canvas = np.full(n * _WIDTH * _WIDTH, _FAR, np.float32)
    for k in range(step.shape[1]):
        # The same segment of all images at a time: patches of different images never overlap, so no pixel is lost.
        which = np.flatnonzero(pen_down[:, k])
        distance = _distances(offset[which, k], step[which, k], squared[which, k])
        pixels = pixel[which, k, None] + _PATCH
        canvas[pixels] = np.maximum(canvas[pixels], radius[which, k, None] - distance)
    return canvas.reshape(n, _WIDTH, _WIDTH)[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]


def _distances(offset: Floats, step: Floats, squared: Floats) -> Floats:
    """Return the distances [n, 49] of a patch of pixels from a segment `step` [n, 2], whose start is -`offset`."""
    x, y = offset[:, :1] + _ACROSS, offset[:, 1:] + _DOWN
    dx, dy = step[:, :1], step[:, 1:]
    t = np.clip((x * dx + y * dy) / squared[:, None], 0, 1)
    x -= t * dx
    y -= t * dy
    distance: Floats = np.sqrt(x * x + y * y)
    return distance


def blurred(images: Floats) -> Floats:
    """Blur `images`, float32 [n, H, W], by the weights 1/4, 1/2, 1/4 in both directions; beyond the edge is 0."""
    padded: Floats = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    half, quarter = np.float32(0.5), np.float32(0.25)
    rows: Floats = half * padded[:, 1:-1] + quarter * (padded[:, :-2] + padded[:, 2:])
    result: Floats = half * rows[:, :, 1:-1] + quarter * (rows[:, :, :-2] + rows[:, :, 2:])
    return result
