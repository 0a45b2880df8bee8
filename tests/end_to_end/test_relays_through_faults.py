"""Relays as real processes, in every shape, with keys and audits, through one fault after the other.

After each step the sums are compared with those of a serial run, to the bit.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from subprocess import Popen
from threading import Event, Thread, Timer
from typing import Any

import pytest

from engine.compute.fingerprint import fingerprint
from engine.coordinator.policy import Policy
from engine.coordinator.source import WorkerReport
from engine.system.blas import one_blas_thread
from engine.wire import Listener
from engine.wire.keys import Keys
from engine.wire.relays import CREDITS_LIMIT
from tests.end_to_end.test_tree_of_relays import relays
from tests.launch.test_worker_pool import Nobody
from tests.support.chaos.link import Link
from tests.support.cluster import MODEL, Cluster
from tests.support.command import PATIENCE, start, wait_for_end
from tests.support.leaks import processes

VECTOR = 4 * MODEL.layout().size  # bytes
CUT = 5.0  # seconds
SLOWNESS, TURN = 10, 0.1  # a machine that computes for one part of so many of every so many seconds


class Site:
    """A coordinator with keys, and relays behind a link each, started one after the other."""

    def __init__(self, cluster: Cluster, words: tuple[object, ...], processes_each: int) -> None:
        self.cluster = cluster
        self.started: list[Popen[Any]] = []
        self.links: dict[int, Link] = {}  # by the process of the relay
        self._words = words
        self._each = processes_each
        self._steps = count(1)

    def add(self, link: Link) -> None:
        self.started.append(start("worker", link.address, *self._words))
        self.gather()
        self.links[self.new()] = link

    def gather(self) -> None:
        """Wait until all relays and processes are there."""
        while len(self.cluster.coordinator.workers()) < len(self.started) * (1 + self._each):
            self.cluster.coordinator.wait()

    def new(self) -> int:
        """Return the process of the relay that has not been seen before."""
        (pid,) = {relay.pid for relay in self.relays().values()} - self.links.keys()
        return pid

    def relays(self) -> dict[str, WorkerReport]:
        return relays(self.cluster)

    def below(self, relay: str) -> list[WorkerReport]:
        return [worker for worker in self.cluster.coordinator.workers() if worker.via == relay]

    def check(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.cluster.check(next(self._steps), meanwhile)

    def replaced(self, pid: int) -> None:
        """Wait until another relay has taken the place of one, and take a step with it."""
        self.gather()
        self.links[self.new()] = self.links.pop(pid)
        self.check()


@contextmanager
def site(machines: int, processes_each: int, topology: str, audit: float) -> Iterator[Site]:
    keys = Keys.make()
    keys.write(Path("key"))
    with one_blas_thread(), Listener("tcp://127.0.0.1:0", CREDITS_LIMIT, keys) as listener:
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy(audit))
        words = ("--key", "key", "--processes", processes_each, "--relay", "on", "--topology", topology, "--once")
        links = [Link(listener.address) for _ in range(machines)]
        made = Site(cluster, words, processes_each)
        try:
            for link in links:
                made.add(link)
            yield made
        finally:
            cluster.coordinator.close()
            for one in made.started:
                one.terminate()
            for one in made.started:
                one.communicate(timeout=PATIENCE)
            for link in links:
                link.close()


@contextmanager
def slowed(pids: list[int]) -> Iterator[None]:
    """Let processes have a tenth of their time."""
    over = Event()

    def slow() -> None:
        while not over.is_set():
            for number, seconds in ((signal.SIGSTOP, 1 - 1 / SLOWNESS), (signal.SIGCONT, 1 / SLOWNESS)):
                for pid in pids:
                    os.kill(pid, number)
                time.sleep(TURN * seconds)

    thread = Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.check
@pytest.mark.parametrize(
    ("machines", "processes_each", "topology", "audit"),
    [
        (2, 2, "star", 0.25),
        (1, 4, "star", 0.25),
        (3, 2, "star", 0.25),
        (3, 2, "tree", 0.25),
        (4, 2, "exchange", 0.0),
        (4, 2, "exchange", 0.05),
    ],
)
def test_one_fault_after_the_other(tidy: Path, machines: int, processes_each: int, topology: str, audit: float) -> None:
    with site(machines, processes_each, topology, audit) as here:
        here.check()
        joined = {relay.via for relay in here.relays().values() if relay.via}
        assert len(joined) == (topology == "tree"), "of three the third joins the second"

        names = here.relays().keys()
        below = here.below(next(iter(names)))
        here.check(lambda: os.kill(below[-1].pid, signal.SIGKILL))
        here.gather()
        assert here.relays().keys() == names, "nobody above notices"

        outer = next(relay.pid for name, relay in here.relays().items() if not relay.via and name not in joined)
        here.links[outer].tear(1 if topology == "exchange" else VECTOR)
        here.check(lambda: killed_in_an_upload(here, outer))
        here.replaced(outer)

        if joined := {relay.via for relay in here.relays().values() if relay.via}:
            inner = here.relays()[joined.pop()].pid
            here.check(lambda: os.kill(inner, signal.SIGKILL))
            here.replaced(inner)

        link = here.links[next(iter(here.links))]
        restored = Timer(CUT, link.restore)
        restored.start()
        here.check(link.cut)
        here.check()
        restored.join()
        here.gather()
        here.check()

        slow = next(iter(here.relays()))
        with slowed([here.relays()[slow].pid, *(worker.pid for worker in here.below(slow))]):
            here.check()
            here.check()
        here.cluster.coordinator.close()
        assert [one.wait(PATIENCE) for one in here.started] == [0] * machines
    assert wait_for_end(processes(tidy.name)) == []


def killed_in_an_upload(here: Site, pid: int) -> None:
    """Kill a relay when half a vector of it has got through."""
    link = here.links[pid]

    def kill() -> None:
        if link.torn.wait(PATIENCE):
            os.kill(pid, signal.SIGKILL)
            link.release()

    Thread(target=kill).start()
