"""Masks of dropout in numpy."""

import numpy as np

from engine.kernels.philox import BLOCK, philox
from engine.kernels.streams import halves_of, uniform
from engine.kernels.table import Array, Counter, Key


def dropout_mask(key: Key, counter: Counter, rate: float, mask: Array) -> None:
    N, F = mask.shape
    words = np.empty((N, -(-F // (2 * BLOCK)) * BLOCK), np.uint64)
    philox(key, counter, words.reshape(-1))
    np.greater_equal(uniform(halves_of(words)[:, :F]), np.float32(rate), out=mask)
    np.multiply(mask, np.float32(1 / (1 - rate)), out=mask)
