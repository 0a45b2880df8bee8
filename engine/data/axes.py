"""Where height, width and channels are in an array of images."""

from __future__ import annotations

import math

import numpy as np

from engine.data.scale import Block
from engine.errors import DataError

_USUAL = (1, 3)  # channels


def channels_first(shape: tuple[int, ...]) -> bool:
    """Tell whether images of this shape are [N, C, H, W] rather than [N, H, W, C] or [N, H, W].

    Raises DataError if it cannot be told, or if they are not images.
    """
    if len(shape) not in (3, 4):
        side = math.isqrt(shape[1]) if len(shape) == 2 else 0
        hint = f"; x.reshape(-1, {side}, {side}) makes images of them" if side > 1 and side**2 == shape[-1] else ""
        raise DataError(f"images must be [N, H, W] or [N, H, W, C], not {list(shape)}{hint}")
    if len(shape) == 3 or shape[1:] == (1, 1, 1):
        return False
    first, last = shape[1] in _USUAL, shape[3] in _USUAL
    if first != last:
        return first
    if first or shape[1] < shape[3]:
        raise DataError(
            f"images {list(shape)}: unclear whether the channels come first or last; give [N, H, W, C], which "
            "x.transpose(0, 2, 3, 1) makes of [N, C, H, W]; [N, H, W] is always clear"
        )
    return False


def channels_last(block: Block, first: bool) -> Block:
    """Return images [n, H, W], [n, H, W, C] or, if the channels are `first`, [n, C, H, W] as [n, H, W, C]."""
    if block.ndim == 3:
        return block[..., None]
    return np.moveaxis(block, 1, 3) if first else block
