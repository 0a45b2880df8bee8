"""Relays as real processes: the bits are those of a serial run, whoever is killed, and nothing is left behind."""

import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from engine.checkpoint import load
from engine.compute.fingerprint import fingerprint
from engine.coordinator.policy import Policy
from engine.coordinator.source import WorkerReport
from engine.system.blas import one_blas_thread
from engine.wire import Listener
from tests.launch.test_worker_pool import Nobody
from tests.support.cluster import MODEL, Cluster
from tests.support.command import SMALL, Gradsum, finish, save_data, start, wait_for_end
from tests.support.leaks import processes


@pytest.fixture
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def machines(address: str, count: int) -> "Iterator[list[Popen[Any]]]":
    """Start relays with two processes each."""
    started = [start("worker", address, "--processes", 2) for _ in range(count)]
    try:
        yield started
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.communicate(timeout=60)


@contextmanager
def coordinator(address: str, processes: int, audit: float = 0.0) -> Iterator[Cluster]:
    with one_blas_thread(), Listener(address, 4 * MODEL.layout().size) as listener:
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy(audit))
        cluster.coordinator.gather(processes)
        yield cluster
        cluster.coordinator.close()


def saved(folder: Path) -> bool:
    """Return whether a folder that may come and go has a checkpoint."""
    with suppress(FileNotFoundError):
        return any(path.suffix == ".safetensors" for path in folder.iterdir())
    return False


def below(cluster: Cluster) -> list[WorkerReport]:
    return [worker for worker in cluster.coordinator.workers() if worker.via]


def relays(cluster: Cluster) -> list[WorkerReport]:
    return [worker for worker in cluster.coordinator.workers() if not worker.via]


def test_whoever_is_killed_in_the_middle_of_a_round(tidy: Path, address: str) -> None:
    with machines(address, 2), coordinator(address, 4, audit=0.25) as cluster:
        for step in range(1, 4):
            cluster.check(step)
        names = {relay.name for relay in relays(cluster)}
        os.kill(below(cluster)[0].pid, signal.SIGKILL)
        for step in range(4, 7):
            cluster.check(step)
        assert {relay.name for relay in relays(cluster)} == names, "nobody above notices"
        gone = relays(cluster)[0]
        processes_of_it = [worker.pid for worker in below(cluster) if worker.via == gone.name]
        cluster.check(7, lambda: os.kill(gone.pid, signal.SIGKILL))
        assert wait_for_end(processes_of_it) == []
        cluster.coordinator.gather(4)  # another takes its place
        cluster.check(8)
        assert gone.name not in {relay.name for relay in relays(cluster)}


@pytest.mark.check
@pytest.mark.parametrize("count", [1, 4])
def test_a_coordinator_that_is_killed_and_resumed(gradsum: Gradsum, tidy: Path, address: str, count: int) -> None:
    """Four relays exchange parts of vectors."""
    save_data()
    cut = ("--microbatch", 1)  # so that each relay has a share
    options = (
        *SMALL[1:5],
        *SMALL[7:],
        *cut,
        "--min-workers",
        2 * count,
        "--checkpoint-every",
        5,
        "--bind",
        address,
        "--insecure",
        "--db",
        "r.db",
    )
    with machines(address, count):
        run = start("coordinator", *options, "--out", "out", "--steps", 1 << 30)
        while not saved(Path("out")):
            assert run.poll() is None
        run.kill()
        finish(run)
        more = load(Path("out")).step + 20
        resumed = gradsum("coordinator", "--resume", "out", "--steps", more, "--json").json()
    serial = gradsum(*SMALL, *cut, "--steps", more, "--db", "s.db", "--out", "s", "--json").json()
    assert resumed["params_sha256"] == serial["params_sha256"]
    assert (resumed["workers"], resumed["steps"]) == (2 * count, more)


def test_every_process_has_a_row_and_no_image_is_counted_twice(gradsum: Gradsum, tidy: Path, address: str) -> None:
    save_data()
    options = (
        *SMALL[1:5],
        *SMALL[7:],
        "--min-workers",
        2,
        "--bind",
        address,
        "--insecure",
        "--db",
        "r.db",
        "--out",
        "out",
    )
    with machines(address, 1):
        gradsum("coordinator", *options, "--steps", 30)
    with closing(sqlite3.connect("r.db")) as db:
        rows = db.execute("SELECT worker, via, images, seconds, cpu, host, pid FROM workers ORDER BY via").fetchall()
    (relay, *its), processes = rows[0], rows[1:]
    assert its == [None, 0, 0.0, its[3], socket.gethostname(), int(relay.rpartition(":")[2])]
    assert [via for _, via, *_ in processes] == [relay] * 2
    assert sum(images for _, _, images, *_ in processes) == 30 * 8
    assert all(seconds > 0 < cpu for _, _, images, seconds, cpu, *_ in processes if images)
    assert "1 machine, 2 processes" in gradsum("show", 1, "--db", "r.db").out


@pytest.mark.check
def test_nothing_is_left_of_a_relay_that_is_killed(tidy: Path, address: str) -> None:
    with machines(address, 1) as (pool,), coordinator(address, 2) as cluster:
        cluster.check(1)
        everyone = processes(tidy.name)
        assert len(everyone) == 4, "the command, the relay and its two processes"
        pool.kill()
        assert wait_for_end([pid for pid in everyone if pid != pool.pid]) == []
    assert list(tidy.iterdir()) == []
