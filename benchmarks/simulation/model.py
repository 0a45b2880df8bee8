"""What is computed in a simulated cluster: sums of whole numbers, which are exact in any order; and what it takes."""

from dataclasses import dataclass, replace

import numpy as np

from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.compute.tree import Block
from engine.data import Dataset, Normalisation, Split, cache
from engine.nn.layers import Dense, Flatten
from engine.nn.model import Model
from engine.nn.parameters import Vector
from engine.wire.messages import Work

MODEL = Model((Flatten(), Dense(64)), shape=(2, 2, 1))  # it has more parameters than there are machines
SIZE = MODEL.layout().size
MICROBATCH = 16
TEST = 64
NO_TALLY = Normalisation((0.0,), (1.0,))  # of targets: what is predicted has no classes to count


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes; see `benchmarks/README.md`."""

    microbatch: float = 0.005  # 16 images on one of 16 busy processes
    noise: float = 0.05  # of that, deviation
    vector: int = 548_712
    remote: float = 0.000067  # of the thread that sends or takes a message to or from another machine, and decides
    carry: float = 0.000019  # of ZeroMQ's thread, at either end, for each of these
    byte: float = 0.68e-9  # and for each of its bytes, with keys: it encrypts
    local: float = 0.0000325  # a relay's for each message to or from one of its processes
    wake: float = 0.0003  # from one process to another of the same machine
    latency: float = 0.0001  # of the network
    add: float = 0.00012  # adding two vectors
    step: float = 0.0015  # the optimizer, and what else a step takes


def without_keys(costs: Costs) -> Costs:
    """Return what it takes where nothing is encrypted."""
    return replace(costs, byte=0.14e-9)


def job(images: int) -> Job:
    """Return a job with batches of `images`, one an epoch; its data is in the cache."""
    rng = np.random.default_rng(0)
    train, test = (Split(rng.integers(0, 256, (n, 2, 2, 1), np.uint8), np.zeros(n, np.int32)) for n in (images, TEST))
    data = Dataset("simulated", ("a", "b"), train, test)
    return Job(MODEL, cache.store(data), Normalisation((0.0,), (1.0,)), images, MICROBATCH, 1, False, NO_TALLY)


def sums(step: int, block: Block, parameters: Vector) -> Sums:
    """Return the sums of a block: whole numbers below 2^24, which float32 adds exactly."""
    numbers = np.arange(*block)[:, None]
    leaves = (numbers * 7 + step * 13 + np.arange(SIZE)) % 101 + parameters.astype(np.int64)
    return Sums(float(leaves[:, 0].sum()), 0, leaves.sum(0).astype(np.float32))


def bytes_of(found: Sums) -> bytes:
    """Return the bytes of the gradient; b"" without one."""
    return b"" if found.gradient is None else found.gradient.tobytes()


class Arbiter:
    """Computes blocks in the coordinator, or a relay."""

    def __init__(self, *_: object) -> None:
        pass

    def prove(self, nonce: int) -> str:
        return ""

    def __call__(self, work: Work, block: Block, parameters: Vector) -> Sums:
        found = sums(work.step, block, parameters)
        return found if work.kind == 0 else replace(found, gradient=None)
