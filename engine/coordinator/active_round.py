"""The round in progress, as the coordinator sees it: what it sends, and what has come back."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from engine.compute import tree
from engine.coordinator.exchange.round import ExchangeRound
from engine.coordinator.membership import Done
from engine.coordinator.reduction import Reduction
from engine.coordinator.rounds import Assign
from engine.nn.parameters import Vector
from engine.wire import frame_of
from engine.wire import messages as m
from engine.wire.shared_memory import SLOTS


@dataclass
class ActiveRound:
    """`work` is the message of each share but for what differs; `busy` has the seconds that each worker computed.

    `twice`: two workers must agree on every block. `adding`: workers that share memory may form sums. `may_exchange`:
    relays may send each other parts of vectors, which they do if there is an `exchange`. `spoilt`: why it must begin
    again, without. `credited`: of which micro-batches somebody has been credited with the images. `expelled`: names of
    workers that sent wrong bits. `counted`: who did what for which block.
    """

    work: m.Work
    parameters: Vector
    sums: Reduction
    twice: bool = False
    adding: bool = False
    may_exchange: bool = False
    shared_out: bool = False
    exchange: ExchangeRound | None = None
    spoilt: str = ""
    failures: int = 0
    done: bool = False
    expelled: list[str] = field(default_factory=list)
    began: float = 0.0  # by the monotonic clock
    busy: defaultdict[bytes, float] = field(default_factory=lambda: defaultdict(float))
    counted: list[tuple[tree.Block, Done]] = field(default_factory=list)
    credited: bytearray = field(default_factory=bytearray)
    _slots: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # in use, by part
    _frame: m.Frame = None

    def __post_init__(self) -> None:
        self._given = bytearray(self.work.total)  # which micro-batches have been given out
        self.credited = self.credited or bytearray(self.work.total)

    def renew(self, number: int) -> None:
        """Become round `number`, of which nothing has been given out."""
        self.work, self.sums = replace(self.work, round=number), self.sums.emptied()
        self.exchange, self.spoilt, self.shared_out = None, "", False
        self._slots.clear()
        self._given = bytearray(self.work.total)

    def uncredited(self, block: tree.Block) -> int:
        """Return of how many images of `block` nobody has been credited yet, and regard them as credited."""
        start, stop = block
        before = self.credited[start:stop]
        self.credited[start:stop] = b"\1" * (stop - start)
        if 1 not in before:
            return self.sums.images(block)
        return sum(self.sums.images((i, i + 1)) for i in range(start, stop) if not before[i - start])

    def share(self, assign: Assign, part: int | None) -> tuple[m.Work, m.Frame | None]:
        """Return the message that gives a worker its share, and its payload; `part`: its part of shared memory, if any.

        A slot is used once in a round, even if its worker is replaced: its gradient may not have been added up yet. A
        worker that is still busy with this round gets no share of the next, so no slot is written while it may be read.
        """
        start, stop = assign.share
        slot, sums, payload = m.NO_SLOT, m.NO_SLOT, None
        blocks = tree.cover(start, stop, self.work.total)
        for low, high in blocks:
            if 1 in self._given[low:high]:  # all of it, or a piece
                self.sums.doubt((low, high))
            self._given[low:high] = b"\1" * (high - low)
        if part is not None:
            slot = self._slots[part] + 1
            if slot == 1 and self.adding:  # those of a second share would be written over sums that others read
                sums = SLOTS + 1
            self._slots[part] += len(blocks)
        elif assign.with_parameters:
            payload = self._payload(assign.worker)
        exchange = self._exchange_of(assign.worker)
        roster = exchange.roster if exchange else 0
        w = self.work  # `replace` would take longer than all the rest
        own = w.step, start, stop, w.total, w.version, slot, sums, roster
        return m.Work(w.session, w.round, assign.attempt, w.kind, *own), payload

    def _exchange_of(self, worker: bytes) -> ExchangeRound | None:
        """Return the exchange that a worker is a member of, if that continues."""
        return self.exchange if self.exchange and not self.spoilt and worker in self.exchange.members else None

    def _payload(self, worker: bytes) -> m.Frame:
        exchange = self._exchange_of(worker)
        if exchange and exchange.in_parts:
            return frame_of(self.parameters[exchange.part(worker)])
        if self._frame is None:
            self._frame = frame_of(self.parameters)  # the same for every worker without shared memory
        return self._frame
