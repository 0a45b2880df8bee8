"""A coordinator, relays and their processes in memory, with one clock that is set by hand."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import count

import numpy as np

from engine.compute import tree
from engine.compute.fingerprint import fingerprint
from engine.compute.job import Job
from engine.compute.sums import Sums
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.notices import GONE, Notice
from engine.coordinator.policy import Policy
from engine.coordinator.source import Pending
from engine.data import Dataset, Normalisation, Sampler, Split, cache
from engine.nn.parameters import Vector
from engine.wire import Received
from engine.wire import messages as m
from tests.support.fakes import (
    JOB,
    MODEL,
    TEST_SIZE,
    TRAIN_SIZE,
    CheckedScheduler,
    FakeClock,
    FakeEndpoint,
    FakeSupervisor,
    ToyWorker,
    sums_of,
)
from tests.support.faults import WorkerFault
from tests.support.links import ToyLinks
from workers.relay.events import Connected, Told, Tried
from workers.relay.group import OpenGroup
from workers.relay.worker import RelayWorker
from workers.session import Quit

NO_TALLY = Normalisation((0.0,), (1.0,))  # of targets: what is predicted has no classes to count
TURNS = 12  # of every relay while no time passes: what it was sent, its processes' answers, its own


def data() -> Dataset:
    """Return data of the sizes that the tests' coordinators believe in."""
    rng = np.random.default_rng(0)
    sizes = TRAIN_SIZE, TEST_SIZE
    train, test = (Split(rng.integers(0, 256, (n, 2, 2, 1), np.uint8), rng.integers(0, 2, n, np.int32)) for n in sizes)
    return Dataset("random", ("a", "b"), train, test)


def toy_arbiter(*_: object) -> "ToyArbiter":
    """Return what computes a block where no two processes agree."""
    return ToyArbiter()


class ToyArbiter:
    """Computes what honest toys do."""

    def prove(self, nonce: int) -> str:
        return ""

    def __call__(self, work: m.Work, block: tree.Block, parameters: Vector) -> Sums:
        sums = sums_of(work.kind, work.step, block, parameters)
        return sums if work.kind is m.WorkKind.TRAIN else replace(sums, gradient=None)


class Processes(FakeEndpoint):
    """The socket of a relay's processes: waiting there takes no time, which passes for all at once elsewhere.

    Other relays may join it, too, if they are `invited`.
    """

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.invited: set[str] = set()
        self.ended = False

    def deliver(self) -> None:
        """Let what was sent arrive, even if nobody waits here any more."""
        outgoing, self._outgoing = self._outgoing, []
        for peer, frames in outgoing:
            if peer in self.workers:
                self.workers[peer].receive(*m.decode(frames))

    def poll(self, timeout: float) -> list[Received]:
        self._polls = 0
        return super().poll(0.0)


class ToyGroup:
    """A relay's processes in memory, each with its script of faults; a new one takes the place of one that is gone.

    `forgiving`: one that was refused is replaced, too. Without `replaced` a relay may be left with none.
    """

    def __init__(self, clock: FakeClock, *scripts: Iterable[WorkerFault], replaced: bool = True) -> None:
        self.count = len(scripts)
        self.endpoint = Processes(clock)
        self.replaced = replaced
        self.address = ""
        self.tree = False
        self.links = ToyLinks({}, "")
        self._scripts = scripts
        self._opened = False
        self.closed = False

    def open(self, size: int) -> OpenGroup:
        assert size == MODEL.layout().size
        if not self._opened:
            for script in self._scripts:
                ToyWorker(self.endpoint, script, fingerprint())
        self._opened = True
        key = sha256(self.address.encode()).hexdigest() if self.address else ""
        supervisor, invited = FakeSupervisor(self._replace), self.endpoint.invited
        return OpenGroup(self.endpoint, self.links, supervisor, None, self.address, key, invited)

    def _replace(self) -> None:
        local = self.endpoint.workers.keys() - self.endpoint.remote
        for _ in range(len(local), self.count if self.replaced else 0):
            ToyWorker(self.endpoint, (), fingerprint())

    def close(self) -> None:
        self.closed = True


