"""The order in which sums over micro-batches are added up."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from engine.kernels.table import Array

T = TypeVar("T")


def in_pairs(sums: Sequence[T], add: Callable[[T, T], T]) -> T:
    """Add up one sum or more: those of both parts, cut at the largest power of two below their number."""
    count = len(sums)
    if count == 1:
        return sums[0]
    middle = 1 << (count - 1).bit_length() - 1
    return add(in_pairs(sums[:middle], add), in_pairs(sums[middle:], add))


def sum_in_pairs(total: Array, work: Array, count: int, compute: Callable[[int, Array], None]) -> None:
    """Let total be the sum of `count` arrays as `in_pairs` adds them up; `compute(number, out)` writes one.

    As many of them wait for their partner as their number has ones in binary: `work` has that many times total's size.
    """

    def level(number: int) -> Array:
        return work[(number - 1) * total.size : number * total.size].reshape(total.shape) if number else total

    for number in range(count):
        at, left = number.bit_count(), number
        compute(number, level(at))
        while left & 1:
            np.add(level(at - 1), level(at), out=level(at - 1))
            at, left = at - 1, left >> 1
    for at in range(count.bit_count() - 1, 0, -1):
        np.add(level(at - 1), level(at), out=level(at - 1))
