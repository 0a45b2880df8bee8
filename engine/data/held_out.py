"""Which samples are held out of training where data comes in one part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.kernels.streams import Purpose, Stream

SEED = 6  # of whatever is held out


def hold_out(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which samples [N] are held out: a sixth of each class, one at least of those with two or more.

    The choice depends on the labels alone, and is the same in every version and on every machine.
    Raises DataError if no class has two samples.
    """
    keys = Stream(SEED, Purpose.HELD_OUT).words(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels)
    taken = np.maximum(counts // 6, counts > 1)
    ends = np.cumsum(counts)
    held = np.zeros(len(labels), np.bool_)
    for end, count in zip(ends, taken, strict=True):
        held[order[end - count : end]] = True
    if not held.any():
        raise DataError(f"{len(labels)} samples in as many classes: none can be held out for testing; add more")
    return held


def said(held: NDArray[np.bool_]) -> str:
    """Tell a person what was held out."""
    return f"held out a sixth of each class for testing: {held.sum():,} of {len(held):,}, the same ones every time"
