"""Sums over the micro-batches of a pass, compiled: in pairs, as `engine.kernels.pairs` says, while they are made.

Sum number n goes to the level that `level_of` gives; `merge` then adds what has become a pair, `merge_rest` what is
left at the end. Level 0 is `total`, the others are in `stack`, which has `levels(count)` times as many values.
"""

from engine.kernels.table import Array
from engine.kernels.with_numba.jit import inner
from engine.kernels.with_numba.loops import increase


@inner
def levels(count: int) -> int:
    """Return how many levels besides `total` the sums of `count` micro-batches may take."""
    found = 0
    while count:
        count, found = count >> 1, found + 1
    return found


@inner
def level_of(number: int) -> int:
    """Return how many ones `number` has in binary: as many sums wait for their partner."""
    ones = 0
    while number:
        ones += number & 1
        number >>= 1
    return ones


@inner
def completed(number: int) -> int:
    """Return how many pairs sum `number` completes: the ones that it ends with in binary."""
    ones = 0
    while number & 1:
        number, ones = number >> 1, ones + 1
    return ones


@inner
def level(total: Array, stack: Array, number: int) -> Array:
    """Return the level `number`."""
    size = total.size
    return total if number == 0 else stack[(number - 1) * size : number * size]


@inner
def merge(total: Array, stack: Array, number: int) -> None:
    """Add up the pairs that sum `number` completes."""
    at = level_of(number)
    for to in range(at - 1, at - 1 - completed(number), -1):
        increase(level(total, stack, to), level(total, stack, to + 1))


@inner
def merge_rest(total: Array, stack: Array, count: int) -> None:
    """Add up what is left of `count` sums."""
    for at in range(level_of(count) - 1, 0, -1):
        increase(level(total, stack, at - 1), level(total, stack, at))
