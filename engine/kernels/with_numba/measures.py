"""What is said of an array, compiled."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Counts, Labels
from engine.kernels.with_numba.jit import inner, kernel, reduction

PIECE = 1024  # values whose bins are found at a time


@kernel
def moments(x: Array) -> tuple[float, float, float]:
    total, squares = sums(x)
    mean = total / x.size
    return mean, sqrt(deviations(x, mean) / x.size), sqrt(squares)


@kernel
def histogram(x: Array, low: float, high: float, counts: Counts) -> None:
    scale = counts.size / (high - low) if high > low else 0.0
    places = np.empty(PIECE, np.int32)
    for start in range(0, x.size, PIECE):
        piece = x[start : start + PIECE]
        locate(piece, low, scale, places)
        for k in range(piece.size):
            counts[min(places[k], counts.size - 1)] += 1


@reduction
def sums(x: Array) -> tuple[float, float]:
    """Return the sum of the values and that of their squares."""
    total = squares = 0.0
    for k in range(x.size):
        wide = np.float64(x[k])
        total += wide
        squares += wide * wide
    return total, squares


@reduction
def deviations(x: Array, mean: float) -> float:
    """Return the sum of the squared differences from the mean."""
    total = 0.0
    for k in range(x.size):
        difference = np.float64(x[k]) - mean
        total += difference * difference
    return total


@inner
def locate(x: Array, low: float, scale: float, places: Labels) -> None:
    """Set the number of the bin of each value."""
    for k in range(x.size):
        places[k] = np.int32((np.float64(x[k]) - low) * scale)
