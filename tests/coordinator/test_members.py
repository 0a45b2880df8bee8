"""4,096 members that join, leave and vanish, with a fake transport: what each costs the coordinator."""

import time
import tracemalloc

import pytest

from engine.wire import messages as m
from tests.coordinator.test_coordinator import Box
from tests.support.fakes import ToyWorker

MEMBERS = 4096
BYTES = 16_384  # that a member may take; measured: see benchmarks/README.md


@pytest.mark.check
@pytest.mark.computes
def test_members_join_leave_and_vanish(capsys: pytest.CaptureFixture[str]) -> None:
    box = Box(check_every=MEMBERS)
    keeper = ToyWorker(box.endpoint)
    box.coordinator.gather(1)
    tracemalloc.start()
    empty, _ = tracemalloc.get_traced_memory()
    crowd = [ToyWorker(box.endpoint) for _ in range(MEMBERS)]
    toys, _ = tracemalloc.get_traced_memory()
    began = time.process_time()
    box.coordinator.gather(1 + MEMBERS)
    joined = time.process_time() - began
    full, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    box.check(1)
    box.check_validation(1)
    began = time.process_time()
    for worker in crowd[::2]:
        worker.say(m.Goodbye("this session", "enough"))
        box.endpoint.hang_up(worker.peer, noticed=False)
    for worker in crowd[1::2]:
        box.endpoint.hang_up(worker.peer)
    while len(box.scheduler) > 1:
        box.coordinator.wait()
    left = time.process_time() - began
    with capsys.disabled():
        print(
            f"\n{MEMBERS} members: {(full - toys) / MEMBERS:.0f} bytes each, "
            f"{1e6 * joined / MEMBERS:.0f} us of CPU to join, "
            f"{1e6 * left / MEMBERS:.0f} us to leave or vanish (toys: {(toys - empty) / MEMBERS:.0f} bytes)"
        )
    assert (full - toys) / MEMBERS < BYTES
    assert [worker.pid for worker in box.coordinator.workers()] == [keeper.pid]
    assert sum(notice.kind == "left" for notice in box.notices) == MEMBERS // 2
    assert sum(notice.kind == "lost" for notice in box.notices) == MEMBERS // 2
    box.check(2)
