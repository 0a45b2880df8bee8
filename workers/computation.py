"""Computes the shares of one job."""

from collections.abc import Iterator
from typing import NamedTuple

from engine.compute.evaluator import Evaluator
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.compute.tree import Block, cover
from engine.data import Dataset
from engine.kernels import choose
from engine.nn.parameters import Vector
from engine.system.allocator import release_compiler
from engine.system.clock import Clock
from engine.wire import messages as m
from engine.wire.shared_memory import SLOTS
from workers.addition import Additions
from workers.shared_memory import WorkerMemory


class Answer(NamedTuple):
    """The sums of a block. The gradient is in `slot` of shared memory, unless that is None; `seconds`: to compute.

    `formed` sums of nodes above the block are in the slots from `place` on.
    """

    block: Block
    sums: Sums
    slot: int | None
    seconds: float
    place: int = m.NO_SLOT
    formed: int = 0


class Computation:
    """A compiled model with its data. The next answer may overwrite the gradient of the last one."""

    def __init__(self, job: Job, data: Dataset, memory: WorkerMemory | None, clock: Clock) -> None:
        self.layout = job.model.layout()
        self._evaluator = Evaluator(job, data.hold_out(job.validation))
        self.prove = self._evaluator.prove
        release_compiler()
        self._gradient = self.layout.zeros()
        self._memory = memory
        self._clock = clock
        self._additions: Additions | None = None
        if memory:
            memory.open(self.layout.size)
            backend = choose()
            self._additions = Additions(memory, backend) if backend.ordered else None

    def answers(self, work: m.Work, parameters: Vector | None) -> Iterator[Answer]:
        """Compute a share block by block; `parameters` is None if those of the last share are still right."""
        if parameters is not None:
            self._evaluator.prepare(parameters, stays=True)
        place = work.sums
        for number, block in enumerate(cover(work.start, work.stop, work.total)):
            began = self._clock.now()
            if work.kind == m.WorkKind.TRAIN:
                slot, out = self._place(work.slot, number)
                sums = self._evaluator.train_block(work.step, block, out)
            else:
                slot, sums = None, self._evaluator.split_block(block)
            seconds, formed = self._clock.now() - began, 0
            if self._additions and slot is not None and place != m.NO_SLOT:
                formed = self._additions.add_up(work, block, slot, place)
            yield Answer(block, sums, slot, seconds, place, formed)
            place += formed

    def fetch(self, work: m.Work) -> None:
        """Get ready what a share like `work` begins with in the next step: there is time until it comes."""
        if work.kind == m.WorkKind.TRAIN:
            self._evaluator.fetch(work.step + 1, cover(work.start, work.stop, work.total)[0])

    def _place(self, first: int, number: int) -> tuple[int | None, Vector]:
        """Return where the gradient of block `number` of a share goes: a slot, None if by socket, and the vector.

        `first` is the slot of the first block, or NO_SLOT.
        """
        slot = first + number
        if self._memory is None or first == m.NO_SLOT or slot > SLOTS:
            return None, self._gradient
        return slot, self._memory.gradient(slot)
