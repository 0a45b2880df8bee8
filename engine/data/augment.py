"""The augmentation of the letters program: move every image a little, then spoil a few of its pixels."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.kernels.streams import Stream

REACH = 2  # pixels of shift, either way
SPOILT = 5  # pixels inverted, of each image


def augment(images: NDArray[np.uint8], random: Stream) -> None:
    """Change `images`, uint8 [n, H, W, C], in place: shift each, then invert some of its pixels.

    Each image is shifted by (dy, dx), whole pixels from -2 to 2, and filled with 0; then 5 pixels chosen at random
    turn from v to 255 - v in every channel (one that is chosen twice is inverted once). Draws from `random` first
    all shifts + 2, below 5 [n, 2], then all places, below H W [n, 5], that count pixels row by row.
    """
    n, height, width, _ = images.shape
    shifts = random.below(2 * REACH + 1, n, 2) - REACH
    places = random.below(height * width, n, SPOILT)
    padded = np.pad(images, ((0, 0), (REACH, REACH), (REACH, REACH), (0, 0)))
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    shifted = windows[np.arange(n), REACH - shifts[:, 0], REACH - shifts[:, 1]]  # [n, C, H, W]
    images[:] = np.moveaxis(shifted, 1, -1)
    rows, columns = np.divmod(places, width)
    which = np.arange(n)[:, None], rows, columns
    images[which] = 255 - images[which]
