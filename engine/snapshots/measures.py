"""What is said of one array at one step."""

from typing import NamedTuple

import numpy as np

from engine.params import Vector


class Statistics(NamedTuple):
    """Statistics of one array, as the columns of the table say."""

    mean: float
    deviation: float
    low: float
    high: float
    norm: float
    zeros: float


def statistics(array: Vector) -> Statistics:
    """Return the statistics of `array` [n], n > 0. Where a value is nan or inf, so is what depends on it.

    Sums are taken in float64, where squares of float32 do not overflow.
    """
    with np.errstate(all="ignore"):
        wide = array.astype(np.float64)
        mean, norm = wide.mean(), np.sqrt(wide @ wide)
        wide -= mean
        deviation = np.sqrt(wide @ wide / wide.size)
    zeros = 1 - np.count_nonzero(array != 0) / array.size  # of floats, numpy counts them five times slower
    return Statistics(float(mean), float(deviation), float(array.min()), float(array.max()), float(norm), zeros)
