"""The coordinator against scripted workers, a fake clock, a network in memory: the sums are exact whatever happens."""

from collections.abc import Iterable
from dataclasses import replace as replaced

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.compute import tree
from engine.compute.sums import Sums
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.inbox import FAILURES
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.peers import PING
from engine.coordinator.policy import Policy
from engine.data import Sampler
from engine.errors import InterruptedRoundError, WorkersError
from engine.nn.parameters import Vector
from engine.wire import Received
from engine.wire import messages as m
from engine.wire.shared_memory import SharedMemory
from tests.support.fakes import (
    JOB,
    MODEL,
    NUMERICS,
    TEST_SIZE,
    TRAIN_SIZE,
    CheckedScheduler,
    FakeClock,
    FakeEndpoint,
    FakeSupervisor,
    ToyWorker,
    replay,
    sums_of,
)
from tests.support.faults import HARMLESS, REFUSED, WorkerFault

SIZE = MODEL.layout().size
# What must be on record after a fault; anything else that is noted is a surprise.
UNASKED = {WorkerFault.WRONG_ROUND, WorkerFault.WRONG_ATTEMPT, WorkerFault.FOREIGN_BLOCK, WorkerFault.WRONG_SESSION}
LOST = {WorkerFault.DIES, WorkerFault.DIES_HALFWAY, WorkerFault.DIES_UNNOTICED, WorkerFault.FAILED}
NOTED: dict[WorkerFault, set[str]] = {
    WorkerFault.NONE: set(),
    WorkerFault.SILENT: {"lapsed"},
    WorkerFault.LATE: {"late"},
    WorkerFault.TWICE: {"doubled"},
    WorkerFault.OLD: {"doubled"},
    WorkerFault.NAN: {"not finite", "differs", "audit", "lost"},
    WorkerFault.HELLO_AGAIN: {"lost", "joined"},
    **{fault: {"unasked"} for fault in UNASKED},
    WorkerFault.GOODBYE: {"left"},
    **{fault: {"lost"} for fault in LOST},
    **{fault: {"bad message", "lost"} for fault in REFUSED},
}


