"""Relays that exchange parts of vectors, as real processes with keys: the bits are those of a serial run."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from engine.compute.fingerprint import fingerprint
from engine.coordinator.policy import Policy
from engine.system.blas import one_blas_thread
from engine.wire import Listener, Received, exchange
from engine.wire import messages as m
from engine.wire.keys import Keys
from engine.wire.relays import CREDITS_LIMIT
from tests.end_to_end.test_tree_of_relays import relays
from tests.launch.test_worker_pool import Nobody
from tests.support.cluster import Cluster
from tests.support.command import start, wait_for_end
from tests.support.leaks import processes

MACHINES = 4


class Counting(Listener):
    """Counts the sums that members of an exchange have sent."""

    sums = 0

    def poll(self, timeout: float) -> list[Received]:
        received = super().poll(timeout)
        self.sums += sum(isinstance(m.decode(one.frames)[0], exchange.Sum) for one in received)
        return received


@contextmanager
def members(
    machines: int = MACHINES, audit: float = 0.0, secure: bool = True
) -> Iterator[tuple[Cluster, Counting, list[Popen[Any]]]]:
    """Start a coordinator, and relays of a process each."""
    keys, started = Keys.make() if secure else None, list[Popen[Any]]()
    if keys:
        keys.write(Path("key"))
    way = ("--key", "key") if keys else ("--insecure",)
    with one_blas_thread(), Counting("tcp://127.0.0.1:0", CREDITS_LIMIT, keys) as listener:
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy(audit, twice=0))
        words = ("worker", listener.address, *way, "--processes", 1, "--relay", "on", "--once")
        try:
            started += [start(*words) for _ in range(machines)]
            cluster.coordinator.gather(machines)
            yield cluster, listener, started
        finally:
            cluster.coordinator.close()
            for one in started:
                one.terminate()
            for one in started:
                one.communicate(timeout=60)


def exchanged(cluster: Cluster, listener: Counting, step: int) -> int:
    """Take a step, and return how many parts of its sums came."""
    before = listener.sums
    cluster.check(step)
    return listener.sums - before


def meet(cluster: Cluster, listener: Counting, machines: int) -> int:
    """Take steps until so many relays are in an exchange; return the next step."""
    step = 1
    while exchanged(cluster, listener, step) < machines:
        step += 1
    return step + 1


def killed(cluster: Cluster, listener: Counting, machines: int) -> None:
    """Kill a member in the middle of an exchange."""
    step = meet(cluster, listener, machines)
    victim = next(iter(relays(cluster).values()))
    cluster.check(step, lambda: os.kill(victim.pid, signal.SIGKILL))


def test_one_is_killed_in_the_middle_of_a_round(tidy: Path) -> None:
    with members(MACHINES + 1) as (cluster, listener, started):
        killed(cluster, listener, MACHINES + 1)
        meet(cluster, listener, MACHINES)
        cluster.coordinator.gather(MACHINES + 1)  # another takes its place
        cluster.coordinator.close()
        assert [one.wait(60) for one in started] == [0] * (MACHINES + 1)
    assert wait_for_end(processes(tidy.name)) == []


@pytest.mark.check
def test_the_one_that_takes_its_place_is_a_member(tidy: Path) -> None:
    with members() as (cluster, listener, _):
        killed(cluster, listener, MACHINES)
        cluster.coordinator.gather(MACHINES)
        meet(cluster, listener, MACHINES)


@pytest.mark.check
def test_without_keys(tidy: Path) -> None:
    with members(secure=False) as (cluster, listener, _):
        meet(cluster, listener, MACHINES)
        assert not [notice for notice in cluster.notices if notice.kind == "again"]
