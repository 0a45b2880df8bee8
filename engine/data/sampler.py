"""The order of samples, and the random streams that dropout and augmentation draw from.

Everything random is computed from a Philox counter (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
easy as 1, 2, 3", 2011), so that any process can compute any step's numbers without having seen the step before:

    stream of a micro-batch       key (seed, 1)    counter (0, 0, microbatch, step)
    order of an epoch             key (seed, 2)    counter (0, 0, epoch, 0)

Drawing advances the first two words of the counter, so 2^128 draws lie between any two streams.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import SettingsError

_STREAM, _ORDER = 1, 2


def stream(seed: int, step: int, microbatch: int) -> np.random.Generator:
    """Return the generator of one micro-batch: independent of every other (seed, step, micro-batch).

    `seed` is 0 .. 2^63 - 1 (else SettingsError); `step` and `microbatch` are 0 .. 2^64 - 1.
    """
    return np.random.Generator(_philox(seed, _STREAM, microbatch, step))


class Sampler:
    """Cuts epochs of `n` samples into batches: each epoch a new order, nothing dropped, nothing repeated.

    Steps count from 1, epochs from 0. The order of an epoch depends on (n, seed, epoch) and nothing else; the last
    batch of an epoch is smaller if `batch_size` does not divide `n`. Raises SettingsError for sizes below 1.
    """

    def __init__(self, n: int, batch_size: int, seed: int) -> None:
        if n < 1:
            raise SettingsError(f"{n} samples cannot be sampled; at least one is needed")
        if batch_size < 1:
            raise SettingsError(f"batch size {batch_size}: it must be at least 1")
        _check_seed(seed)
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches in an epoch, the last and smaller one included."""
        return -(-self.n // self.batch_size)

    def epoch_of(self, step: int) -> int:
        """Return the epoch, from 0, that `step`, from 1, belongs to; SettingsError for a step below 1."""
        if step < 1:
            raise SettingsError(f"step {step}: steps count from 1")
        return (step - 1) // self.steps_per_epoch

    def indices(self, step: int) -> NDArray[np.int64]:
        """Return which samples make up the batch of `step`: int64 [batch size or less], read-only."""
        epoch = self.epoch_of(step)
        if epoch != self._epoch:
            self._order = _permutation(self.n, self.seed, epoch)
            self._epoch = epoch
        start = (step - 1) % self.steps_per_epoch * self.batch_size
        return self._order[start : start + self.batch_size]


def _permutation(n: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Order 0 .. n-1 by n random 64-bit keys (ties, of probability n^2 / 2^65, keep their order).

    Raw Philox words are the same in every version of numpy, which Generator.permutation does not promise (NEP 19).
    """
    keys = _philox(seed, _ORDER, epoch, 0).random_raw(n)
    order = np.argsort(keys, kind="stable").astype(np.int64, copy=False)
    order.flags.writeable = False
    return order


def _philox(seed: int, purpose: int, third: int, fourth: int) -> np.random.Philox:
    _check_seed(seed)
    key = np.array([seed, purpose], np.uint64)
    return np.random.Philox(key=key, counter=np.array([0, 0, third, fourth], np.uint64))


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 1 << 63:
        raise SettingsError(f"seed {seed}: it must be from 0 to 2^63 - 1")
