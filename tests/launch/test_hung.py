"""Workers that are there but do not work, and workers that check each other: real processes."""

import os
import signal

import pytest

from engine.coordinator.notices import NoticeKind
from engine.coordinator.policy import Policy
from engine.coordinator.rounds import Leases
from engine.launch.local_workers import LIMITS, Limits, LocalWorkers
from engine.system.processes import hostname
from tests.support.cluster import LOST, cluster, exists
from tests.support.fakes import FakeClock

pytestmark = pytest.mark.usefixtures("numpy_kernels")
IMPATIENT = Leases(first_lease=0.6, least_lease=0.6, first_late=0.2, least_late=0.2)


@pytest.mark.parametrize(("count", "local"), [(1, "unix"), (2, "unix"), (2, "zmq")])
def test_a_hung_worker_is_killed_and_replaced(count: int, local: str) -> None:
    """It is frozen, so that it is still there, and connected, and ends only by SIGKILL."""
    with cluster(count, policy=Policy(leases=IMPATIENT), limits=Limits(suspicion=0.3), local=local) as box:
        box.coordinator.gather(count)
        box.check(1)
        hung = box.workers.pids[0]
        os.kill(hung, signal.SIGSTOP)
        os.waitpid(hung, os.WUNTRACED)
        for step in range(2, 1000):
            box.check(step)
            if hung not in box.workers.pids and LOST in box.gone():
                break
        kinds = [notice.kind for notice in box.notices]
        assert kinds.index(NoticeKind.LAPSED) < kinds.index(NoticeKind.KILLED) < kinds.index(NoticeKind.LOST)
        box.coordinator.gather(count)
        assert hung not in box.workers.pids
        box.check(1000)
        assert not exists(hung)


def test_an_audit_of_real_workers() -> None:
    with cluster(2, policy=Policy(audit=0.5)) as box:
        box.coordinator.gather(2)
        for step in range(1, 6):
            box.check(step)
        assert {notice.kind for notice in box.notices} == {"joined"}


def test_the_coordinator_computes_the_same_bits_as_its_only_worker() -> None:
    with cluster(1, policy=Policy(audit=1.0)) as box:
        box.coordinator.gather(1)
        box.check(1)
        assert {notice.kind for notice in box.notices} == {"joined"}


def test_suspicion_is_about_processes_of_this_machine_and_can_be_dispelled() -> None:
    here, clock = hostname(), FakeClock()
    with LocalWorkers("nowhere", 2, clock=clock, command=lambda *_: ["sleep", "1000"]) as workers:
        first, second = workers.pids
        workers.suspect("another machine", first)
        workers.suspect(here, os.getpid())
        workers.suspect(here, first)
        workers.trust(here, first)
        workers.suspect(here, first)
        workers.useful(first)
        clock.time += 2 * LIMITS.suspicion
        assert workers.look() == []
        assert workers.pids == [first, second]
        workers.suspect(here, second)
        clock.time += 0.9 * LIMITS.suspicion
        workers.suspect(here, second)  # counts from the first time on
        assert workers.look() == []
        clock.time += 0.1 * LIMITS.suspicion
        assert workers.look() == [second]
        assert workers.pids[0] == first
        assert len(workers.pids) == 2
    assert not exists(second)
