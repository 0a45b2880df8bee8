"""Adding up by workers: the one that finishes the second of two sibling blocks forms their sum, and so on up the tree.

A word for each node says where its sum is, once there is one, and in which round: a worker that reads the word sees the
sum (`Backend.publish`, `Backend.look`). Two that finish at the same moment may both form a sum, or neither: nothing
depends on it, as the coordinator adds what it is not told of. Sums are formed in places that nothing else is written
to in the round, since others may be reading; and what is read after its round is over counts for nothing.
"""

import hashlib
from functools import lru_cache

import numpy as np

from engine.compute import tree
from engine.kernels import Backend
from engine.wire import messages as m
from engine.wire.shared_memory import PLACES
from workers.shared_memory import WorkerMemory

# A word: the round, in bits that no other round has, above the worker and its slot.
WORKER_BITS, SLOT_BITS = 12, 4
LOCATION_BITS = WORKER_BITS + SLOT_BITS
ROUND_MASK = (1 << 63 - LOCATION_BITS) - 1


class Additions:
    """Forms sums in the part of shared memory that one worker has."""

    def __init__(self, memory: WorkerMemory, backend: Backend) -> None:
        self._memory = memory
        self._backend = backend

    def add_up(self, work: m.Work, block: tree.Block, slot: int, place: int) -> int:
        """Tell the others that the gradient of `block` is in `slot`, and return how many sums above it were formed.

        They are in the slots from `place` on.
        """
        look, words = self._backend.look, self._memory.words
        round_, first = round_mark(work.session, work.round), place
        gradient = self._memory.gradient(slot)
        self._publish(block, round_, slot)
        for sibling, parent in tree.above(block, work.total):
            word = look(words, tree.number(sibling))
            if word >> LOCATION_BITS != round_ or place > PLACES:
                break
            worker, theirs = (word >> SLOT_BITS) & ((1 << WORKER_BITS) - 1), word & ((1 << SLOT_BITS) - 1)
            other = self._memory.gradient_of(worker, theirs)
            if other is None:
                break
            left, right = (gradient, other) if block < sibling else (other, gradient)
            out = self._memory.gradient(place)
            with np.errstate(all="ignore"):  # what is no longer finite is noticed in the whole sum
                np.add(left, right, out=out)
            self._publish(parent, round_, place)
            block, gradient, place = parent, out, place + 1
        return place - first

    def _publish(self, node: tree.Block, round_: int, slot: int) -> None:
        word = round_ << LOCATION_BITS | self._memory.worker << SLOT_BITS | slot
        self._backend.publish(self._memory.words, tree.number(node), word)


def round_mark(session: str, number: int) -> int:
    """Return the bits of a round that no other round has, of this session or another."""
    return (_beginning(session) + number) & ROUND_MASK


@lru_cache(16)
def _beginning(session: str) -> int:
    return int.from_bytes(hashlib.blake2b(session.encode(), digest_size=8).digest(), "little")
