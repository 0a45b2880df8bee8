"""Which samples are held out: for testing where data comes in one part, for validation where that is wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.kernels.streams import Purpose, Stream

SIXTH = 1 / 6
# Seeds, so that what is held out for the one says nothing of the other.
TESTING, VALIDATION = 6, 7


def hold_out(labels: NDArray[np.int32], fraction: float = SIXTH, seed: int = TESTING) -> NDArray[np.bool_]:
    """Return which samples [N] are held out: a part of each class, one at least of those with two or more.

    Of n samples that is n * `fraction`, above 0 and below 1, rounded; of a sixth, rounded down. The choice depends on
    the labels, the fraction and the seed alone, and is the same in every version and on every machine.
    Raises DataError if no class has two samples.
    """
    keys = Stream(seed, Purpose.HELD_OUT).words(len(labels))
    order = np.lexsort((keys, labels))
    counts = np.bincount(labels)
    wanted = counts // 6 if fraction == SIXTH else np.rint(counts * fraction).astype(np.int64)
    taken = np.minimum(np.maximum(wanted, 1), np.maximum(counts - 1, 0))
    ends = np.cumsum(counts)
    held = np.zeros(len(labels), np.bool_)
    for end, count in zip(ends, taken, strict=True):
        held[order[end - count : end]] = True
    if not held.any():
        raise DataError(f"{len(labels)} samples in as many classes: none can be held out; add more")
    return held


def said(held: NDArray[np.bool_], labels: NDArray[np.int32] | None) -> str:
    """Return a note on what was held out; `labels` are those given to `hold_out`, None without classes."""
    of = "the rows" if labels is None else "each class"
    text = f"held out a sixth of {of} for testing: {held.sum():,} of {len(held):,}, the same ones every time"
    single = 0 if labels is None else int((np.bincount(labels) == 1).sum())
    if not single:
        return text
    which = "the class that has a single sample" if single == 1 else f"the {single} classes that have a single sample"
    return f"{text}; none of {which}"
