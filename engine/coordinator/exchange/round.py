"""What the members of an exchange have sent in one round."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from engine.compute import tree
from engine.compute.sums import Sums, add
from engine.coordinator.exchange.roster import RosterEntry
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import exchange
from engine.wire.messages import Frame
from engine.wire.shared_memory import FLOAT


class ExchangeRound:
    """A round of `total` micro-batches with vectors of `size` numbers among `members`, of the roster `roster`.

    `in_parts`: so are the parameters sent; else each member has them, or is sent all of them.
    """

    def __init__(self, roster: int, members: Sequence[RosterEntry], total: int, size: int, in_parts: bool) -> None:
        self.roster = roster
        self.members = {one.peer: one.number for one in members}  # in the order of their parts
        self.in_parts = in_parts
        self.unsummed: set[bytes] = set()  # those that have not sent sums that they were asked for
        self._parts = {peer: exchange.part(size, len(members), i) for i, peer in enumerate(self.members)}
        self._size = size
        self._totals = tree.TreeSum(total, add)  # loss and correct answers
        self._answers: list[exchange.Answer] = []
        self._vectors: dict[tree.Block, Vector] = {}

    def part(self, peer: bytes) -> slice:
        """Return which numbers of a vector are the part of a member."""
        return self._parts[peer]

    def count(self, block: tree.Block, peer: bytes, sums: Sums) -> None:
        """Count the answer of a member for a block."""
        self._answers.append((block, self.members[peer]))
        self._totals.put(block, sums)

    def ask(self) -> bytes | None:
        """Expect the sums of what was counted, and return the payload that asks for them; None if nothing was."""
        if not self._answers:
            return None
        self.unsummed = set(self.members)
        self._vectors = {node: np.empty(self._size, FLOAT) for node in self._totals.nodes()}
        return exchange.pack_answers(self._answers)

    def take(self, peer: bytes, payload: Frame | None) -> None:
        """Take a member's part of the sums; ProtocolError if that is not one, or was not asked for."""
        own = self._parts[peer]
        width = own.stop - own.start
        if peer not in self.unsummed or payload is None or len(payload) != FLOAT.itemsize * width * len(self._vectors):
            raise ProtocolError("SUM has another size than was asked for, or was not asked for")
        parts = np.frombuffer(payload, FLOAT).reshape(len(self._vectors), width)
        for vector, part in zip(self._vectors.values(), parts, strict=True):
            vector[own] = part
        self.unsummed.remove(peer)

    def sums(self) -> Iterator[tuple[tree.Block, Sums]]:
        """Yield what was added up, once all have sent their parts."""
        for node, vector in self._vectors.items():
            yield node, replace(self._totals.take(node), gradient=vector)
