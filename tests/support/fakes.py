"""Stand-ins for tests: a clock set by hand, a network in memory, workers that follow a script of faults."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import count

import numpy as np

from engine.compute import tree
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.coordinator.rounds import Entry, Event, Instruction, Scheduler
from engine.coordinator.rounds.scheduler import REMEMBERED
from engine.data import Normalisation
from engine.kernels import numpy_backend
from engine.nn.layers import Dense, Flatten
from engine.nn.model import Model
from engine.nn.parameters import Vector
from engine.wire import Received
from engine.wire import messages as m
from engine.wire.connection_limits import UNASKED
from engine.wire.shared_memory import SLOTS, SharedMemory, read_token
from engine.wire.tracebacks import failed
from tests.support.faults import WorkerFault
from tests.support.invariants import broken
from workers.addition import Additions
from workers.shared_memory import WorkerMemory

NUMERICS = "numbers of the test"
MODEL = Model((Flatten(), Dense(2)), shape=(2, 2, 1))  # ten parameters
JOB = Job(MODEL, "0" * 64, Normalisation((0.0,), (1.0,)), batch_size=22, microbatch=4, seed=1, augment=False)
TRAIN_SIZE, TEST_SIZE = 50, 300  # batches of 22, 22 and 6; 75 micro-batches to validate
TRACEBACK = "Traceback (most recent call last):\n" + "  in a deep stack\n" * 100 + "ValueError: bad luck \N{SNOWMAN}\n"
POLLS = 3000  # more than any honest test needs; the fake clock moves on with each


class FakeClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


class FakeSupervisor:
    """Remembers who was useful and who is suspected; `replace` is called at every look."""

    def __init__(self, replace: Callable[[], None] = lambda: None) -> None:
        self.replace = replace
        self.useful_pids: list[int] = []
        self.suspects: set[int] = set()

    def look(self) -> list[int]:
        self.replace()
        return []

    def useful(self, pid: int) -> None:
        self.useful_pids.append(pid)

    def suspect(self, host: str, pid: int) -> None:
        assert host == "box"
        self.suspects.add(pid)

    def trust(self, host: str, pid: int) -> None:
        assert host == "box"
        self.suspects.discard(pid)


class FakeEndpoint:
    """An `Endpoint` in memory. While the coordinator waits, workers act; when nothing comes in, time passes."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.workers: dict[bytes, ToyWorker] = {}
        self.remote: set[bytes] = set()
        self.sent: list[tuple[bytes, m.Message]] = []
        self.refused: list[tuple[bytes, bool]] = []  # who, and whether for ever
        self.trusted: set[bytes] = set()
        self.unasked: Counter[bytes] = Counter()
        self._outgoing: list[tuple[bytes, Sequence[m.Frame]]] = []
        self._inbox: list[tuple[float, Received]] = []
        self._lost = False
        self._polls = 0

    def send(self, peer: bytes, frames: Sequence[m.Frame]) -> bool:
        if peer not in self.workers:
            return False
        self.sent.append((peer, m.decode(frames)[0]))
        self._outgoing.append((peer, frames))
        return True

    def poll(self, timeout: float) -> list[Received]:
        self._polls += 1
        assert self._polls < POLLS, "the coordinator waits for ever"
        outgoing, self._outgoing = self._outgoing, []
        for peer, frames in outgoing:
            if peer in self.workers:
                self.workers[peer].receive(*m.decode(frames))
        arrived = [received for due, received in self._inbox if due <= self.clock.time]
        self._inbox = [(due, received) for due, received in self._inbox if due > self.clock.time]
        if not arrived:
            self.clock.time += timeout
        return arrived

    def is_local(self, peer: bytes) -> bool:
        return peer not in self.remote

    def lost_connections(self) -> bool:
        lost, self._lost = self._lost, False
        return lost

    def key(self, peer: bytes) -> str:
        return peer.hex() if peer in self.remote else ""

    def trust(self, peer: bytes) -> None:
        self.trusted.add(peer)

    def floods(self, peer: bytes) -> bool:
        self.unasked[peer] += 1
        return self.unasked[peer] > UNASKED

    def refuse(self, peer: bytes, forever: bool = False) -> None:
        self.refused.append((peer, forever))

    def arrive(self, peer: bytes, frames: Sequence[m.Frame], delay: float = 0.0) -> None:
        """Let something come in from `peer`."""
        self._inbox.append((self.clock.time + delay, Received(peer, frames)))

    def hang_up(self, peer: bytes, noticed: bool = True) -> None:
        """Cut the connection of a worker."""
        self.workers.pop(peer, None)
        self._lost = self._lost or noticed


class CheckedScheduler(Scheduler):
    """Checks its invariants after each event, or after every so many."""

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self._handled = 0
        self._every = every

    def handle(self, event: Event, now: float) -> list[Instruction]:
        out = super().handle(event, now)
        self._handled += 1
        if self._handled % self._every == 0:
            self.check()
        return out

    def check(self) -> None:
        """Raise AssertionError if what the scheduler knows contradicts itself."""
        if found := list(broken(self._assignments, self._round)):
            raise AssertionError("; ".join(found))


