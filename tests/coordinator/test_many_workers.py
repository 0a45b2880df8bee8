"""A thousand workers that come, go and cannot be reached, all at once: as when a switch fails."""

from collections.abc import Sequence

import pytest

from engine.wire import messages as m
from tests.coordinator.test_coordinator import Box
from tests.support.fakes import ToyWorker
from tests.support.faults import WorkerFault

MANY = 1000


def crowd(fault: WorkerFault = WorkerFault.NONE) -> Box:
    box = Box(*[[fault]] * MANY, check_every=100)
    box.gather()
    assert len(box.coordinator.workers()) == MANY
    return box


def spare_when_empty(box: Box) -> None:
    """Start one worker when none is left, as a supervisor would."""
    box.supervisor.replace = lambda: None if box.endpoint.workers else start()

    def start() -> None:
        ToyWorker(box.endpoint)


def test_all_join_together_and_work() -> None:
    box = crowd()
    box.check(1)
    box.check_validation(1)
    assert not box.notices


def test_all_join_together_while_a_round_waits_for_them() -> None:
    box = Box(check_every=100)
    box.supervisor.replace = lambda: None if box.endpoint.workers else arrive()

    def arrive() -> None:
        for _ in range(MANY):
            ToyWorker(box.endpoint)

    box.check(1)
    box.check_validation(1)
    assert len(box.coordinator.workers()) == MANY


@pytest.mark.parametrize("noticed", [True, False])
def test_all_are_gone_when_they_are_pinged(noticed: bool) -> None:
    box = crowd(WorkerFault.SILENT)
    spare_when_empty(box)
    looks = iter(range(1, 10_000))
    start = box.supervisor.replace

    def leave() -> None:
        if next(looks) == 3:
            for worker in box.workers:
                box.endpoint.hang_up(worker.peer, noticed)
        start()

    box.supervisor.replace = leave
    box.check(1)
    assert {notice.worker for notice in box.notices if notice.text == "its connection was lost"} == {
        f"box:{worker.pid}" for worker in box.workers
    }
    assert len(box.coordinator.workers()) == 1


@pytest.mark.parametrize("validation", [False, True])
def test_all_are_gone_when_their_shares_are_sent(validation: bool) -> None:
    box = crowd()
    spare_when_empty(box)
    for worker in box.workers:
        box.endpoint.hang_up(worker.peer, noticed=False)
    (box.check_validation if validation else box.check)(1)
    assert len([notice for notice in box.notices if notice.text == "its connection was lost"]) == MANY
    assert len(box.coordinator.workers()) == 1


def test_no_send_succeeds_until_one_worker_is_reached() -> None:
    box = crowd()
    plain = box.endpoint.send

    def send(peer: bytes, frames: Sequence[m.Frame]) -> bool:
        return peer not in crowded and plain(peer, frames)

    crowded = {worker.peer for worker in box.workers}
    box.endpoint.send = send  # type: ignore[method-assign]
    box.supervisor.replace = lambda: None if len(box.endpoint.workers) > MANY else start()

    def start() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    box.check_validation(1)
    assert len(box.coordinator.workers()) == 1


def test_all_say_goodbye_together() -> None:
    box = crowd(WorkerFault.SILENT)
    for worker in box.workers:
        worker.say(m.Goodbye("this session", "enough"))
    box.supervisor.replace = lambda: None if len(box.endpoint.workers) > MANY else start()

    def start() -> None:
        ToyWorker(box.endpoint)

    box.check(1)
    assert len([notice for notice in box.notices if notice.text == "enough"]) == MANY
