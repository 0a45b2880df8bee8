"""Workers that add: sampled schedules of a scheduler, its workers and what they write to the memory they share.

Everything decides at random: who computes, who sees what in which order, whose answer comes first, who dies, is late or
is asked for a second opinion. The sum must be that of the tree, to the bit.
"""

import math
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.compute import tree
from engine.compute.sums import Sums, bits_of
from engine.coordinator import rounds
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.reduction import Reduction
from engine.kernels import numpy_backend
from engine.kernels.table import Counts
from engine.nn.parameters import Vector
from engine.wire import messages as m
from engine.wire.shared_memory import PLACES, SLOTS, SharedMemory, shared_memory_for
from tests.support.fakes import MODEL, CheckedScheduler, sums_of
from tests.support.tools import LONGER
from workers.addition import Additions
from workers.shared_memory import WorkerMemory

PARTS, SIZE = 5, MODEL.layout().size
PARAMETERS = np.linspace(-1, 1, SIZE, dtype=np.float32)
SCHEDULES = 60 * LONGER
EVERY_KIND = {
    *("answered", "died", "died with answers under way", "late", "lapsed", "copied", "audited", "joined", "remote"),
    *("formed one", "formed several", "used", "doubted", "nested", "unseen", "left unanswered", "spoilt", "expelled"),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[SharedMemory]:
    with shared_memory_for(PARTS, wanted=True) as shared:
        assert shared is not None
        shared.open(SIZE)
        yield shared


@dataclass
class Worker:
    """A worker process: with a part of shared memory or none, the work it has, and what it has sent."""

    name: bytes
    part: int | None
    additions: Additions | None
    shares: deque[tuple[m.Work, list[tree.Block]]] = field(default_factory=deque)
    sent: deque[tuple[m.Result, bytes | None]] = field(default_factory=deque)
    done: int = 0  # blocks of the first share
    place: int = 0


class Interleaved:
    """The operations on words, between which others may act, and whose effect may take its time to be seen."""

    ordered = True

    def __init__(self, world: "World") -> None:
        self._world = world
        self._real = numpy_backend()

    def publish(self, words: Counts, place: int, value: int) -> None:
        self._real.publish(words, place, value)
        self._world.nest()

    def look(self, words: Counts, place: int) -> int:
        self._world.nest()
        if self._world.rng.random() < 0.1:
            self._world.fired["unseen"] += 1
            return 0
        return self._real.look(words, place)


class CountingReduction(Reduction):
    """Counts which hints were used."""

    def __init__(self, total: int, out: Vector, fired: Counter[str]) -> None:
        super().__init__(4 * total, 4, out)
        self._fired = fired

    def doubt(self, block: tree.Block) -> None:
        self._fired["doubted"] += 1
        super().doubt(block)


class World:
    """One scheduler over several rounds, and its workers."""

    def __init__(self, shared: SharedMemory, seed: int, fired: Counter[str]) -> None:
        self.rng = random.Random(seed)
        self.fired = fired
        self._session = f"session {seed}"
        self._shared = shared
        self._now = 0.0
        self._scheduler = CheckedScheduler()
        self._workers: dict[bytes, Worker] = {}
        self._dead: list[Worker] = []  # whose answers are still under way
        self._names = 0
        self._depth = 0
        self._written: set[tuple[int, int, int]] = set()  # round, part and slot
        self._round = 0
        self._active: ActiveRound | None = None
        for part in range(self.rng.randint(1, PARTS)):
            self.join(part)
        if self.rng.random() < 0.3:
            self.fired["remote"] += 1
            self.join(None)

    def join(self, part: int | None) -> None:
        self._names += 1
        additions = None
        if part is not None:
            memory = WorkerMemory(self._shared.descriptor, part, PARTS)
            memory.open(SIZE)
            additions = Additions(memory, Interleaved(self))  # type: ignore[arg-type]  # it needs no more of a backend
        worker = Worker(b"%d" % self._names, part, additions)
        self._workers[worker.name] = worker
        self.fired["joined"] += 1
        self.handle(rounds.Joined(worker.name, "box" if self.rng.random() < 0.5 else "another"))

    def handle(self, event: rounds.Event, answer: tuple[Sums, list[Vector]] | None = None) -> None:
        """Give the scheduler an event, and carry out what it says."""
        active = self._active
        for instruction in self._scheduler.handle(event, self._now):
            match instruction:
                case rounds.Assign():
                    assert active
                    self._assign(active, instruction)
                case rounds.Accept(block):
                    assert active
                    assert answer
                    active.sums.put(block, *answer)
                case rounds.Complete():
                    assert active
                    active.done = True
                case rounds.Arbitrate(block):
                    assert active
                    sums = sums_of(m.WorkKind.TRAIN, active.work.step, block, PARAMETERS)
                    active.sums.doubt(block)
                    self.handle(rounds.Arbitrated(active.work.round, block, bits_of(sums)), (sums, []))
                case rounds.Lapsed():
                    self.fired["lapsed"] += 1
                case rounds.Expel(name):
                    self.fired["expelled"] += 1
                    self.join(self._workers.pop(name).part)

    def _assign(self, active: ActiveRound, assign: rounds.Assign) -> None:
        worker = self._workers[assign.worker]
        work, _ = active.share(assign, worker.part)
        worker.shares.append((work, tree.cover(work.start, work.stop, work.total)))

    def run(self, total: int, audit: float) -> None:
        """Run a round, and compare its sum."""
        self._round += 1
        out = np.zeros(SIZE, np.float32)
        sums = CountingReduction(total, out, self.fired)
        work = m.Work(self._session, self._round, 0, m.WorkKind.TRAIN, self._round, 0, 0, total, self._round)
        self._active = active = ActiveRound(work, PARAMETERS, sums, adding=audit == 0)
        self.fired["audited"] += audit > 0
        chooser = rounds.Audit(audit, 1, self._round) if audit else None
        self.handle(rounds.Begin(self._round, total, self._round, self.rng.choice([total, 3]), chooser))
        while not active.done:
            self._turn()
        self._active = None
        expected = sums_of(m.WorkKind.TRAIN, self._round, (0, total), PARAMETERS)
        found = sums.result()
        assert expected.gradient is not None
        assert (found.loss, found.correct) == (expected.loss, expected.correct)
        assert found.gradient is not None
        assert found.gradient.tobytes() == expected.gradient.tobytes()

    def _turn(self) -> None:
        self._now += 0.01
        act = self.rng.choices([self.compute, self.deliver, self.kill, self.wait], weights=[10, 8, 0.4, 0.3])[0]
        act()

    def nest(self) -> None:
        """Let another worker act in the middle of something, now and then."""
        if self._depth < 2 and self.rng.random() < 0.3:
            self._depth += 1
            self.fired["nested"] += self.compute()
            self._depth -= 1

    def compute(self) -> bool:
        """Let a worker compute its next block."""
        busy = [worker for worker in self._workers.values() if worker.shares and worker.place >= 0]
        if not busy:
            return False
        worker = self.rng.choice(busy)
        work, blocks = worker.shares[0]
        if not worker.done:
            worker.place = work.sums
        block, slot, place = blocks[worker.done], work.slot + worker.done, worker.place
        worker.done += 1
        sums = sums_of(m.WorkKind.TRAIN, work.step, block, PARAMETERS)
        assert sums.gradient is not None
        if self.rng.random() < 0.02:  # bad memory, each time in another way
            self.fired["spoilt"] += 1
            sums = Sums(float("nan"), sums.correct, sums.gradient + np.float32(self.rng.uniform(1, 2)))
        assert sums.gradient is not None
        result = m.Result(work.session, work.round, work.attempt, *block, sums.loss, sums.correct, 0.1, 0.1)
        if worker.part is None or work.slot == m.NO_SLOT or slot > SLOTS:
            self._send(worker, result, sums.gradient.tobytes())
            return True
        self._write(work.round, worker.part, slot)
        worker.place = -1  # it is at work, so nobody lets it do something else meanwhile
        self._shared.gradient(worker.part, slot - 1)[:] = sums.gradient
        formed = 0
        if place and worker.additions:
            formed = worker.additions.add_up(work, block, slot, place)
            for formed_there in range(place, place + formed):
                self._write(work.round, worker.part, formed_there)
            self.fired["formed one" if formed == 1 else "formed several"] += formed > 0
        worker.place = place + formed
        where = (place, formed) if formed else (0, 0)
        self._send(
            worker, m.Result(**vars(result) | dict(zip(("slot", "sums", "formed"), (slot, *where), strict=True)))
        )
        return True

    def _write(self, number: int, part: int, slot: int) -> None:
        """Nothing is written twice in a round, not even by the successor of a dead worker: others may be reading it."""
        assert (number, part, slot) not in self._written
        self._written.add((number, part, slot))

    def _send(self, worker: Worker, result: m.Result, payload: bytes | None = None) -> None:
        worker.sent.append((result, payload))
        if worker.done == len(worker.shares[0][1]):
            worker.shares.popleft()
            worker.done = 0

    def deliver(self) -> None:
        """Let an answer that is under way arrive, unless its sender has left meanwhile."""
        talking = [worker for worker in self._workers.values() if worker.sent]
        if not talking:
            return
        worker = self.rng.choice(talking)
        result, payload = worker.sent.popleft()
        active, block = self._active, (result.start, result.stop)
        assert active
        answered = rounds.Answered(worker.name, result.round, result.attempt, block)
        if result.round != active.work.round:
            self.handle(answered)
            return
        frame: m.Frame = payload
        formed: list[Vector] = []
        if result.slot:
            assert worker.part is not None
            frame = self._shared.read_only(worker.part, result.slot - 1)
            places = range(result.sums - 1, result.sums - 1 + result.formed)
            assert all(SLOTS <= place < PLACES for place in places)
            formed = [np.frombuffer(self._shared.read_only(worker.part, place), "<f4") for place in places]
            self.fired["used"] += bool(formed)
        sums = active.sums.check(result, frame)
        finite = math.isfinite(sums.loss)
        bits = bits_of(sums) if not finite or self._scheduler.in_question(block) else None
        self.fired["answered"] += 1
        self.handle(rounds.Answered(worker.name, result.round, result.attempt, block, bits, finite), (sums, formed))

    def kill(self) -> None:
        """End a worker that is not in the middle of something, and start another in its place."""
        idle = [worker for worker in self._workers.values() if worker.place >= 0]
        worker = self.rng.choice(idle)
        self.fired["died"] += 1
        self.fired["died with answers under way"] += bool(worker.sent)
        self.fired["left unanswered"] += bool(worker.shares)
        del self._workers[worker.name]
        self.handle(rounds.Left(worker.name))
        self.join(worker.part)

    def wait(self) -> None:
        """Let time pass, so that someone is late, or everyone's lease lapses."""
        seconds = self.rng.choice([20.0, 20.0, 100.0])
        self._now += seconds
        self.fired["late"] += 1
        before = sum(len(worker.shares) for worker in self._workers.values())
        self.handle(rounds.Tick())
        self.fired["copied"] += sum(len(worker.shares) for worker in self._workers.values()) - before


def test_sampled_schedules(shared: SharedMemory) -> None:
    fired: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        world = World(shared, seed, fired)
        for _ in range(world.rng.randint(1, 4)):
            world.run(world.rng.randint(1, 24), world.rng.choice([0.0, 0.0, 0.0, 0.5]))
    assert fired.keys() >= EVERY_KIND
    assert LONGER == 1 or min(fired[kind] for kind in EVERY_KIND) >= 100, fired


@pytest.mark.parametrize("adding", [True, False])
def test_a_worker_has_room_for_sums_in_its_first_share_where_it_may_add(adding: bool) -> None:
    work = m.Work("s", 1, 0, m.WorkKind.TRAIN, 1, 0, 0, 8, 1)
    active = ActiveRound(work, PARAMETERS, Reduction(32, 4, None), adding=adding)
    shares = [active.share(rounds.Assign(b"1", 1, 0, (start, start + 2), False), 0)[0] for start in (0, 4)]
    assert [share.slot for share in shares] == [1, 2]
    assert [share.sums for share in shares] == [SLOTS + 1 if adding else m.NO_SLOT, m.NO_SLOT]
