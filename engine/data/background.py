"""The colour behind what pictures show: there transparent parts show it, and what is left over at a side is filled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

import numpy as np
from numpy.typing import NDArray

from engine.data.split import Split

LOOKED_AT = 1000  # images, evenly spaced over the set: enough for a median, and few to read where there are millions


def background(part: Split) -> tuple[int, ...]:
    """Return the colour of the corners of the images of a part: their median, a byte for each channel."""
    some, _ = part.take(spread(len(part)))
    return median_of_corners(some.view(np.uint8))


def spread(count: int) -> NDArray[np.int64]:
    """Return at most LOOKED_AT of the numbers 0 .. count - 1, evenly spaced."""
    some = min(count, LOOKED_AT)
    return np.arange(some) * (count - 1) // max(some - 1, 1)


def median_of_corners(images: Iterable[NDArray[np.uint8]]) -> tuple[int, ...]:
    """Return the median colour of the corners of images [H, W, C], which may differ in size; there is at least one."""
    corners = np.concatenate([_corners(image) for image in images])
    middle = np.sort(corners, axis=0)[(len(corners) - 1) // 2]  # the lower of two: a colour that is really there
    return tuple(int(value) for value in middle)


def _corners(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, channels = image.shape
    return image[:: max(1, height - 1), :: max(1, width - 1)].reshape(-1, channels)


def contrasting(ink: float, channels: int) -> tuple[int, ...]:
    """Return black or white: the one that ink of this mean brightness, 0 to 255, stands out from."""
    return (0 if ink >= 127.5 else 255,) * channels


def nearest(mean: Sequence[float]) -> tuple[int, ...]:
    """Return black or white: the one nearer to the mean of a training set, for networks that do not say more."""
    return (255 if fsum(mean) / len(mean) >= 127.5 else 0,) * len(mean)
