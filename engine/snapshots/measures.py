"""What is said of one array at one step: its statistics, and how its values are spread."""

import json
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.params import Vector

BINS = 64


class Statistics(NamedTuple):
    """Statistics of one array, as the columns of the table say."""

    mean: float
    deviation: float
    low: float
    high: float
    norm: float
    zeros: float


class Histogram(NamedTuple):
    """How many values (`counts`, a JSON array) are in each of the equal bins from `low` to `high`.

    Only finite values count; `low` and `high`, the smallest and the largest of them, are None if there is none.
    """

    low: float | None
    high: float | None
    counts: str


def statistics(array: Vector) -> Statistics:
    """Return the statistics of `array` [n], n > 0. Where a value is nan or inf, so is what depends on it.

    Sums are taken in float64, where squares of float32 do not overflow.
    """
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        mean, norm = wide.mean(), np.sqrt(wide @ wide)
        wide -= mean
        deviation = np.sqrt(wide @ wide / wide.size)
    zeros = 1 - np.count_nonzero(array) / array.size
    return Statistics(float(mean), float(deviation), float(array.min()), float(array.max()), float(norm), zeros)


def histogram(array: Vector) -> Histogram:
    """Return the histogram of `array` [n], n > 0. Close to the edge of two bins either may count a value."""
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        array = array[np.isfinite(array)]
        if not array.size:
            return Histogram(None, None, json.dumps([0] * BINS))
        low, high = float(array.min()), float(array.max())
    return Histogram(low, high, json.dumps(_counts(array, low, high).tolist()))


def _counts(array: Vector, low: float, high: float) -> NDArray[np.intp]:
    """Return how many values are in each bin."""
    spread = high - low
    # In float32 in half the time, unless the differences or their multiples could overflow there.
    scaled = np.subtract(array, low, dtype=np.float32 if 1e-30 < spread < 1e30 else np.float64)
    scaled *= BINS / spread if spread else 0.0
    counts = np.bincount(scaled.astype(np.int32), minlength=BINS + 1)
    counts[BINS - 1] += counts[BINS]  # the largest value itself
    return counts[:BINS]
