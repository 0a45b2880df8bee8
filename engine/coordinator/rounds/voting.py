"""Blocks in question: which are audited, and when the answers of several workers decide."""

import hashlib
import struct
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from engine.compute.tree import Block

AGREE = 2  # voters whose bits must be the same


@dataclass(frozen=True)
class Audit:
    """Chooses this fraction of the blocks; depends on seed, step and block only."""

    fraction: float
    seed: int
    step: int

    def chooses(self, block: Block) -> bool:
        """Return whether `block` is to be audited."""
        key = struct.pack("<4Q", self.seed, self.step, *block)
        number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")
        return number < self.fraction * 2.0**64


def itself(worker: bytes) -> Hashable:
    """Return who votes with a worker's answer where all are on one machine: the worker."""
    return worker


@dataclass
class Ballot:
    """What is known about a block in question. `votes`: bits by worker; `asked`: those expected to answer in time.

    `voter` returns the voter of a worker's answer: the worker itself or, where workers are on several machines, its
    machine, since a fault of the machine may affect all workers on it.
    """

    voter: Callable[[bytes], Hashable] = itself
    votes: dict[bytes, str] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    arbitrated: bool = False  # the coordinator computes it

    def wanted(self) -> int:
        """Return how many more workers must be asked so that two voters may agree; 0 or less if none."""
        if self.arbitrated:
            return 0
        agreed = max((self.agreed(bits) for bits in set(self.votes.values())), default=0)
        return AGREE - agreed - len(self._voters(self.asked) - self._voters(self.votes))

    def may_ask(self, worker: bytes) -> bool:
        """Return whether nobody who votes with this worker has voted or been asked."""
        voter = self.voter(worker)
        return voter not in self._voters(self.votes) and voter not in self._voters(self.asked)

    def vote(self, worker: bytes, bits: str) -> bool:
        """Add the opinion of a worker; return whether its bits are now decided to be right."""
        self.asked.discard(worker)
        self.votes[worker] = bits
        return self.agreed(bits) >= AGREE

    def against(self, bits: str) -> list[bytes]:
        """Return the workers that sent other bits."""
        return [worker for worker, other in self.votes.items() if other != bits]

    def supporter(self, bits: str) -> bytes | None:
        """Return a worker that sent these bits, if there is one."""
        return next((worker for worker, other in self.votes.items() if other == bits), None)

    def agreed(self, bits: str) -> int:
        """Return how many voters are for `bits`."""
        return len(self._voters(worker for worker, other in self.votes.items() if other == bits))

    def _voters(self, workers: Iterable[bytes]) -> set[Hashable]:
        return {self.voter(worker) for worker in workers}