@dataclass
class End:
    """The other end of a connection to `at`, which keeps what comes."""

    at: FakeEndpoint
    came: deque[Sequence[m.Frame]] = field(default_factory=deque)

    def receive(self, message: m.Message, payload: m.Frame | None) -> None:
        self.came.append([bytes(frame) for frame in m.encode(message, payload)])


class Uplink:
    """What is above a relay, in memory: the coordinator, or another relay, of those that `above` knows."""

    address = "tcp://in-memory"
    unwelcome = ""

    def __init__(self, above: "Above", peer: bytes) -> None:
        self._known = above.open
        self._peer = peer
        self._home = self._now = End(above)
        self._tried: list[Tried] = []
        self._new = False
        self.cut = False
        self.said: list[m.Message] = []
        self.key = peer.hex()
        self.mend()

    @property
    def joined(self) -> bool:
        return self._now is not self._home

    def watch(self, descriptor: int) -> None:
        pass

    def send(self, frames: Sequence[m.Frame]) -> None:
        if not self.cut:
            self.said.append(m.decode(frames)[0])
            self._now.at.arrive(self._peer, [bytes(frame) for frame in frames])

    def poll(self, timeout: float) -> Sequence[m.Frame] | None:
        return self._now.came.popleft() if self._now.came else None

    def connected(self) -> bool:
        raise AssertionError("a relay asks for events")

    def arriving(self) -> bool:
        return False

    def events(self) -> list[Connected | Tried | Told]:
        found: list[Connected | Tried | Told] = list(self._tried)
        self._tried.clear()
        if self.joined:
            found += [Told(m.decode(frames)[0]) for frames in self._home.came]
            self._home.came.clear()
            if isinstance(self._now.at, Processes) and self._now.at.ended:
                self.back()
        if self._new:
            found.append(Connected(not self.joined))
        self._new = False
        return found

    def attempt(self, address: str, key: str) -> None:
        other = self._known.get(address)
        reached = other is not None and self.key in other.invited
        self._tried = [Tried(reached)]
        self._trying = other

    def join(self) -> None:
        assert self._trying is not None
        self._now, self._new = End(self._trying), True
        self._enter(self._now)

    def back(self) -> None:
        if self.joined:
            self._now.at.hang_up(self._peer)
            self._now, self._new = self._home, not self.cut

    def _enter(self, end: End) -> None:
        end.at.workers[self._peer] = end  # type: ignore[assignment]
        end.at.remote.add(self._peer)

    def hang_up(self) -> None:
        """Cut all connections; the other ends notice."""
        self.cut = True
        self.back()
        self._home.came.clear()
        self._home.at.hang_up(self._peer)

    def mend(self) -> None:
        """Connect to the coordinator again."""
        self.cut, self._new = False, True
        self._enter(self._home)

    def move(self, above: FakeEndpoint) -> None:
        """Connect to another coordinator."""
        self.back()
        self._home.at = above
        self._home.came.clear()
        self.mend()

    def close(self) -> None:
        self.hang_up()


class ToyRelay:
    """A relay as it is, with all around it in memory. `topology`: as the option."""

    def __init__(
        self, above: "Above", name: str, *scripts: Iterable[WorkerFault], replaced: bool = True, topology: str = "star"
    ) -> None:
        self.uplink = Uplink(above, name.encode())
        self.group = ToyGroup(above.clock, *scripts, replaced=replaced)
        self.group.tree = topology == "tree"
        if topology != "star":
            self.group.address = f"tcp://10.0.0.{len(above.relays) + 1}:5000"
            above.open[self.group.address] = self.group.endpoint
            self.group.links = ToyLinks(above.links, self.group.address)
        cpu = count(1.0, 0.125)
        self.worker = RelayWorker(
            self.uplink, 1e9, self.group, None, above.clock, lambda: next(cpu), arbiter_for=toy_arbiter
        )
        self.ended: Quit | None = None

    def turn(self) -> None:
        if self.ended is None:
            self.ended = self.worker.turn()
            self.group.endpoint.deliver()

    def kill(self) -> None:
        self.ended = Quit("killed", -9)
        self.group.endpoint.ended = True
        self.links.cut(*self.links.to)
        self.uplink.hang_up()

    @property
    def links(self) -> ToyLinks:
        return self.group.links


