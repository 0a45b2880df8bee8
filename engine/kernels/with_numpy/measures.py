"""What is said of an array, in numpy."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Counts, Doubles

PIECE = 1 << 16  # values at a time: few enough to stay in cache


def moments(x: Array) -> tuple[float, float, float]:
    wide = x.astype(np.float64)
    mean, norm = float(wide.mean()), sqrt(wide @ wide)
    wide -= mean
    return mean, sqrt(wide @ wide / wide.size), norm


def norm(x: Array) -> float:
    squares = 0.0
    for start in range(0, x.size, PIECE):
        wide = x[start : start + PIECE].astype(np.float64)
        squares += float(wide @ wide)
    return sqrt(squares)


def histogram(x: Array, low: float, high: float, counts: Counts) -> None:
    places = x.astype(np.float64)
    places -= low
    places *= counts.size / (high - low) if high > low else 0.0
    # Several times faster than np.histogram, which sees to it that a value right at an edge is in the upper bin.
    counts += np.bincount(np.minimum(places.astype(np.intp), counts.size - 1), minlength=counts.size)


def total(x: Doubles) -> float:
    return float(x.sum())
