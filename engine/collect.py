"""Collects the block sums of one round: checks what a worker sent, and adds it up in the order of the tree."""

import hashlib
import math
import struct
import time
from dataclasses import replace

import numpy as np

from engine import messages as m
from engine import plan
from engine.errors import ProtocolError
from engine.evaluate import Sums
from engine.nn.parameters import Vector, all_finite


class Collector:
    """The sums of a round of `samples` samples. In training the summed gradient ends up in `out`."""

    def __init__(self, samples: int, microbatch: int, out: Vector | None) -> None:
        self.total = plan.microbatches(samples, microbatch)
        self._samples = samples
        self._microbatch = microbatch
        self._out = out
        self._tree = plan.TreeSum(self.total, _Adder(out))
        self.seconds = 0.0  # spent on adding up

    def images(self, block: plan.Block) -> int:
        """Return how many samples `block` has."""
        return min(block[1] * self._microbatch, self._samples) - block[0] * self._microbatch

    def check(self, result: m.Result, payload: m.Frame | None) -> Sums:
        """Return the sums that a worker sent; ProtocolError if they cannot be sums of a block of this round."""
        block = (result.start, result.stop)
        if not plan.is_block(block, self.total) or result.correct > self.images(block):
            raise ProtocolError(f"block {block} with {result.correct} correct answers is impossible in this round")
        expected = 0 if self._out is None else self._out.nbytes
        size = 0 if payload is None else len(payload)
        if size != expected:
            raise ProtocolError(f"a gradient of {size} bytes, where {expected} are expected")
        gradient = None if payload is None else np.frombuffer(payload, "<f4")
        return Sums(result.loss, result.correct, gradient)

    def put(self, block: plan.Block, sums: Sums) -> None:
        """Count the sums of `block`, which must not have been counted before."""
        began = time.perf_counter()
        self._tree.put(block, sums)
        self.seconds += time.perf_counter() - began

    def result(self) -> Sums:
        """Return the sums over the whole round, once every block has been counted."""
        sums = self._tree.result()
        if self._out is not None and sums.gradient is not None and sums.gradient is not self._out:
            np.copyto(self._out, sums.gradient)  # a single block: nothing was added
        return replace(sums, gradient=self._out)


class _Adder:
    """Adds sums, and reuses vectors that are no longer needed; not part of `Collector`, which would be a cycle."""

    def __init__(self, out: Vector | None) -> None:
        self._out = out
        self._free = [] if out is None else [out]

    def __call__(self, a: Sums, b: Sums) -> Sums:
        if a.gradient is None or b.gradient is None:
            return Sums(a.loss + b.loss, a.correct + b.correct)
        target = self._target(a.gradient, b.gradient)
        with np.errstate(all="ignore"):  # what is no longer finite is noticed in the sum, with a better message
            np.add(a.gradient, b.gradient, out=target)
        return Sums(a.loss + b.loss, a.correct + b.correct, target)

    def _target(self, *gradients: Vector) -> Vector:
        """Choose where to write a sum: over a vector written here before, best of all over the round's own."""
        mine = [x for x in gradients if x.flags.writeable]  # what was received is read-only
        if not mine:
            return self._free.pop() if self._free else np.empty_like(gradients[0])
        target = next((x for x in mine if x is self._out), mine[0])
        self._free.extend(x for x in mine if x is not target)
        return target


def is_finite(sums: Sums, thorough: bool = True) -> bool:
    """Tell whether the loss and, if it is to be `thorough`, every value of the gradient are finite."""
    return math.isfinite(sums.loss) and (not thorough or sums.gradient is None or all_finite(sums.gradient))


def bits_of(sums: Sums) -> str:
    """Return a digest of every bit of `sums`, one nan being like another."""
    gradient = np.empty(0, np.float32) if sums.gradient is None else sums.gradient
    if not is_finite(sums):
        gradient = np.where(np.isnan(gradient), np.float32(np.nan), gradient)
    loss = math.nan if math.isnan(sums.loss) else sums.loss
    digest = hashlib.blake2b(struct.pack("<dq", loss, sums.correct), digest_size=16)
    digest.update(gradient.tobytes())
    return digest.hexdigest()
