"""Sums over samples, and adding them up."""

import hashlib
import math
import struct
from dataclasses import dataclass

import numpy as np

from engine.nn.parameters import Vector, norm


@dataclass(frozen=True)
class Sums:
    """Totals over samples: the loss (float64), correct answers, and in training the gradient."""

    loss: float
    correct: int
    gradient: Vector | None = None


def add(a: Sums, b: Sums) -> Sums:
    """Add `b` to `a`; the gradient is added in place, into `a`'s."""
    if a.gradient is not None and b.gradient is not None:
        with np.errstate(all="ignore"):  # what is no longer finite is noticed in the whole sum
            np.add(a.gradient, b.gradient, out=a.gradient)
    return Sums(a.loss + b.loss, a.correct + b.correct, a.gradient)


class Adder:
    """Adds sums, and reuses vectors that are no longer needed."""

    def __init__(self, out: Vector | None) -> None:
        self._out = out
        self._free = [] if out is None else [out]

    def __call__(self, a: Sums, b: Sums) -> Sums:
        """Return a + b; it may overwrite either gradient."""
        if a.gradient is None or b.gradient is None:
            return Sums(a.loss + b.loss, a.correct + b.correct)
        target = self._target(a.gradient, b.gradient)
        with np.errstate(all="ignore"):  # what is no longer finite is noticed in the sum, with a better message
            np.add(a.gradient, b.gradient, out=target)
        return Sums(a.loss + b.loss, a.correct + b.correct, target)

    def give_back(self, *gradients: Vector | None) -> None:
        """Let vectors that were written here be written over: nobody needs them any more."""
        self._free.extend(x for x in gradients if x is not None and x.flags.writeable)

    def _target(self, *gradients: Vector) -> Vector:
        """Choose where to write a sum: over a vector written here before, best of all over the round's own."""
        mine = [x for x in gradients if x.flags.writeable]  # what was received is read-only
        if not mine:
            return self._free.pop() if self._free else np.empty_like(gradients[0])
        target = next((x for x in mine if x is self._out), mine[0])
        self._free.extend(x for x in mine if x is not target)
        return target


def is_finite(sums: Sums) -> bool:
    """Tell whether the loss and every value of the gradient are finite."""
    return math.isfinite(sums.loss) and (sums.gradient is None or math.isfinite(norm(sums.gradient)))


def bits_of(sums: Sums) -> str:
    """Return a digest of every bit of `sums`, one nan being like another."""
    gradient = np.empty(0, np.float32) if sums.gradient is None else sums.gradient
    if not is_finite(sums):
        gradient = np.where(np.isnan(gradient), np.float32(np.nan), gradient)
    loss = math.nan if math.isnan(sums.loss) else sums.loss
    digest = hashlib.blake2b(struct.pack("<dq", loss, sums.correct), digest_size=16)
    digest.update(gradient.tobytes())
    return digest.hexdigest()