class Above(FakeEndpoint):
    """The coordinator's end; relays take their turns while it waits."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.relays: list[ToyRelay] = []
        self.turns = TURNS
        self.open: dict[str, Processes] = {}  # which relays can be joined, by address
        self.links: dict[str, ToyLinks] = {}  # and those of an exchange

    def poll(self, timeout: float) -> list[Received]:
        for _ in range(self.turns):
            outgoing, self._outgoing = self._outgoing, []
            for peer, frames in outgoing:
                if peer in self.workers:
                    self.workers[peer].receive(*m.decode(frames))
            for relay in self.relays:
                relay.turn()
        return super().poll(timeout)


class Tree:
    """A coordinator with relays, and workers of its own."""

    def __init__(
        self, audit: float = 0.0, twice: int = 0, least: int = 1, job: Job | None = None, session: str = "this session"
    ) -> None:
        self.clock = FakeClock()
        self.endpoint = Above(self.clock)
        self.notices: list[Notice] = []
        self.arbitrated: list[tree.Block] = []
        self.job = job or replace(JOB, data=cache.store(data()), values=NO_TALLY)
        content = cache.content(self.job.data)
        config = Config(
            self.job, TRAIN_SIZE, TEST_SIZE, content, session, fingerprint(), Policy(audit, least, twice=twice)
        )
        environment = Environment(
            endpoint=self.endpoint,
            supervisor=FakeSupervisor(),
            clock=self.clock,
            notice=self.notices.append,
            interrupted=lambda: False,
            arbiter=self.arbiter,
        )
        self.scheduler = CheckedScheduler()
        self.coordinator = Coordinator(config, environment, self.scheduler)
        self.out = np.zeros(MODEL.layout().size, np.float32)
        self.images = 0

    def arbiter(self, work: m.Work, block: tree.Block, parameters: Vector) -> Sums:
        self.arbitrated.append(block)
        return ToyArbiter()(work, block, parameters)

    def relay(
        self, name: str, *scripts: Iterable[WorkerFault], replaced: bool = True, topology: str = "star"
    ) -> ToyRelay:
        relay = ToyRelay(self.endpoint, name, *scripts, replaced=replaced, topology=topology)
        self.endpoint.relays.append(relay)
        return relay

    def worker(self, *faults: WorkerFault) -> ToyWorker:
        return ToyWorker(self.endpoint, faults, fingerprint())

    def adopt(self, other: "Tree") -> None:
        """Let the relays of another coordinator, which has closed, find this one at its address."""
        for relay in other.endpoint.relays:
            relay.turn()
            self.endpoint.relays.append(relay)
            relay.uplink.move(self.endpoint)

    def reported(self) -> dict[str, int]:
        """Return the images of every worker and process there has been, by name."""
        told = [notice.report for notice in self.notices if notice.report and notice.kind in GONE]
        return {report.name: report.images for report in [*told, *self.coordinator.workers()]}

    def check(self, step: int) -> None:
        """Evaluate the batch of `step`, and compare with the oracle."""
        self.finish(step, self.coordinator.start(step, self.parameters(step), self.out))

    def parameters(self, step: int) -> Vector:
        """Return those with which the batch of `step` is evaluated."""
        return np.random.default_rng(step).random(len(self.out), np.float32)

    def finish(self, step: int, pending: Pending) -> None:
        """Wait for the sums over the batch of `step`, and compare with the oracle."""
        parameters = self.parameters(step)
        samples = len(Sampler(TRAIN_SIZE, JOB.batch_size, JOB.seed).indices(step))
        expected = sums_of(m.WorkKind.TRAIN, step, (0, -(-samples // JOB.microbatch)), parameters)
        sums = pending.result()
        self.images += samples
        assert expected.gradient is not None
        assert sums.gradient is not None
        assert (sums.loss, sums.correct, sums.gradient.tobytes()) == (
            expected.loss,
            expected.correct,
            expected.gradient.tobytes(),
        )

    def check_validation(self, step: int) -> None:
        parameters = np.random.default_rng(step + 1).random(len(self.out), np.float32)
        expected = sums_of(m.WorkKind.VALIDATE, step, (0, TEST_SIZE // JOB.microbatch), parameters)
        sums = self.coordinator.validate(step, parameters)
        assert (sums.loss, sums.correct) == (expected.loss, expected.correct)
