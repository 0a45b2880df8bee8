"""What is said of an array, exactly."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Doubles

LANES = 64


def moments(x: Array) -> tuple[float, float, float]:
    mean = _sum(x.astype(np.float64)) / x.size
    differences = x.astype(np.float64) - mean
    return mean, sqrt(_sum(differences * differences) / x.size), norm(x)


def norm(x: Array) -> float:
    wide = x.astype(np.float64)
    return sqrt(_sum(wide * wide))


def total(x: Doubles) -> float:
    sum_ = 0.0
    for value in x.tolist():
        sum_ += value  # not `sum`, which newer versions of Python compensate
    return sum_


def _sum(values: Doubles) -> float:
    """Return the sum of values: value k is added to partial sum k mod 64, then these."""
    lanes = np.zeros(LANES)
    for start in range(0, values.size, LANES):
        some = values[start : start + LANES]
        lanes[: some.size] += some
    return total(lanes)
