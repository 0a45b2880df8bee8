"""What the kernels are fed: arrays that are the same everywhere, made of Philox words without rounding anything."""

from functools import cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.kernels.philox import philox
from engine.kernels.streams import halves_of, uniform
from engine.kernels.table import Array, Labels

POOL = 1 << 13  # values that are drawn, and then taken again and again
STRIDE = 11  # between values that are replaced by hard ones
TINY = 2.0**-126  # the smallest normal number
LAST, LARGEST = 2.0**-149, (2 - 2.0**-23) * 2.0**127  # the smallest and the largest float32 above 0
ROUND_ONE = 1.0, -1.0, 1 - 2.0**-24, 1 + 2.0**-23
ENDS = 0.5, 3.92, -3.92, 5.54, -5.55, 40.0, -87.0, 88.7, -104.0, 2.6e20, -2.6e20  # of exp, erf, and squares
ODD = 0.0, -0.0, LAST, -LAST, TINY - LAST, LAST - TINY, TINY, LARGEST, -LARGEST, np.inf, -np.inf, np.nan
HARD: Array = np.array(ROUND_ONE + ENDS + ODD, np.float32)


class Call(NamedTuple):
    """A call of an operation of the table: `arguments` whose values count afterwards, and then `scratch`."""

    operation: str
    arguments: tuple[Any, ...]
    scratch: tuple[NDArray[Any], ...] = ()


class Inputs:
    """Arrays of the next values of the pool, which begins anew when it is used up."""

    def __init__(self) -> None:
        self._at = self._hard = 0

    def values(self, *shape: int, scale: float = 1.0) -> Array:
        """Return values from -1 to 1, times `scale`, a power of two."""
        places = np.arange(self._at, self._at + prod(shape)) % POOL
        self._at = int(places[-1]) + 1
        return (_pool()[places] * np.float32(scale)).reshape(shape)

    def wild(self, *shape: int, scale: float = 1.0) -> Array:
        """Return such values, some of which are replaced by those of HARD."""
        found = self.values(*shape, scale=scale)
        some = found.reshape(-1)[::STRIDE]
        some[:] = np.resize(np.roll(HARD, -self._hard), some.size)
        self._hard = (self._hard + some.size) % HARD.size
        return found

    def few(self, *shape: int) -> Array:
        """Return -1, -0, 0 or 1, so that many are equal."""
        return np.array([-1, -0.0, 0, 1], np.float32)[self.whole(4, *shape)]

    def whole(self, limit: int, *shape: int) -> Labels:
        """Return whole numbers from 0 to limit - 1, int32."""
        scaled = ((self.values(*shape) + np.float32(1)).astype(np.float64) * (limit / 2)).astype(np.int32)
        return np.minimum(scaled, np.int32(limit - 1))


@cache
def _pool() -> Array:
    words = np.empty(POOL // 2, np.uint64)
    philox((0, 0), (1, 0, 0, 0), words)
    return uniform(halves_of(words)) * np.float32(2) - np.float32(1)


def space(*shape: int) -> Array:
    """Return an array to write to."""
    return np.zeros(shape, np.float32)
