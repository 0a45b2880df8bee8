"""The order of samples, and the random streams that dropout and augmentation draw from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.errors import SettingsError
from engine.kernels.philox import philox
from engine.kernels.streams import Fill, Purpose, Stream


def stream(seed: int, step: int, microbatch: int, fill: Fill = philox) -> Stream:
    """Return the random numbers of one micro-batch: independent of every other (seed, step, micro-batch).

    `seed` is 0 .. 2^63 - 1 (else SettingsError), as are `step` and `microbatch`; `fill` is a backend's `philox`.
    """
    _check_seed(seed)
    return Stream(seed, Purpose.MICROBATCH, microbatch, step, fill)


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
    """Order 0 .. n-1 by n random 64-bit keys (ties, of probability n^2 / 2^65, keep their order)."""
    keys = Stream(seed, Purpose.ORDER, epoch).words(n)
    order = np.argsort(keys, kind="stable").astype(np.int64, copy=False)
    order.flags.writeable = False
    return order


def _check_seed(seed: int) -> None:
    if not 0 <= seed < 1 << 63:
        raise SettingsError(f"seed {seed}: it must be from 0 to 2^63 - 1")
