"""The round in progress, as the coordinator sees it: what it sends, and what has come back."""

from collections import defaultdict
from dataclasses import dataclass, field

from engine.compute import tree
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

    `twice`: two workers must agree on every block. `again`: it is done for the second time, and its images have been
    counted. `adding`: workers that share memory may form sums. `expelled`: names of workers that sent wrong bits.
    `counted`: who did what for which block.
    """

    work: m.Work
    parameters: Vector
    sums: Reduction
    twice: bool = False
    again: bool = False
    adding: bool = False
    failures: int = 0
    done: bool = False
    expelled: list[str] = field(default_factory=list)
    began: float = 0.0  # by the monotonic clock
    busy: defaultdict[bytes, float] = field(default_factory=lambda: defaultdict(float))
    counted: list[tuple[tree.Block, Done]] = field(default_factory=list)
    _slots: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))  # in use, by part
    _frame: m.Frame = None

    def __post_init__(self) -> None:
        self._given = bytearray(self.work.total)  # which micro-batches have been given out

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
            if self._frame is None:
                self._frame = frame_of(self.parameters)  # the same for every worker without shared memory
            payload = self._frame
        w = self.work  # `replace` would take longer than all the rest
        work = m.Work(w.session, w.round, assign.attempt, w.kind, w.step, start, stop, w.total, w.version, slot, sums)
        return work, payload
