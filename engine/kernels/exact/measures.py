"""What is said of an array, exactly."""

from math import sqrt

import numpy as np

from engine.kernels.table import Array, Doubles

LANES = 64


def moments(x: Array) -> tuple[float, float, float]:
    values, squares = _sums(x, 0.0)
    mean = values / x.size
    return mean, sqrt(_sums(x, mean)[1] / x.size), sqrt(squares)


def total(x: Doubles) -> float:
    sum_ = 0.0
    for value in x.tolist():
        sum_ += value  # not `sum`, which newer versions of Python compensate
    return sum_


def _sums(x: Array, origin: float) -> tuple[float, float]:
    """Return the sum of x - origin and that of its squares: value k is added to partial sum k mod 64, then these."""
    found = []
    differences = x.astype(np.float64) - origin
    for values in (differences, differences * differences):
        lanes = np.zeros(LANES)
        for start in range(0, x.size, LANES):
            some = values[start : start + LANES]
            lanes[: some.size] += some
        found.append(total(lanes))
    return found[0], found[1]
