"""Relays that join each other, as real processes with keys: the bits are those of a serial run, whoever is killed."""

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
from engine.coordinator.source import WorkerReport
from engine.system.blas import one_blas_thread
from engine.wire import Listener
from engine.wire.keys import Keys
from engine.wire.relays import CREDITS_LIMIT
from tests.launch.test_worker_pool import Nobody
from tests.support.cluster import Cluster
from tests.support.command import start, wait_for_end
from tests.support.leaks import processes

MACHINES = 3  # of which the third joins the second


@contextmanager
def tree(processes_each: int, audit: float = 0.0, topology: str = "tree") -> Iterator[tuple[Cluster, list[Popen[Any]]]]:
    """Start a coordinator with keys, and relays one after the other."""
    keys, started = Keys.make(), list[Popen[Any]]()
    keys.write(Path("key"))
    with one_blas_thread(), Listener("tcp://127.0.0.1:0", CREDITS_LIMIT, keys) as listener:
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy(audit))
        words = ("worker", listener.address, "--key", "key", "--processes", processes_each, "--relay", "on")
        try:
            for _ in range(MACHINES):
                started.append(start(*words, "--once", "--topology", topology))
            cluster.coordinator.gather(MACHINES * processes_each)
            yield cluster, started
        finally:
            cluster.coordinator.close()
            for one in started:
                one.terminate()
            for one in started:
                one.communicate(timeout=60)


def relays(cluster: Cluster) -> dict[str, WorkerReport]:
    """Return the relays, by name."""
    workers = cluster.coordinator.workers()
    names = {worker.via for worker in workers}
    return {worker.name: worker for worker in workers if worker.name in names}


def direct(cluster: Cluster) -> int:
    return sum(not relay.via for relay in relays(cluster).values())


def inner_relay(cluster: Cluster) -> str:
    """Return the relay that another has joined."""
    (inner,) = {relay.via for relay in relays(cluster).values() if relay.via}
    return inner


def test_whoever_is_killed_in_the_middle_of_a_round(tidy: Path) -> None:
    with tree(1, audit=0.25) as (cluster, started):
        assert direct(cluster) == MACHINES - 1
        for step in range(1, 4):
            cluster.check(step)
        inner = inner_relay(cluster)
        (behind,) = [relay.name for relay in relays(cluster).values() if relay.via == inner]
        below = next(worker for worker in cluster.coordinator.workers() if worker.via == behind)
        cluster.check(4, lambda: os.kill(below.pid, signal.SIGKILL))
        cluster.check(5)
        assert inner in relays(cluster), "what happened behind it is not its fault"
        cluster.check(6, lambda: os.kill(relays(cluster)[inner].pid, signal.SIGKILL))
        cluster.coordinator.gather(MACHINES)  # another takes its place, and the one behind it comes back
        for step in range(7, 10):
            cluster.check(step)
        assert inner not in relays(cluster)
        assert len(relays(cluster)) == MACHINES
        cluster.coordinator.close()
        assert [one.wait(60) for one in started] == [0] * MACHINES
    assert wait_for_end(processes(tidy.name)) == []


@pytest.mark.check
def test_several_processes_each(tidy: Path) -> None:
    with tree(3) as (cluster, _):
        for step in range(1, 4):
            cluster.check(step)
        assert direct(cluster) == MACHINES - 1


@pytest.mark.check
def test_without_a_tree(tidy: Path) -> None:
    with tree(1, topology="star") as (cluster, _):
        cluster.check(1)
        assert direct(cluster) == MACHINES


@pytest.mark.check
def test_one_that_is_frozen(tidy: Path) -> None:
    """Its share is given to others; those behind it come back when its heartbeats are missed."""
    with tree(1) as (cluster, _):
        cluster.check(1)
        inner = inner_relay(cluster)
        pid = relays(cluster)[inner].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            cluster.check(2)
            cluster.coordinator.gather(MACHINES - 1)
            cluster.check(3)
        finally:
            os.kill(pid, signal.SIGCONT)
        cluster.coordinator.gather(MACHINES)
        cluster.check(4)
