"""The coordinator and workers that are late, wrong or gone: copies, audits, pauses, and still the exact sums."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compute import tree
from engine.coordinator.inbox import FAILURES
from engine.coordinator.notices import NoticeKind
from engine.coordinator.rounds import Audit, Leases
from engine.errors import InterruptedRoundError, WorkerFailedError
from engine.wire import messages as m
from tests.coordinator.test_coordinator import SIZE, Box
from tests.support.fakes import JOB, NUMERICS, TRACEBACK, ToyWorker
from tests.support.faults import WorkerFault


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_run_that_diverges_may_say_so(value: float) -> None:
    box = Box([])
    box.gather()
    parameters = np.full(SIZE, value, np.float32)
    sums = box.coordinator.start(1, parameters, box.out).result()
    assert sums.gradient is not None
    assert not np.isfinite(sums.loss)
    assert not np.isfinite(sums.gradient).any()


def test_in_a_healthy_run_nothing_is_computed_twice_without_an_audit() -> None:
    box = Box([], [], [])
    box.gather()
    for step in range(1, 30):
        box.check(step)
    handed = [work for _, work in box.endpoint.sent if isinstance(work, m.Work)]
    assert sum(work.stop - work.start for work in handed) == sum(
        -(-samples // JOB.microbatch) for samples in itertools.islice(itertools.cycle((22, 22, 6)), 29)
    )


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("audit", [0.3, 1.0])
def test_an_audit_of_honest_workers_finds_nothing(workers: int, audit: float) -> None:
    box = Box(*[()] * workers, audit=audit)
    box.gather()
    for step in range(1, 8):
        box.check(step)
        box.check_validation(step)
    assert not box.notices
    given: dict[tuple[int, int], list[bytes]] = {}
    for peer, work in box.endpoint.sent:
        if isinstance(work, m.Work) and work.kind is m.WorkKind.TRAIN:
            for block in tree.cover(work.start, work.stop, work.total):
                given.setdefault((work.step, *block)[:3], []).append(peer)  # type: ignore[arg-type]
    chosen = {key for key in given if Audit(audit, JOB.seed, key[0]).chooses(key[1:])}  # type: ignore[arg-type]
    assert len(chosen) == len(given) if audit == 1.0 else 0 < len(chosen) < len(given)
    for key, peers in given.items():
        assert len(set(peers)) == len(peers) == (2 if key in chosen and workers > 1 else 1)
    assert bool(box.arbitrated) == (workers == 1), "the coordinator is asked when there is nobody else"


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("workers", [2, 3, 5])
def test_one_with_bad_memory_is_found_and_has_to_go(workers: int, place: int) -> None:
    scripts: list[list[WorkerFault]] = [[] for _ in range(workers)]
    scripts[place % workers] = [WorkerFault.NONE, WorkerFault.FLIP]
    box = Box(*scripts, audit=1.0)
    box.gather()
    for step in range(1, 5):
        box.check(step)
    liar = box.workers[place % workers]
    assert re.search(r"bits for block \(\d, \d\) of step [12] are wrong", liar.refused)
    assert not any(worker.refused for worker in box.workers if worker is not liar)
    assert {n.worker for n in box.notices if n.kind is NoticeKind.AUDIT} == {f"box:{liar.pid}"}
    differs = [n for n in box.notices if n.kind is NoticeKind.DIFFERS]
    assert differs
    assert all(f"box:{liar.pid}" in n.text and n.text.count("box:") >= 2 for n in differs), "both are named"
    assert bool(box.arbitrated) == (workers == 2), "a third worker is asked if there is one"


def test_if_all_have_bad_memory_the_run_still_gets_the_right_sums() -> None:
    box = Box([WorkerFault.FLIP], [WorkerFault.FLIP], [WorkerFault.FLIP], audit=1.0)
    box.gather()
    box.supervisor.replace = lambda: None if box.endpoint.workers else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    box.check(2)
    assert all(worker.refused for worker in box.workers)
    assert len(box.arbitrated) >= 1


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from([f for f in WorkerFault if f is not WorkerFault.FAILED]), max_size=6), max_size=4)
)
def test_any_mixture_of_faults_under_audit(scripts: list[list[WorkerFault]]) -> None:
    box = Box([], *scripts, audit=1.0)
    box.gather()
    for step in range(1, 7):
        box.check(step)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("kind", [m.WorkKind.TRAIN, m.WorkKind.VALIDATE])
def test_sums_that_are_not_finite_are_computed_again(workers: int, kind: m.WorkKind) -> None:
    box = Box([WorkerFault.NAN], *[()] * (workers - 1))
    box.gather()
    box.supervisor.replace = lambda: None if box.endpoint.workers else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    (box.check if kind is m.WorkKind.TRAIN else box.check_validation)(1)
    box.check(2)
    kinds = box.kinds() - {"bad message", "unasked", "waiting", "joined", "continued"}
    alone = {"arbitrated"} if kind is m.WorkKind.TRAIN else set()
    assert kinds == {"not finite", "audit", "lost"} | ({"differs"} if workers > 1 else alone)
    assert box.workers[0].refused
    assert not any(worker.refused for worker in box.workers[1:])


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("times", [1, 2])
def test_a_gradient_that_is_not_finite_shows_in_the_sum_and_is_then_looked_for(workers: int, times: int) -> None:
    """One whose memory fails once is not found; one whose memory fails again is."""
    box = Box([WorkerFault.NAN_GRADIENT] * times, *[()] * (workers - 1))
    box.gather()
    box.check(1)
    assert NoticeKind.CORRECTED in box.kinds()
    assert ("audit" in box.kinds()) == (times == 2)
    ToyWorker(box.endpoint)
    box.check(2)
    assert bool(box.workers[0].refused) == (times == 2)
    assert not any(worker.refused for worker in box.workers[1:])


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("verified", [False, True])
def test_a_divergence_that_two_agree_on_is_one(workers: int, verified: bool) -> None:
    box = Box(*[()] * workers)
    box.gather()
    parameters = np.full(SIZE, np.nan, np.float32)
    sums = box.coordinator.start(1, parameters, box.out).result()
    if verified:
        assert box.coordinator.verify(1, parameters, sums) is None
    assert sums.gradient is not None
    assert np.isnan(sums.loss)
    assert np.isnan(sums.gradient).all()
    assert box.kinds() == ({"not finite", "confirmed"} if verified else {"not finite"})
    assert bool(box.arbitrated) == (workers == 1)
    assert len(box.coordinator.workers()) == workers


def test_a_silent_worker_is_helped_before_its_lease_is_over() -> None:
    box = Box([*[WorkerFault.NONE] * 5, WorkerFault.SILENT], [])
    box.gather()
    for step in range(1, 6):
        box.check(step)
    before = box.clock.time
    box.check(7)
    assert box.clock.time - before < Leases().least_lease
    assert not box.notices
    assert not box.supervisor.suspects
    box.clock.time += Leases().first_lease
    box.check(8)
    assert box.kinds() == {"lapsed"}
    assert box.supervisor.suspects == {box.workers[0].pid}


def test_a_run_pauses_while_there_are_too_few_workers() -> None:
    box = Box([WorkerFault.DIES], [], least=2)
    box.gather()
    looks = itertools.count(1)

    def replace() -> None:
        if next(looks) == 100:
            assert box.supervisor.useful_pids.count(box.workers[1].pid) > 1, (
                "the round was finished by the one that is left"
            )
            ToyWorker(box.endpoint)

    box.supervisor.replace = replace
    parameters = np.ones(SIZE, np.float32)
    pending = box.coordinator.start(1, parameters, box.out)
    assert box.shares_sent() == 2, "workers compute while the caller has other things to do"
    assert not box.notices
    pending.result()
    before, sent = box.clock.time, box.shares_sent()
    pending = box.coordinator.start(2, parameters, box.out)
    assert (box.clock.time, box.shares_sent()) == (before, sent), "nobody waits yet"
    assert box.kinds() == {"lost"}
    pending.result()
    assert [n.kind for n in box.notices] == ["lost", "waiting", "joined", "continued"]
    assert "1 of 2 workers" in box.notices[1].text
    assert len(box.coordinator.workers()) == 2


@pytest.mark.parametrize("least", [1, 2])
def test_a_run_without_workers_waits_until_one_comes_or_it_is_to_stop(least: int) -> None:
    box = Box([WorkerFault.DIES], least=least)
    box.coordinator.gather(1)
    box.notices.clear()
    looks = itertools.count(1)

    def replace() -> None:
        box.stop = next(looks) == 50

    box.supervisor.replace = replace
    with pytest.raises(InterruptedRoundError):
        box.check(1)
    assert [n.kind for n in box.notices] == (["lost", "waiting"] if least == 1 else ["waiting"])
    assert next(looks) == 51


def test_one_that_joins_helps_in_the_running_round() -> None:
    box = Box([WorkerFault.SILENT])
    box.gather()
    box.supervisor.replace = lambda: None if box.clock.time < 1200 or len(box.endpoint.workers) > 1 else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    assert len(box.coordinator.workers()) == 2


def test_three_failures_in_a_round_end_the_run_with_the_traceback() -> None:
    box = Box(*[[WorkerFault.FAILED]] * FAILURES)
    box.gather()
    with pytest.raises(WorkerFailedError, match=rf"worker box:{box.workers[-1].pid} failed") as caught:
        box.check(1)
    assert caught.value.remote_traceback == TRACEBACK, "the whole of it"
    lost = [n for n in box.notices if n.kind is NoticeKind.LOST]
    assert [n.text for n in lost] == ["it failed: ValueError: bad luck \N{SNOWMAN}"] * FAILURES
    assert {n.detail for n in lost} == {TRACEBACK}


def test_workers_elsewhere_may_fail_as_often_as_they_like() -> None:
    box = Box(*[[WorkerFault.FAILED]] * (2 * FAILURES), [])
    box.endpoint.remote = {worker.peer for worker in box.workers[:-1]}
    box.gather()
    box.check(1)
    assert len([n for n in box.notices if n.kind is NoticeKind.LOST]) == 2 * FAILURES


@pytest.mark.parametrize("fault", [WorkerFault.NONE, WorkerFault.SILENT, WorkerFault.DIES])
def test_workers_elsewhere_say_nothing_about_processes_here(fault: WorkerFault) -> None:
    """Whoever joins over the network may give the process id of a local worker as its own."""
    box = Box([fault], [])
    box.endpoint.remote = {worker.peer for worker in box.workers}
    box.supervisor.suspects = {box.workers[0].pid}
    box.gather()
    for step in range(1, 4):
        box.check(step)
    assert (box.supervisor.useful_pids, box.supervisor.suspects) == ([], {box.workers[0].pid})


class Straggler(ToyWorker):
    """A worker that did not hear that the last run is over; told so, it says hello."""

    def say(self, message: m.Message, payload: m.Frame | None = None) -> None:
        late = m.Result("the last session", 1, 1, 0, 1, 0.5, 1, seconds=0.25, cpu=2.0)
        super().say(late if isinstance(message, m.Hello) else message, payload)

    def receive(self, message: m.Message, payload: m.Frame | None) -> None:
        if message == m.Stop("the last session", "that session is over"):
            super().say(m.Hello("box", self.pid, NUMERICS))
        else:
            super().receive(message, payload)


def test_a_worker_that_missed_the_end_of_the_last_run_is_told_and_joins_this_one() -> None:
    box = Box([])
    box.gather()
    late = Straggler(box.endpoint)
    for step in range(1, 9):
        box.check(step)
    assert late.given, "it has work"
    assert box.kinds() == {"unasked", "joined"}


class Reconnected(ToyWorker):
    """A worker that loses its connection while it computes: the answer comes by a new one, and before the hello."""

    lost = False

    def receive(self, message: m.Message, payload: m.Frame | None) -> None:
        if isinstance(message, m.Work) and not self.lost:
            self.lost = True
            self._endpoint.hang_up(self.peer)
            self.peer += b" again"
            self._endpoint.workers[self.peer] = self
            self._work(message, payload)
        elif isinstance(message, m.Stop):
            if self._session:  # the others are for a stay that is over
                self._session = ""
                self.say(m.Hello("box", self.pid, NUMERICS))
        else:
            super().receive(message, payload)


@pytest.mark.parametrize("others", [0, 1, 2])
def test_a_worker_that_lost_its_connection_while_it_computed_joins_again(others: int) -> None:
    box = Box(*[()] * others)
    worker = Reconnected(box.endpoint)
    box.coordinator.gather(others + 1)
    for step in range(1, 9):
        box.check(step)
    assert (worker.lost, worker.refused) == (True, "")
    assert len(worker.given) > 1, "it has work again"
    assert box.kinds() - {"waiting", "continued"} == {"joined", "unasked", "lost"}
