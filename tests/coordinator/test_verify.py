"""A step whose gradient cannot be believed is computed again, every block by two: who lied is refused."""

import numpy as np
import pytest

from engine.compute import tree
from engine.coordinator.coordinator import DOUBLED
from engine.coordinator.notices import NoticeKind
from engine.coordinator.rounds import Accept, Arbitrate, Arbitrated, Begin, Complete, Event, Instruction
from engine.wire import messages as m
from tests.coordinator.test_coordinator import SIZE, Box
from tests.support.fakes import JOB, CheckedScheduler, ToyWorker
from tests.support.faults import WorkerFault

HUGE, NONE = WorkerFault.HUGE, WorkerFault.NONE


def opinions(box: Box, number: int) -> dict[tree.Block, list[bytes]]:
    """Return which workers had each block of round `number`."""
    found: dict[tree.Block, list[bytes]] = {}
    for peer, work in box.endpoint.sent:
        if isinstance(work, m.Work) and work.round == number:
            for block in tree.cover(work.start, work.stop, work.total):
                found.setdefault(block, []).append(peer)
    return found


@pytest.mark.parametrize("fault", [HUGE, WorkerFault.NAN_GRADIENT])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_one_that_spoils_the_sum_is_found_at_once_without_an_audit(
    workers: int, place: int, fault: WorkerFault
) -> None:
    scripts: list[list[WorkerFault]] = [[] for _ in range(workers)]
    scripts[place % workers] = [fault] * 9
    box = Box(*scripts)
    box.gather()
    box.supervisor.replace = lambda: None if box.endpoint.workers else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    liar = box.workers[place % workers]
    assert {n.worker for n in box.notices if n.kind is NoticeKind.AUDIT} == {f"box:{liar.pid}"}
    (corrected,) = (n for n in box.notices if n.kind is NoticeKind.CORRECTED)
    assert f"box:{liar.pid}" in corrected.text
    assert corrected.text.startswith("step 1: ")
    assert bool(box.arbitrated) == (workers < 3), "the coordinator is asked when there is nobody else"
    box.check(2)
    assert [worker for worker in box.workers if worker.refused] == [liar]
    assert not {"differs", "audit"} & {n.kind for n in box.notices[box.notices.index(corrected) + 1 :]}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_right_sums_are_confirmed_and_their_images_are_counted_once(workers: int) -> None:
    box = Box(*[()] * workers)
    box.gather()
    parameters = np.ones(SIZE, np.float32)
    sums = box.coordinator.start(1, parameters, box.out).result()
    assert sums.gradient is not None
    before = sums.gradient.copy()
    assert box.coordinator.verify(1, parameters, sums) is None
    assert sums.gradient.tobytes() == before.tobytes()
    assert box.kinds() == {"confirmed"}
    assert sum(report.images for report in box.coordinator.workers()) == JOB.batch_size
    said = opinions(box, 2)
    assert all(len(set(peers)) == len(peers) == min(workers, 2) for peers in said.values())
    assert bool(box.arbitrated) == (workers == 1)


def test_the_second_opinion_is_from_another_machine() -> None:
    """Two liars on one machine agree with each other, which is of no use to them."""
    box = Box()
    bad = [ToyWorker(box.endpoint, [HUGE] * 9, host="bad") for _ in range(2)]
    for worker in bad:
        worker.pid = 3  # so that they tell the same lies
    good = ToyWorker(box.endpoint, host="good")
    box.endpoint.remote = {worker.peer for worker in (*bad, good)}
    box.coordinator.gather(3)
    box.check(1)
    box.check(2)
    assert all(worker.refused for worker in bad if worker.given)
    assert not good.refused


def test_a_wrong_sum_without_a_culprit_makes_the_coordinator_wary() -> None:
    """The liar is honest when it is asked again; the next time it lies it is found."""
    box = Box([HUGE, NONE, NONE, NONE, NONE, NONE, NONE, NONE, HUGE], [], [])
    box.gather()
    box.check(1)
    corrected = [n.text for n in box.notices if n.kind is NoticeKind.CORRECTED]
    assert corrected == [
        "step 1: every block was computed again, twice: the gradient was wrong, and is now right; which "
        f"worker sent it is not known, so all blocks of the next {DOUBLED} steps are computed twice"
    ]
    liar = box.workers[0]
    step = 1
    while not liar.refused:
        step += 1
        box.check(step)
        assert step < 10
    assert [n.kind for n in box.notices if n.kind is NoticeKind.CORRECTED] == [NoticeKind.CORRECTED]
    assert not any(worker.refused for worker in box.workers[1:])


def test_it_is_wary_for_a_while() -> None:
    box = Box([HUGE], [])
    box.gather()
    for step in range(1, DOUBLED + 3):
        box.check(step)
    rounds = {message.round for _, message in box.endpoint.sent if isinstance(message, m.Work)}
    twice = [number for number in sorted(rounds) if {len(peers) for peers in opinions(box, number).values()} == {2}]
    assert twice == list(range(2, DOUBLED + 3))
    assert max(rounds) == DOUBLED + 3


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_first_step_is_computed_twice_because_there_is_nothing_to_compare_it_with(workers: int) -> None:
    box = Box([HUGE] * 9, *[()] * (workers - 1), twice=1)
    box.gather()
    box.supervisor.replace = lambda: None if box.endpoint.workers else spare()

    def spare() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    assert {n.worker for n in box.notices if n.kind is NoticeKind.AUDIT} == {f"box:{box.workers[0].pid}"}
    assert "corrected" not in box.kinds(), "it never was wrong"
    own = sum(int(n.text.split()[0]) for n in box.notices if n.kind is NoticeKind.ARBITRATED)
    assert bool(own) == (workers == 1)
    gone = sum(n.report.images for n in box.notices if n.kind is NoticeKind.LOST and n.report)
    assert own + gone + sum(report.images for report in box.coordinator.workers()) == JOB.batch_size


def test_a_worker_that_the_coordinator_agrees_with_is_credited() -> None:
    box = Box([], twice=1)
    box.gather()
    box.check(1)
    assert box.arbitrated
    assert not box.notices
    assert [report.images for report in box.coordinator.workers()] == [JOB.batch_size]


class Forgetful(CheckedScheduler):
    """Says that a worker found what the coordinator computed, though its loss is the next event."""

    def handle(self, event: Event, now: float) -> list[Instruction]:
        match event:
            case Begin(number, total):
                return [Arbitrate((0, total))]
            case Arbitrated(number, block):
                return [Accept(block, b"gone"), Complete(number)]
        return []


def test_a_worker_that_has_just_been_lost_gets_no_credit() -> None:
    box = Box(least=0, scheduler=Forgetful())
    box.check(1)
    assert [notice.text for notice in box.notices] == ["22 images of step 1 were computed by the coordinator"]
