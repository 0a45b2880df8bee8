"""What is said of an array, compiled."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Counts, Doubles, Labels
from engine.kernels.with_numba.jit import inner, kernel

LANES = 64  # partial sums: that many are added at once
PIECE = 1024  # values whose bins are found at a time


@kernel
def moments(x: Array) -> tuple[float, float, float]:
    values, squares = sums(x, 0.0)
    mean = values / x.size
    return mean, sqrt(sums(x, mean)[1] / x.size), sqrt(squares)


@kernel
def norm(x: Array) -> float:
    squares = np.zeros(LANES)
    whole = x.size - x.size % LANES
    for start in range(0, whole, LANES):
        add_squares(x[start : start + LANES], squares)
    add_squares(x[whole:], squares)
    return sqrt(total(squares))


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
def sums(x: Array, origin: float) -> tuple[float, float]:
    """Return the sum of x - origin and that of its squares: value k is added to partial sum k mod 64, then these."""
    totals, squares = np.zeros(LANES), np.zeros(LANES)
    whole = x.size - x.size % LANES
    for start in range(0, whole, LANES):
        add_differences(x[start : start + LANES], origin, totals, squares)
    add_differences(x[whole:], origin, totals, squares)
    return total(totals), total(squares)


@inner  # though an operation of the table: `norm` and `sums` call it
def total(x: Doubles) -> float:
    sum_ = 0.0
    for k in range(x.size):
        sum_ += x[k]
    return sum_


@inner
def add_differences(x: Array, origin: float, totals: Doubles, squares: Doubles) -> None:
    """Add each x - origin to its total, and its square to its sum of squares."""
    for k in range(x.size):
        difference = np.float64(x[k]) - origin
        totals[k] += difference
        squares[k] += difference * difference


@inner
def add_squares(x: Array, squares: Doubles) -> None:
    for k in range(x.size):
        value = np.float64(x[k])
        squares[k] += value * value


@inner
def locate(x: Array, low: float, scale: float, places: Labels) -> None:
    """Set the number of the bin of each value."""
    for k in range(x.size):
        places[k] = np.int32((np.float64(x[k]) - low) * scale)
