"""What is said of an array, compiled: sums in lanes, so that LLVM vectorises them and yet changes no order."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Counts, Doubles, Labels
from engine.kernels.with_numba.jit import inner, kernel

LANES = 256  # so few that their sums stay in the L1 cache


@kernel
def moments(x: Array) -> tuple[float, float, float]:
    """See the table."""
    sums, squares, deviations = np.zeros((3, LANES))
    for start in range(0, x.size, LANES):
        add_up(x[start : start + LANES], sums, squares)
    mean = sums.sum() / x.size
    for start in range(0, x.size, LANES):
        deviate(x[start : start + LANES], mean, deviations)
    return mean, sqrt(deviations.sum() / x.size), sqrt(squares.sum())


@kernel
def histogram(x: Array, low: float, high: float, counts: Counts) -> None:
    """See the table."""
    scale = counts.size / (high - low) if high > low else 0.0
    places = np.empty(LANES, np.int32)
    for start in range(0, x.size, LANES):
        piece = x[start : start + LANES]
        locate(piece, low, scale, places)
        for k in range(piece.size):
            counts[min(places[k], counts.size - 1)] += 1


@inner
def add_up(x: Array, sums: Doubles, squares: Doubles) -> None:
    """Add values and their squares to the sums of their lanes."""
    for k in range(x.size):
        wide = np.float64(x[k])
        sums[k] += wide
        squares[k] += wide * wide


@inner
def deviate(x: Array, mean: float, deviations: Doubles) -> None:
    """Add squared differences from the mean to the sums of their lanes."""
    for k in range(x.size):
        difference = np.float64(x[k]) - mean
        deviations[k] += difference * difference


@inner
def locate(x: Array, low: float, scale: float, places: Labels) -> None:
    """Set the number of the bin of each value."""
    for k in range(x.size):
        places[k] = np.int32((np.float64(x[k]) - low) * scale)
