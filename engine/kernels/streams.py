"""Random numbers: streams of Philox words, each at a place of its own, and what is made of the words.

Everything random is computed from a key and a counter, so that any process can compute any step's numbers without
having seen the step before. The key is (seed, purpose), the counter (block, branch, number, step); blocks count from 1,
and what a purpose does not need is 0:

    purpose          number          step    branch
    HELD_OUT         -               -       -
    MICROBATCH       micro-batch     step    0: augmentation; 1 + place of a Dropout among the layers: its mask
    ORDER            epoch           -       -
    LETTERS          500 letters     -       -
    PARAMETERS       array           -       -
    TRIAL            trial           -       -

docs/arithmetic.md says the rest.
"""

from collections.abc import Callable
from enum import IntEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

from engine.kernels.philox import BLOCK, philox
from engine.kernels.table import Counter, Key, Words

Fill = Callable[[Key, Counter, Words], None]


class Purpose(IntEnum):
    """What random numbers are for: those of two purposes never meet."""

    HELD_OUT = 0
    MICROBATCH = 1
    ORDER = 2
    LETTERS = 3
    PARAMETERS = 4
    TRIAL = 5


class Stream:
    """The random words of one place, drawn in order. `fill` is any backend's `philox`: all give the same words.

    `seed` is 0 .. 2^63 - 1, and so are `number` and `step`.
    """

    def __init__(self, seed: int, purpose: Purpose, number: int = 0, step: int = 0, fill: Fill = philox) -> None:
        self.key: Key = (seed, int(purpose))
        self._place = number, step
        self._fill = fill
        self._at = 0  # words drawn

    def counter(self, block: int, branch: int) -> Counter:
        """Return the counter of a block, from 0, of a branch: for one who fills a buffer of his own."""
        return (1 + block, branch, *self._place)

    def words(self, count: int) -> Words:
        """Return the next `count` words, uint64."""
        block, skipped = divmod(self._at, BLOCK)
        words = np.empty(-(-(skipped + count) // BLOCK) * BLOCK, np.uint64)
        self._fill(self.key, self.counter(block, 0), words)
        self._at += count
        return words[skipped : skipped + count]

    def halves(self, count: int) -> NDArray[np.uint32]:
        """Return the halves of the next words, uint32 [count], the low one of each first; an odd one is dropped."""
        return halves_of(self.words(-(-count // 2)))[:count]

    def uniform(self, *shape: int) -> NDArray[np.float32]:
        """Return float32 from 0 to 1, 1 excluded: multiples of 2^-24, one from each half of a word."""
        return uniform(self.halves(prod(shape))).reshape(shape)

    def doubles(self, *shape: int) -> NDArray[np.float64]:
        """Return float64 from 0 to 1, 1 excluded: multiples of 2^-53, one from each word."""
        found: NDArray[np.float64] = (self.words(prod(shape)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return found.reshape(shape)

    def below(self, limit: int, *shape: int) -> NDArray[np.int64]:
        """Return whole numbers from 0 to limit - 1, limit up to 2^32: floor(half * limit / 2^32), int64.

        Some are likelier than others by limit / 2^32 at most.
        """
        scaled = self.halves(prod(shape)).astype(np.uint64) * np.uint64(limit)
        return (scaled >> np.uint64(32)).astype(np.int64).reshape(shape)


def halves_of(words: Words) -> NDArray[np.uint32]:
    """Return the halves of words, the low one of each first."""
    return words.astype("<u8", copy=False).view("<u4").astype(np.uint32, copy=False)


def uniform(halves: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Return the upper 24 bits of each half, times 2^-24."""
    return (halves >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
