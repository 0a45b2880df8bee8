"""Blocks in question: which are audited, and when the answers of several workers decide."""

import hashlib
import struct
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from engine.compute.tree import Block

AGREE = 2  # voices whose bits must be the same


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
    """Return whose opinion a worker's is where all are on one machine: its own."""
    return worker


@dataclass
class Ballot:
    """What is known about a block in question. `votes`: bits by worker; `asked`: those expected to answer in time.

    `voice`: whose opinion a worker's is. Where there are workers on several machines it is the machine's: what is wrong
    with one may be wrong for all workers on it.
    """

    voice: Callable[[bytes], Hashable] = itself
    votes: dict[bytes, str] = field(default_factory=dict)
    asked: set[bytes] = field(default_factory=set)
    arbitrated: bool = False  # the coordinator computes it

    def wanted(self) -> int:
        """Return how many more workers must be asked so that two voices may agree; 0 or less if none."""
        if self.arbitrated:
            return 0
        agreed = max((self._agreed(bits) for bits in set(self.votes.values())), default=0)
        return AGREE - agreed - len(self._voices(self.asked) - self._voices(self.votes))

    def may_ask(self, worker: bytes) -> bool:
        """Return whether the worker's opinion would be a new one."""
        voice = self.voice(worker)
        return voice not in self._voices(self.votes) and voice not in self._voices(self.asked)

    def vote(self, worker: bytes, bits: str) -> bool:
        """Add the opinion of a worker; return whether its bits are now decided to be right."""
        self.asked.discard(worker)
        self.votes[worker] = bits
        return self._agreed(bits) >= AGREE

    def decided(self) -> bool:
        """Return whether two voices agree."""
        return any(self._agreed(bits) >= AGREE for bits in self.votes.values())

    def against(self, bits: str) -> list[bytes]:
        """Return the workers that sent other bits."""
        return [worker for worker, other in self.votes.items() if other != bits]

    def supporter(self, bits: str) -> bytes | None:
        """Return a worker that sent these bits, if there is one."""
        return next((worker for worker, other in self.votes.items() if other == bits), None)

    def _agreed(self, bits: str) -> int:
        """Return how many voices are for `bits`."""
        return len(self._voices(worker for worker, other in self.votes.items() if other == bits))

    def _voices(self, workers: Iterable[bytes]) -> set[Hashable]:
        return {self.voice(worker) for worker in workers}
