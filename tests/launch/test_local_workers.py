"""Real worker processes: started, replaced, ended; nothing of them is left, whoever is killed."""

import logging
import os
import select
import signal
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path

import pytest

from engine.errors import WorkersError
from engine.launch.local_workers import Limits, LocalWorkers
from tests.support.cluster import LOST, cluster, descriptors, exists
from tests.support.fakes import FakeClock
from tests.support.repository import ROOT

pytestmark = pytest.mark.usefixtures("numpy_kernels")
SORRY = "echo sorry >&2; exit 3"  # a worker
PATIENCE = 30.0  # seconds for the end of a process that has nothing to wait for

# Starts two workers in a meeting folder, freezes them if asked to, says who they are, and waits to be killed.
PARENT = """
import os, signal, sys
from engine.launch.rendezvous import SOCKET, rendezvous_folder
from engine.launch.local_workers import LocalWorkers
from engine.wire import Listener
with rendezvous_folder() as folder:
    address = f"{sys.argv[2]}://{folder / SOCKET}"
    with Listener(address, 1000) as listener, LocalWorkers(address, 2) as workers:
        hellos = 0
        while hellos < 2:
            hellos += len(listener.poll(1.0))
        for pid in workers.pids if sys.argv[1] == "frozen" else []:
            os.kill(pid, signal.SIGSTOP)
            os.waitpid(pid, os.WUNTRACED)
        print(folder, *workers.pids, flush=True)
        signal.pause()
"""


@pytest.mark.parametrize("local", ["unix", "zmq"])
def test_workers_that_end_are_replaced_and_the_sums_stay_the_same(local: str) -> None:
    before = descriptors()
    with cluster(2, local=local) as box:
        box.coordinator.gather(2)
        started = box.workers.pids
        box.check(1)
        os.kill(started[0], signal.SIGTERM)
        box.check(2)
        while started[0] in box.workers.pids:
            box.check(3)
        assert box.gone() in (["it got SIGTERM"], [LOST]), "whichever the coordinator comes to know first"
        box.coordinator.gather(2)
        assert box.workers.pids[0] == started[1]
        started += box.workers.pids[1:]
        box.check(4)
        for pid in started[1:]:
            os.kill(pid, signal.SIGKILL)
        box.check(5)
        assert box.gone()[1:] == [LOST] * 2
        started += box.workers.pids
        box.coordinator.close()
    del box  # and with it the shared memory
    assert len(set(started)) == 5
    assert not any(map(exists, started))
    assert descriptors() == before


def test_a_frozen_worker_is_killed_at_the_end() -> None:
    before = descriptors()
    with cluster(1, limits=Limits(exit=0.1)) as box:
        box.coordinator.gather(1)
        (pid,) = box.workers.pids
        os.kill(pid, signal.SIGSTOP)
    del box  # and with it the shared memory
    assert not exists(pid)
    assert descriptors() == before


def test_workers_with_other_numbers_end_the_run_with_the_reason() -> None:
    refused = r"exit code 1; last stderr: .*refused this worker: it would compute different bits.*here: other"
    with pytest.raises(WorkersError, match=refused), cluster(1, "other", limits=Limits(failures=0)) as box:
        box.coordinator.gather(1)


def wave(workers: LocalWorkers) -> list[int]:
    """Wait until all workers have ended, and return which they were."""
    pids = workers.pids
    for pid in pids:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pids


def test_workers_that_cannot_work_end_the_run_with_what_they_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_BACKEND", "nonsense")
    monkeypatch.setenv("GRADSUM_LOG", "debug")  # not for those who have no terminal
    said = r"ended with exit code 2; last stderr: gradsum worker: no kernel backend 'nonsense'"
    with LocalWorkers("ipc:///nowhere", 1, limits=Limits(failures=0)) as workers:
        wave(workers)
        with pytest.raises(WorkersError, match=said):
            workers.look()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo sorry >&2; exit 3", r"ended with exit code 3; last stderr: sorry$"),
        ("kill -9 $$", r"ended with signal 9 \(Killed\); last stderr: \(empty\)$"),
        ("seq 1000000 >&2", r"exit code 0; last stderr: \d*\n(\d{6}\n){200,300}1000000$"),
    ],
)
def test_workers_are_replaced_once_and_then_given_up(script: str, message: str) -> None:
    before = descriptors()
    with LocalWorkers("nowhere", 3, command=lambda *_: ["sh", "-c", script]) as workers:
        first = wave(workers)
        workers.look()
        second = wave(workers)
        assert not set(first) & set(second)
        with pytest.raises(WorkersError, match=message):
            workers.look()
    assert not any(map(exists, first + second))
    assert descriptors() == before


