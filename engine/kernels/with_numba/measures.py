"""What is said of an array, compiled."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Counts, Doubles, Labels
from engine.kernels.with_numba.jit import inner, kernel

PIECE = 1024  # values whose bins are found at a time
LANES = 8  # sums are taken in as many parts, for LLVM to vectorise: value k goes to part k mod 8


@kernel
def moments(x: Array) -> tuple[float, float, float]:
    values, squares = sums(x)
    mean = values / x.size
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


@inner
def sums(x: Array) -> tuple[float, float]:
    """Return the sum of the values and that of their squares."""
    totals, squares = np.zeros(LANES), np.zeros(LANES)
    for start in range(0, x.size, LANES):
        for j in range(min(LANES, x.size - start)):
            wide = np.float64(x[start + j])
            totals[j] += wide
            squares[j] += wide * wide
    return total(totals), total(squares)


@inner
def deviations(x: Array, mean: float) -> float:
    """Return the sum of the squared differences from the mean."""
    squares = np.zeros(LANES)
    for start in range(0, x.size, LANES):
        for j in range(min(LANES, x.size - start)):
            difference = np.float64(x[start + j]) - mean
            squares[j] += difference * difference
    return total(squares)


@kernel
def total(x: Doubles) -> float:
    sum_ = 0.0
    for k in range(x.size):
        sum_ += x[k]
    return sum_


@inner
def locate(x: Array, low: float, scale: float, places: Labels) -> None:
    """Set the number of the bin of each value."""
    for k in range(x.size):
        places[k] = np.int32((np.float64(x[k]) - low) * scale)