class Box:
    """A coordinator with everything around it."""

    def __init__(
        self,
        *scripts: Iterable[WorkerFault],
        shared_memory: SharedMemory | None = None,
        audit: float = 0.0,
        least: int = 1,
        twice: int = 0,
        check_every: int = 1,
        scheduler: CheckedScheduler | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.endpoint = FakeEndpoint(self.clock)
        self.supervisor = FakeSupervisor()
        self.notices: list[Notice] = []
        self.arbitrated: list[tree.Block] = []
        self.stop = False
        config = Config(JOB, TRAIN_SIZE, TEST_SIZE, b"", "this session", NUMERICS, Policy(audit, least, twice=twice))
        environment = Environment(
            endpoint=self.endpoint,
            supervisor=self.supervisor,
            clock=self.clock,
            notice=self.notices.append,
            interrupted=lambda: self.stop,
            arbiter=self.arbiter,
            shared_memory=shared_memory,
        )
        self.scheduler = CheckedScheduler(check_every) if scheduler is None else scheduler
        self.coordinator = Coordinator(config, environment, self.scheduler)
        self.workers = [ToyWorker(self.endpoint, script) for script in scripts]
        self.out = np.zeros(SIZE, np.float32)

    def arbiter(self, work: m.Work, block: tree.Block, parameters: Vector) -> Sums:
        self.arbitrated.append(block)
        sums = sums_of(work.kind, work.step, block, parameters)
        return sums if work.kind is m.WorkKind.TRAIN else replaced(sums, gradient=None)

    def gather(self) -> None:
        self.coordinator.gather(len(self.workers))
        self.notices.clear()

    def check(self, step: int) -> None:
        """Evaluate the batch of `step`, and compare with the oracle."""
        parameters = np.random.default_rng(step).random(SIZE, np.float32)
        samples = len(Sampler(TRAIN_SIZE, JOB.batch_size, JOB.seed).indices(step))
        expected = sums_of(m.WorkKind.TRAIN, step, (0, -(-samples // JOB.microbatch)), parameters)
        sums = self.coordinator.start(step, parameters, self.out).result()
        assert sums.gradient is not None
        if not (np.isfinite(sums.loss) and np.linalg.norm(sums.gradient.astype(float)) < 1e6):  # as the training loop
            sums = self.coordinator.verify(step, parameters, sums) or sums
        same(sums, expected)
        assert expected.gradient is not None
        assert sums.gradient is not None
        assert sums.gradient.tobytes() == expected.gradient.tobytes()

    def check_validation(self, step: int) -> None:
        parameters = np.random.default_rng(step + 1).random(SIZE, np.float32)
        expected = sums_of(m.WorkKind.VALIDATE, step, (0, TEST_SIZE // JOB.microbatch), parameters)
        same(self.coordinator.validate(step, parameters), expected)

    def shares_sent(self) -> int:
        return sum(isinstance(message, m.Work) for _, message in self.endpoint.sent)

    def kinds(self) -> set[str]:
        return {notice.kind for notice in self.notices}


def same(sums: Sums, expected: Sums) -> None:
    assert (sums.loss, sums.correct) == (expected.loss, expected.correct)


@pytest.mark.parametrize("workers", [1, 2, 3, 5, 8, 20])
def test_any_number_of_workers(workers: int) -> None:
    box = Box(*[()] * workers)
    box.gather()
    for step in range(1, 8):
        box.check(step)
    box.check_validation(7)
    box.check(8)
    assert not box.notices
    assert set(box.supervisor.useful_pids) <= {worker.pid for worker in box.workers}


@pytest.mark.parametrize("turn", [1, 2, 3])
@pytest.mark.parametrize("fault", [fault for fault in WorkerFault if fault in NOTED])
def test_every_fault(fault: WorkerFault, turn: int) -> None:
    box = Box([*[WorkerFault.NONE] * turn, fault], [])
    box.gather()
    for step in range(1, 4):
        box.check(step)
        box.check_validation(step)
    box.clock.time += 1000.0
    box.check(4)
    # A lease may lapse before a message shows that somebody is gone; one who is refused may have said more.
    may = {
        WorkerFault.DIES_UNNOTICED: {"lapsed"},
        WorkerFault.LATE: {"lapsed"},
        WorkerFault.NAN: {"bad message", "unasked"},
    }.get(fault, set())
    may |= {"unasked"} if fault in REFUSED else set()
    assert box.kinds() - may == NOTED[fault], box.notices
    assert bool(box.workers[0].refused) == (fault in REFUSED or fault is WorkerFault.NAN)


@pytest.mark.parametrize("fault", [fault for fault in HARMLESS if fault not in (WorkerFault.SILENT, WorkerFault.NONE)])
def test_a_fault_of_the_only_worker_until_another_comes(fault: WorkerFault) -> None:
    box = Box([fault])
    box.gather()
    box.supervisor.replace = lambda: None if box.endpoint.workers else replace()

    def replace() -> None:
        ToyWorker(box.endpoint)

    for step in range(1, 4):
        box.check(step)


# Three workers that failed end a run; two that agree on nan are believed.
ANY = [fault for fault in HARMLESS if fault not in (WorkerFault.FAILED, WorkerFault.NAN)]
SCRIPTS = st.lists(st.lists(st.sampled_from(ANY), max_size=6), max_size=4)


@settings(max_examples=60)
@given(SCRIPTS, st.lists(st.booleans(), min_size=1, max_size=6))
@example([[WorkerFault.WRONG_ROUND], [WorkerFault.SILENT]], [True, False])
def test_any_mixture_of_faults(scripts: list[list[WorkerFault]], kinds: list[bool]) -> None:
    box = Box([], *scripts)
    waiting = list(scripts)

    def replace() -> None:
        if waiting and len(box.endpoint.workers) <= len(scripts):
            ToyWorker(box.endpoint, waiting.pop())

    box.supervisor.replace = replace
    box.gather()
    for step, training in enumerate(kinds, 1):
        (box.check if training else box.check_validation)(step)
    replay(box.scheduler.events())


def test_parameters_travel_once_a_version() -> None:
    box = Box([], [])
    box.gather()
    parameters = np.ones(SIZE, np.float32)
    box.coordinator.start(1, parameters, box.out).result()
    box.coordinator.validate(1, 2 * parameters)
    box.coordinator.start(2, 2 * parameters, box.out).result()
    # 75 micro-batches of validation are four shares of at most 32.
    assert [worker.given for worker in box.workers] == [[True, True, False, False]] * 2


def test_failures_of_strangers_and_of_workers_not_yet_ready_do_not_count() -> None:
    box = Box([])
    box.gather()
    for number in range(2 * FAILURES):
        box.endpoint.arrive(b"stranger", m.encode(m.Failed("this session", "ha")))
        peer = b"late %d" % number
        box.endpoint.arrive(peer, m.encode(m.Hello("box", number, NUMERICS)))
        box.endpoint.arrive(peer, m.encode(m.Failed("this session", "no data")))
    box.check(1)


def test_an_interrupted_run_finishes_its_round_if_anybody_can() -> None:
    box = Box([WorkerFault.LATE], [WorkerFault.DIES], [])
    box.gather()
    box.stop = True
    box.check(1)
    box.check_validation(1)


@pytest.mark.parametrize(
    "fault",
    [WorkerFault.DIES, WorkerFault.DIES_UNNOTICED, WorkerFault.SILENT, WorkerFault.GOODBYE, WorkerFault.WRONG_SIZE],
)
def test_an_interrupted_round_without_hope_ends(fault: WorkerFault) -> None:
    box = Box([fault], [fault])
    box.gather()
    box.stop = True
    with pytest.raises(InterruptedRoundError):
        box.check(1)
    with pytest.raises(InterruptedRoundError):
        box.check_validation(1)


def test_gather_ends_when_interrupted_or_when_workers_cannot_start() -> None:
    box = Box()
    box.stop = True
    box.coordinator.gather(3)
    box.stop = False

    def hopeless() -> None:
        raise WorkersError("no")

    box.supervisor.replace = hopeless
    with pytest.raises(WorkersError):
        box.coordinator.gather(3)


def test_a_worker_that_dies_while_its_answer_is_taken_is_credited() -> None:
    """It answers late, and is given what another one had, which cannot be sent; the answer counts all the same."""
    box = Box([WorkerFault.LATE], [WorkerFault.DIES])
    box.gather()
    first = box.workers[0]
    take = box.endpoint.poll

    def poll(timeout: float) -> list[Received]:
        received = take(timeout)
        if any(r.peer == first.peer and isinstance(m.decode(r.frames)[0], m.Result) for r in received):
            box.endpoint.hang_up(first.peer, noticed=False)
        return received

    box.endpoint.poll = poll  # type: ignore[method-assign]
    box.supervisor.replace = lambda: None if box.endpoint.workers else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    left = [n.report for n in box.notices if n.kind is NoticeKind.LOST]
    assert [(report.pid, report.images) for report in left if report] == [(box.workers[1].pid, 0), (first.pid, 12)]


def test_a_worker_that_dies_before_it_is_ready_is_forgotten() -> None:
    box = Box([])
    half = ToyWorker(box.endpoint)
    half.deaf = True
    box.gather()
    assert [report.pid for report in box.coordinator.workers()] == [box.workers[0].pid]
    box.endpoint.hang_up(half.peer)
    box.check(1)
    assert [(n.kind, n.worker) for n in box.notices] == [(NoticeKind.LOST, f"box:{half.pid}")]


def test_one_who_computes_other_bits_is_refused() -> None:
    box = Box([])
    other = ToyWorker(box.endpoint, numerics="other numbers")
    box.gather()
    box.check(1)
    assert "other numbers" in other.refused
    assert NUMERICS in other.refused
    assert other.peer not in box.endpoint.workers


def test_idle_workers_hear_from_the_coordinator() -> None:
    box = Box([WorkerFault.SILENT, WorkerFault.SILENT], [], [], [], [], [], [], [], [])
    box.gather()
    before = box.clock.time
    box.check(1)
    waited = box.clock.time - before
    assert waited > 2 * PING
    for worker in box.workers[1:]:
        assert worker.pings >= waited // (PING + 1)


def test_who_did_what_is_counted_once_and_over_training_only() -> None:
    box = Box([WorkerFault.TWICE], [])
    box.gather()
    box.check(1)
    box.check_validation(1)
    reports = box.coordinator.workers()
    assert sum(report.images for report in reports) == 22
    assert box.coordinator.cpu_seconds() == 2.0
    box.endpoint.hang_up(box.workers[0].peer)
    box.check(2)
    assert len(box.coordinator.workers()) == 1
    assert box.coordinator.cpu_seconds() == 2.0


def test_close_tells_everybody() -> None:
    box = Box([], [])
    box.gather()
    box.coordinator.close()
    assert [type(message) for _, message in box.endpoint.sent[-2:]] == [m.Stop, m.Stop]