def replay(events: list[Entry]) -> None:
    """Give the events to a new scheduler, which must say the same; not if the first of them are forgotten."""
    scheduler = CheckedScheduler()
    if len(events) == REMEMBERED:
        return
    for now, event, instructions in events:
        assert tuple(scheduler.handle(event, now)) == instructions


@cache
def _noise(*key: int) -> Vector:
    return np.random.default_rng(key).standard_normal(MODEL.layout().size).astype(np.float32)


def leaf(kind: m.WorkKind, step: int, number: int, parameters: Vector) -> Sums:
    """Invent the sums of one micro-batch: they depend on everything that real ones depend on."""
    noise = _noise(kind, step if kind is m.WorkKind.TRAIN else 0, number)
    return Sums(float(noise[0]) + float(parameters.sum()), number % 2, noise * (1 + parameters))


def add_up(leaves: list[Sums]) -> Sums:
    """Add along the tree, by its definition: split at the largest power of two below the length."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while 2 * half < len(leaves):
        half *= 2
    a, b = add_up(leaves[:half]), add_up(leaves[half:])
    assert a.gradient is not None
    assert b.gradient is not None
    with np.errstate(all="ignore"):
        return Sums(a.loss + b.loss, a.correct + b.correct, a.gradient + b.gradient)


def sums_of(kind: m.WorkKind, step: int, block: tree.Block, parameters: Vector) -> Sums:
    """Return what an honest worker answers."""
    return add_up([leaf(kind, step, number, parameters) for number in range(*block)])


def _spoilt(sums: Sums, fault: WorkerFault, pid: int) -> Sums:
    """Return what a worker with bad memory answers: each has its own."""
    spoils = (WorkerFault.NAN, WorkerFault.NAN_GRADIENT, WorkerFault.HUGE, WorkerFault.FLIP)
    if sums.gradient is None or fault not in spoils:
        return sums
    gradient = sums.gradient.copy()
    if fault is WorkerFault.HUGE:
        gradient[pid % len(gradient)] = 1e30
        return replace(sums, gradient=gradient)
    if fault in (WorkerFault.NAN, WorkerFault.NAN_GRADIENT):
        gradient[pid % len(gradient)] = np.nan
        return replace(sums, loss=math.nan if fault is WorkerFault.NAN else sums.loss, gradient=gradient)
    gradient.view(np.uint32)[pid % len(gradient)] ^= 1
    return replace(sums, loss=math.nextafter(sums.loss, pid), gradient=gradient)


class ToyWorker:
    """A worker that knows the protocol, computes `leaf`, and follows its script of faults: one a share, then none."""

    pids = count(1)

    def __init__(
        self,
        endpoint: FakeEndpoint,
        faults: Iterable[WorkerFault] = (),
        numerics: str = NUMERICS,
        memory: tuple[SharedMemory, int] | None = None,
        host: str = "box",
    ) -> None:
        self.pid = next(self.pids)
        self.peer = b"worker %d" % self.pid
        self.refused = ""
        self.pings = 0
        self.deaf = False
        self.given: list[bool] = []  # for every share, whether parameters came with it
        self._endpoint = endpoint
        self._faults: Iterator[WorkerFault] = iter(faults)
        self._session = ""
        self._version = -1
        self._parameters = np.zeros(MODEL.layout().size, np.float32)
        self._before: list[list[m.Frame]] = []
        self._memory = memory
        endpoint.workers[self.peer] = self
        token = read_token(memory[0].descriptor, memory[1]) if memory else ""
        self.say(m.Hello(host, self.pid, numerics, token))

    def say(self, message: m.Message, payload: m.Frame | None = None) -> None:
        self._endpoint.arrive(self.peer, m.encode(message, payload))

    def receive(self, message: m.Message, payload: m.Frame | None) -> None:
        match message:
            case _ if self.deaf:
                pass
            case m.Welcome():
                self._session = message.session
                self.say(m.Ready(message.session, MODEL.layout().digest))
            case m.Work():
                self._work(message, payload)
            case m.Refuse(reason):
                self.refused = reason
                self._endpoint.hang_up(self.peer)
            case m.Stop():
                self._endpoint.hang_up(self.peer)
            case m.Ping():
                self.pings += 1
            case _:
                raise AssertionError(f"{message} is not for a worker")

    def _work(self, work: m.Work, payload: m.Frame | None) -> None:
        self.given.append(payload is not None)
        if payload is not None:
            self._version, self._parameters = work.version, np.frombuffer(payload, np.float32).copy()
            self.say(m.Arrived(work.session, work.round, work.attempt))
        elif self._memory and work.version != self._version:
            self._version, self._parameters = work.version, self._memory[0].parameters(work.version).copy()
        assert work.version == self._version, "the coordinator believes that I hold other parameters"
        fault = next(self._faults, WorkerFault.NONE)
        self._place = work.sums
        blocks = tree.cover(work.start, work.stop, work.total)
        answers = [self._answer(work, block, number, fault) for number, block in enumerate(blocks)]
        for frames in self._lies(fault, work):
            self._endpoint.arrive(self.peer, frames)
        match fault:
            case WorkerFault.DIES | WorkerFault.DIES_HALFWAY | WorkerFault.DIES_UNNOTICED:
                self._endpoint.hang_up(self.peer, noticed=fault is not WorkerFault.DIES_UNNOTICED)
                answers = answers[: fault is WorkerFault.DIES_HALFWAY]
            case WorkerFault.SILENT | WorkerFault.FAILED | WorkerFault.GOODBYE | WorkerFault.HELLO_AGAIN:
                answers = []
        for frames in answers:
            self._endpoint.arrive(self.peer, frames, 100.0 if fault is WorkerFault.LATE else 0.0)
        if fault is WorkerFault.TWICE:
            for frames in answers:
                self._endpoint.arrive(self.peer, [frames[0], b"\x7f" * len(frames[1])] if len(frames) > 1 else frames)
        if fault in (WorkerFault.FAILED, WorkerFault.GOODBYE):
            self._endpoint.hang_up(self.peer)
        self._before = answers

    def _answer(self, work: m.Work, block: tree.Block, number: int, fault: WorkerFault) -> list[m.Frame]:
        """Return an answer, true or not; the gradient is in shared memory if there is any, and a slot in it."""
        sums = _spoilt(sums_of(work.kind, work.step, block, self._parameters), fault, self.pid)
        assert sums.gradient is not None
        result = m.Result(
            work.session, work.round, work.attempt, *block, sums.loss, sums.correct, 0.25 * (block[1] - block[0]), 1.0
        )
        slot = work.slot + number if work.slot else 0
        if work.kind is m.WorkKind.TRAIN and self._memory and 0 < slot <= SLOTS:
            self._memory[0].gradient(self._memory[1], slot - 1)[:] = sums.gradient
            formed = self._add_up(work, block, slot)
            return m.encode(replace(result, slot=slot, sums=self._place - formed if formed else 0, formed=formed))
        return m.encode(result, sums.gradient.tobytes() if work.kind is m.WorkKind.TRAIN else None)

    def _add_up(self, work: m.Work, block: tree.Block, slot: int) -> int:
        """Form sums as a real worker does."""
        if self._memory is None or not work.sums:
            return 0
        shared, number = self._memory
        memory = WorkerMemory(shared.descriptor, number, shared.workers)
        memory.open(MODEL.layout().size)
        formed = Additions(memory, numpy_backend()).add_up(work, block, slot, self._place)
        self._place += formed
        return formed

    def _lies(self, fault: WorkerFault, work: m.Work) -> list[list[m.Frame]]:
        """Return what is sent before the true answers; whoever counts any of it gets other sums."""
        if fault is WorkerFault.OLD:
            return self._before
        others: dict[WorkerFault, m.Message] = {
            WorkerFault.NOT_FOR_US: m.Stop(work.session, "now"),
            WorkerFault.READY_AGAIN: m.Ready(work.session, MODEL.layout().digest),
            WorkerFault.HELLO_AGAIN: m.Hello("box", self.pid, NUMERICS),
            WorkerFault.GOODBYE: m.Goodbye(work.session, "enough"),
        }
        if fault in others:
            return [m.encode(others[fault])]
        if fault is WorkerFault.FAILED:
            return [m.encode(*failed(work.session, TRACEBACK))]
        values = self._lie(fault, work)
        if values is None:
            return []
        header = b"\xc1" if fault is WorkerFault.BAD_HEADER else m.pack([m.VERSION, m.Result.opcode, *values.values()])
        payload = b"\x7f" * (self._parameters.nbytes - 4 * (fault is WorkerFault.WRONG_SIZE))
        return [[header, payload] if work.kind is m.WorkKind.TRAIN or fault is WorkerFault.WRONG_SIZE else [header]]

    def _lie(self, fault: WorkerFault, work: m.Work) -> dict[str, object] | None:
        """Return the fields of a RESULT that is false in one way, None if `fault` is of another kind."""
        blocks = tree.cover(work.start, work.stop, work.total)
        nodes = [(0, work.total), (0, 1), (work.total - 1, work.total), (0, work.total + 1)]
        foreign = next(node for node in nodes if node not in blocks)
        changes: dict[WorkerFault, dict[str, object]] = {
            WorkerFault.WRONG_ROUND: {"round": work.round + 1},
            WorkerFault.WRONG_ATTEMPT: {"attempt": work.attempt + 1},
            WorkerFault.FOREIGN_BLOCK: dict(zip(("start", "stop"), foreign, strict=True)),
            WorkerFault.IMPOSSIBLE_BLOCK: {"stop": work.total + 1},
            WorkerFault.TOO_CORRECT: {"correct": 10_000},
            WorkerFault.WRONG_SESSION: {"session": "another"},
            WorkerFault.BAD_SECONDS: {"seconds": -1.0},
            WorkerFault.WRONG_SIZE: {},
            WorkerFault.BAD_HEADER: {},
        }
        if fault not in changes:
            return None
        truth = m.Result(work.session, work.round, work.attempt, *blocks[0], 1e9, 0, 0.0, 0.0)
        return asdict(truth) | changes[fault]