def test_an_answer_in_between_gives_hope() -> None:
    with LocalWorkers("nowhere", 3, command=lambda *_: ["true"]) as workers:
        for _ in range(5):
            workers.useful(wave(workers)[0])
            workers.look()


def test_where_one_after_the_other_ends_the_next_one_waits_and_that_is_said() -> None:
    """Others give answers meanwhile, so that the run goes on; one that ends at once would be started for ever."""
    clock, noted, commands = FakeClock(), list[str](), chain([["sleep", "1000"]], repeat(["sh", "-c", SORRY]))
    with LocalWorkers("nowhere", 2, clock=clock, command=lambda *_: next(commands)) as workers:
        workers.note = noted.append
        for failed in range(1, 5):
            good, bad = workers.pids
            os.waitid(os.P_PID, bad, os.WEXITED | os.WNOWAIT)
            workers.look()
            workers.useful(good)
            if failed == 1:
                assert len(workers.pids) == 2, "at once"
                continue
            wait = 2.0 ** (failed - 2)
            assert noted.pop() == (
                f"{failed} workers in a row ended without an answer, the last one with exit code 3; "
                f"it said last: sorry; the next one is started in {wait:g} s"
            )
            clock.time += 0.9 * wait
            workers.look()
            assert workers.pids == [good]
            clock.time += 0.2 * wait
            workers.look()
    assert not noted


def test_a_worker_that_is_still_starting_ends_at_once() -> None:
    """It does not read its standard input yet, and nobody would wait so long for it."""
    with LocalWorkers("nowhere", 1, limits=Limits(exit=1e6), command=lambda *_: ["sleep", "1000"]) as workers:
        (pid,) = workers.pids
    assert not exists(pid)


def test_a_worker_that_is_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = descriptors()
    with pytest.raises(WorkersError, match=r"worker 1 of 2 cannot be started: .*No such file"):
        LocalWorkers("ipc:///nowhere", 2)
    assert descriptors() == before


@pytest.mark.parametrize("state", ["running", "frozen"])
@pytest.mark.parametrize("kind", ["unix", "ipc"])
def test_workers_end_with_a_parent_that_is_killed(state: str, kind: str) -> None:
    command = [sys.executable, "-c", PARENT, state, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        try:
            folder, *pids = parent.stdout.readline().split()
            waits = [os.pidfd_open(int(pid)) for pid in pids]
        finally:
            parent.kill()
    assert len(pids) == 2
    for wait in waits:
        assert select.select([wait], [], [], PATIENCE)[0], "a worker outlived its parent"
        os.close(wait)
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "the following arguments are required: ADDRESS"),
        (["nonsense"], 2, "'nonsense' is not an address; try tcp://HOST:PORT"),
        ([""], 2, "'' is not an address; try tcp://HOST:PORT"),
        (["tcp://nowhere"], 2, "'tcp://nowhere' is not an address; try tcp://HOST:PORT"),
        (["ipc:///no/such/place", "--patience", "0.1"], 1, "nothing came from ipc:///no/such/place for 0.1 seconds"),
        (["tcp://127.0.0.1:1", "--patience", "0"], 2, "--patience must be a number of seconds above 0, got 0"),
        (["ipc:///no/such/place", "--tied"], 1, "its parent ended"),
    ],
)
def test_a_worker_that_nobody_wants(arguments: list[str], code: int, said: str) -> None:
    command = [sys.executable, "-m", "workers", *arguments]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == code
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def worker_said(log: str) -> "subprocess.CompletedProcess[str]":
    """Run a worker by hand that finds no coordinator, with GRADSUM_LOG set."""
    command = [sys.executable, "-m", "workers", "ipc:///no/such/place", "--patience", "0.1"]
    environment = os.environ | {"GRADSUM_LOG": log}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=environment)


def test_a_worker_started_by_hand_logs_if_it_is_told_to() -> None:
    said = worker_said("info").stderr.splitlines()
    reason = "nothing came from ipc:///no/such/place for 0.1 seconds"
    assert len(said) == 2
    assert said[0].endswith(f" gradsum.workers INFO: ends: {reason}")
    assert said[1] == f"gradsum worker: {reason}"
    done = worker_said("loud")
    wrong = "gradsum worker: GRADSUM_LOG must be one of debug, info, warning, error, got 'loud'\n"
    assert (done.returncode, done.stderr) == (2, wrong)


def test_what_becomes_of_workers_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gradsum.launch")
    with LocalWorkers("nowhere", 1, command=lambda *_: ["sh", "-c", "exit 3"]) as workers:
        (pid,) = wave(workers)
        workers.look()
    assert caplog.messages[:2] == [f"worker process {pid} started", f"worker process {pid} ended with exit code 3"]
