"""Blocks in question: which are audited, and when the answers of several workers decide."""

import hashlib
import struct
from collections import Counter
from dataclasses import dataclass, field

from engine.compute.tree import Block

AGREE = 2  # workers whose bits must be the same


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


@dataclass
class Ballot:
    """What is known about a block in question. `votes`: bits by worker; `asked`: those expected to answer in time."""

    votes: dict[bytes, str] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    arbitrated: bool = False  # the coordinator computes it

    def wanted(self) -> int:
        """Return how many more workers must be asked so that two may agree; 0 or less if none."""
        agreed = max(Counter(self.votes.values()).values(), default=0)
        return 0 if self.arbitrated else AGREE - agreed - len(self.asked)

    def may_ask(self, worker: bytes) -> bool:
        """Return whether the worker's opinion would be a new one."""
        return worker not in self.votes and worker not in self.asked

    def vote(self, worker: bytes, bits: str) -> bool:
        """Add the opinion of a worker; return whether its bits are now decided to be right."""
        self.asked.discard(worker)
        self.votes[worker] = bits
        return sum(other == bits for other in self.votes.values()) >= AGREE

    def against(self, bits: str) -> list[bytes]:
        """Return the workers that sent other bits."""
        return [worker for worker, other in self.votes.items() if other != bits]
