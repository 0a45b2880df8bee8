"""Philox4x64-10, a random function of a key and a counter, in integers of numpy.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011, sections 3.2 and 4.
"""

import numpy as np
from numpy.typing import NDArray

from engine.kernels.table import Counter, Key, Words

MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B  # what the key grows by from round to round
ROUNDS = 10
BLOCK = 4  # words made from one counter

_HALF = np.uint64(32)
_LOW = np.uint64((1 << 32) - 1)


def philox(key: Key, counter: Counter, words: Words) -> None:
    """Fill `words`: see `table.Backend`."""
    count = len(words) // BLOCK
    first, second, third, fourth = (np.uint64(word) for word in counter)
    # A counter a, b, c, d in two arrays: a and c are multiplied, b and d are not.
    factors = np.stack([first + np.arange(count, dtype=np.uint64), np.full(count, third)])
    others = np.stack([np.full(count, second), np.full(count, fourth)])
    multipliers, steps = (np.array(pair, np.uint64)[:, None] for pair in (MULTIPLIERS, STEPS))
    keys = np.array(key, np.uint64)[:, None]
    for _ in range(ROUNDS):
        high, low = _product(multipliers, factors)
        factors, others = high[::-1] ^ others ^ keys, low[::-1]
        keys = keys + steps
    blocks = words.reshape(count, BLOCK)
    blocks[:, 0::2], blocks[:, 1::2] = factors.T, others.T


def _product(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the high and the low 64 bits of a * b, from products of halves."""
    a_high, a_low, b_high, b_low = a >> _HALF, a & _LOW, b >> _HALF, b & _LOW
    first = a_high * b_low + ((a_low * b_low) >> _HALF)
    second = a_low * b_high + (first & _LOW)
    return a_high * b_high + (first >> _HALF) + (second >> _HALF), a * b
