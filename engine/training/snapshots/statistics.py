"""What is said of one array at one step: its statistics, and how its values are spread."""

from math import isfinite
from typing import NamedTuple

import numpy as np

from engine.kernels import Backend
from engine.nn.parameters import Vector

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


def statistics(array: Vector, backend: Backend) -> Statistics:
    """Return the statistics of `array` [n], n > 0. Where a value is nan or inf, so is what depends on it."""
    with np.errstate(all="ignore"):
        mean, deviation, norm = backend.moments(array)
        low, high = float(array.min()), float(array.max())
    zeros = 1 - np.count_nonzero(array != 0) / array.size  # of floats, numpy counts them five times slower
    return Statistics(mean, deviation, low, high, norm, zeros)


def histogram(array: Vector, backend: Backend) -> Histogram:
    """Return the histogram of `array` [n], n > 0."""
    low, high, counts = float(array.min()), float(array.max()), np.zeros(BINS, np.int64)
    if not (isfinite(low) and isfinite(high)):
        array = array[np.isfinite(array)]
        if not array.size:
            return Histogram(None, None, str(counts.tolist()))
        low, high = float(array.min()), float(array.max())
    backend.histogram(array, low, high, counts)
    return Histogram(low, high, str(counts.tolist()))  # of whole numbers that is JSON, in a fifth of the time
