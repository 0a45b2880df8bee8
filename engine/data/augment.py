"""Augmentation: training images are moved, turned, cut and spoilt a little, each time otherwise."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.data.augmentation import USUAL, Augmentation
from engine.kernels.circle import sin_cos
from engine.kernels.streams import Stream

AT_ONCE = 1 << 16  # pixels that are resampled at a time; no value depends on it
Images = NDArray[np.uint8]
Doubles = NDArray[np.float64]


def augment(images: Images, random: Stream, how: Augmentation = USUAL) -> None:
    """Change `images`, uint8 [n, H, W, C], in place, as `how` says: see docs/arithmetic.md.

    All random numbers are drawn first, whatever they are for: shifts, below 2 shift + 1 [n, 2]; flips, below 2 [n];
    angles, uniform [n]; cuts, uniform [n, 3]; places of noise, below H W [n, noise], that count pixels row by row. Then
    images are flipped, turned and cut in one resampling, shifted, and spoilt. What comes in from outside is 0.
    """
    n, height, width, _ = images.shape
    shifts = random.below(2 * how.shift + 1, n, 2) - how.shift if how.shift else None
    flips = random.below(2, n) if how.flip else None
    turns = (2 * random.uniform(n).astype(np.float64) - 1) * how.rotate / 360 if how.rotate else None
    cuts = random.uniform(n, 3).astype(np.float64) if how.crop else None
    places = random.below(height * width, n, how.noise) if how.noise else None
    if flips is not None:
        images[flips == 1] = images[flips == 1, :, ::-1]
    if turns is not None or cuts is not None:
        turns = np.zeros(n) if turns is None else turns
        resample(images, turns, np.full((n, 3), 0.5) if cuts is None else cuts, how.crop)
    if shifts is not None:
        _shift(images, shifts, how.shift)
    if places is not None:
        which = np.arange(n)[:, None], *np.divmod(places, width)
        images[which] = 255 - images[which]


def _shift(images: Images, shifts: NDArray[np.int64], reach: int) -> None:
    """Move each image down and to the right by its shift [n, 2]."""
    n, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    shifted = windows[np.arange(n), reach - shifts[:, 0], reach - shifts[:, 1]]  # [n, C, H, W]
    images[:] = np.moveaxis(shifted, 1, -1)


def resample(images: Images, turns: Doubles, cuts: Doubles, crop: float) -> None:
    """Turn each image about its middle, and stretch a part of it over the whole."""
    n, height, width, _ = images.shape
    some = max(1, AT_ONCE // (height * width))
    for start in range(0, n, some):
        chosen = slice(start, start + some)
        rows, columns = _sources(height, width, turns[chosen], cuts[chosen], crop)
        images[chosen] = _between(images[chosen], rows, columns)


def _sources(height: int, width: int, turns: Doubles, cuts: Doubles, crop: float) -> tuple[Doubles, Doubles]:
    """Return where each pixel comes from: rows and columns [n, H, W] of the image before."""
    sine, cosine = (x[:, None, None] for x in sin_cos(turns))
    side = (1 - crop * cuts[:, 0])[:, None, None]
    down = np.arange(height)[None, :, None] - (height - 1) / 2
    right = np.arange(width)[None, None, :] - (width - 1) / 2
    middle = [(1 - side) * (cuts[:, k, None, None] - 0.5) * size for k, size in ((1, height), (2, width))]
    rows = (height - 1) / 2 + middle[0] + side * (cosine * down + sine * right)
    columns = (width - 1) / 2 + middle[1] + side * (cosine * right - sine * down)
    return rows, columns


def _between(images: Images, rows: Doubles, columns: Doubles) -> Images:
    """Return the values at places between pixels, bilinear, rounded to the nearest; halves up."""
    above, left = np.floor(rows), np.floor(columns)
    low, right = (rows - above)[..., None], (columns - left)[..., None]
    above, left = above.astype(np.int64), left.astype(np.int64)
    upper = _at(images, above, left) * (1 - right) + _at(images, above, left + 1) * right
    lower = _at(images, above + 1, left) * (1 - right) + _at(images, above + 1, left + 1) * right
    found: Images = np.floor(upper * (1 - low) + lower * low + 0.5).astype(np.uint8)
    return found


def _at(images: Images, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Doubles:
    """Return the pixels at these places, 0 outside, float64 [n, H, W, C]."""
    n, height, width, _ = images.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = np.arange(n)[:, None, None], rows.clip(0, height - 1), columns.clip(0, width - 1)
    return np.where(inside[..., None], images[place], 0).astype(np.float64)
