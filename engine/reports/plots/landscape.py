"""The landscapes of `gradsum demo hill`, with their gradients, and the descent of an optimizer on one of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from engine.nn.optimizers import Optimizer
from engine.nn.parameters import aligned

Point = NDArray[np.float64]


@dataclass(frozen=True)
class Landscape:
    """A function of a point [D], its gradient [D], and its lowest point [D]."""

    height: Callable[[Point], float]
    slope: Callable[[Point], Point]
    lowest: tuple[float, ...]


FLAT, LOW, _LEVEL = 1.5, 3.0, 0.005


def _hill(point: Point) -> float:
    u = float(point[0]) - FLAT
    width = LOW - FLAT
    return u**4 / 4 - width * u**3 / 3 + _LEVEL * (u * u / 2 - width * u)


def _hill_slope(point: Point) -> Point:
    """Return (u^2 + level) (x - 3), u = x - 1.5: all but flat at x = 1.5, and ever steeper away from it."""
    u = float(point[0]) - FLAT
    return np.array([(u * u + _LEVEL) * (u - (LOW - FLAT))])


# A shelf at x = 1.5 with hardly any slope, and a narrow pit behind it, lowest at x = 3.
HILL = Landscape(_hill, _hill_slope, (LOW,))

_STEEP, _GENTLE = 4.0, 0.15


def _valley(point: Point) -> float:
    x, y = float(point[0]), float(point[1])
    across = y - sin(x)
    return _STEEP * across * across / 2 + _GENTLE * x * x / 2


def _valley_slope(point: Point) -> Point:
    x, y = float(point[0]), float(point[1])
    across = _STEEP * (y - sin(x))
    return np.array([-across * cos(x) + _GENTLE * x, across])


# A winding valley with steep sides, whose floor falls gently to (0, 0).
VALLEY = Landscape(_valley, _valley_slope, (0.0, 0.0))


def descend(optimizer: Optimizer, landscape: Landscape, start: Sequence[float], steps: int) -> Point:
    """Return the points [steps + 1, D] that the optimizer visits from `start`; it works in float32, as in training."""
    size = len(start)
    here, gradient = aligned(size), aligned(size)
    here[:] = start
    state = optimizer.start(size)
    path = np.empty((steps + 1, size))
    path[0] = here
    for step in range(1, steps + 1):
        gradient[:] = landscape.slope(here.astype(np.float64))
        state.step(here, gradient, 1.0)
        path[step] = here
    return path
