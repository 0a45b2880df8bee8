"""`gradsum worker`: real processes that come before the coordinator, bring no data, and stay for the next run."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.cli.exit_codes import INTERRUPTED
from engine.compute.fingerprint import fingerprint
from engine.coordinator.policy import Policy
from engine.errors import WorkersError
from engine.launch.worker_pool import FAILURES, SETTLED, WorkerPool
from engine.system.blas import one_blas_thread
from engine.wire import Listener
from engine.wire.keys import Keys
from tests.support.cluster import MODEL, Cluster, exists
from tests.support.command import PATIENCE, PROGRAM, Gradsum, finish, start, wait_for_end
from tests.support.fakes import FakeClock

WAITS = "gradsum worker: the run is over; waiting for the next one"


class Nobody:
    """No local workers to watch."""

    def look(self) -> list[int]:
        return []

    def useful(self, pid: int) -> None:
        pass

    def suspect(self, host: str, pid: int) -> None:
        pass

    def trust(self, host: str, pid: int) -> None:
        pass


def without_name(line: str) -> str:
    """Return what a worker says without its last word, which is its name."""
    return line.rpartition(" ")[0]


@pytest.fixture
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def pool(
    tidy: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator["subprocess.Popen[Any]"]:
    """Two workers with a cache of their own, before anybody listens."""
    with monkeypatch.context() as patch:
        patch.setenv("GRADSUM_CACHE", str(tmp_path / "theirs"))
        process = start("worker", address, "--processes", 2)
    yield process
    process.terminate()
    said = process.communicate(timeout=30)[1].splitlines()
    ready = f"gradsum worker: ready for {address} as"
    assert [without_name(line) for line in said if line != WAITS].count(ready) >= 2, "each run, at least"
    assert {without_name(line) for line in said if line != WAITS} == {ready}
    assert process.returncode == 0


@contextmanager
def run(address: str, count: int) -> Iterator[Cluster]:
    """A coordinator with `count` workers."""
    with one_blas_thread(), Listener(address, 4 * MODEL.layout().size) as listener:
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy())
        cluster.coordinator.gather(count)
        yield cluster
        cluster.coordinator.close()


def pids(cluster: Cluster) -> list[int]:
    return [worker.pid for worker in cluster.coordinator.workers()]


def test_they_fetch_the_data_and_serve_one_run_after_the_other(
    pool: "subprocess.Popen[Any]", address: str, tmp_path: Path
) -> None:
    with run(address, 2) as first:
        for step in range(1, 4):
            first.check(step)
        served = pids(first)
    with run(address, 2) as second:
        second.check(1)
        assert sorted(pids(second)) == sorted(served)
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) == 1
    assert not list((tmp_path / "theirs").glob(".part*"))


def test_one_that_is_killed_is_replaced_and_joins_in_mid_run(tidy: Path, address: str) -> None:
    pool = start("worker", address, "--processes", 2)
    with run(address, 2) as cluster:
        cluster.check(1)
        before = pids(cluster)
        os.kill(before[0], signal.SIGKILL)
        cluster.coordinator.gather(2)
        step = 2
        while len(pids(cluster)) < 2 or before[0] in pids(cluster):
            cluster.check(step)
            step += 1
        cluster.check(step)
    pool.send_signal(signal.SIGINT)
    said = pool.communicate(timeout=30)[1]
    lines = said.splitlines()
    assert lines.count(f"gradsum worker: process {before[0]} got signal 9; a new one is started") == 1
    assert {without_name(line) for line in lines if "signal 9" not in line and line != WAITS} == {
        f"gradsum worker: ready for {address} as"
    }
    assert pool.returncode == INTERRUPTED


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_the_command_that_started_them(tidy: Path, address: str, how: signal.Signals) -> None:
    pool = start("worker", address, "--processes", 2)
    with run(address, 2) as cluster:
        working = pids(cluster)
        pool.send_signal(how)
        pool.communicate(timeout=30)
        assert wait_for_end(working) == []
        while pids(cluster):
            cluster.coordinator.wait()


STAYS = ["cat"]  # until it is told to leave
DIES = ["sh", "-c", "kill -9 $$"]
LEAVES = ["true"]


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """The clock of a pool in this process, which may handle signals as it likes."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield FakeClock()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_when_told_to_leave_while_they_start_no_more_do(clock: FakeClock, how: signal.Signals) -> None:
    started = []

    def pin(pid: int, number: int) -> None:
        started.append(pid)
        assert number == len(started) - 1
        if number == 1:  # which has started a moment ago, and of which nobody knows yet
            os.kill(os.getpid(), how)

    pool = WorkerPool(4, [], clock, lambda *_: STAYS, pin)
    assert pool.run() == 0
    assert pool.interrupted == (how is signal.SIGINT)
    assert len(started) == 2
    assert not any(map(exists, started))


def test_children_that_are_no_workers_are_let_end(clock: FakeClock) -> None:
    foreign = os.posix_spawn("/bin/true", ["true"], {})  # as a shell leaves one that becomes this process
    os.waitid(os.P_PID, foreign, os.WEXITED | os.WNOWAIT)
    assert WorkerPool(2, [], clock, lambda *_: LEAVES).run() == 0
    assert not exists(foreign)


@pytest.mark.parametrize("count", [1, 3])
def test_workers_that_die_at_once_are_given_up(
    clock: FakeClock, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    deaths = FAILURES + count
    said = rf"^{deaths} workers in a row ended soon after their start, the last one with signal 9 \(Killed\);"
    with pytest.raises(WorkersError, match=said):
        WorkerPool(count, [], clock, lambda *_: DIES).run()
    replaced = capsys.readouterr().err.splitlines()
    assert len(replaced) == deaths - 1
    assert all(line.endswith("got signal 9; a new one is started") for line in replaced)


def test_a_command_that_cannot_be_started_is_told(clock: FakeClock) -> None:
    with pytest.raises(WorkersError, match=r"worker 1 of 2 cannot be started: .*No such file"):
        WorkerPool(2, [], clock, lambda *_: ["/no/such/command"]).run()


def test_the_others_leave_when_one_is_given_up(clock: FakeClock) -> None:
    started: list[int] = []

    def command(*_: str) -> list[str]:
        return DIES if started else STAYS

    def pin(pid: int, number: int) -> None:
        started.append(pid)

    with pytest.raises(WorkersError, match="in a row ended soon after their start"):
        WorkerPool(2, [], clock, command, pin).run()
    assert len(started) == 1 + FAILURES + 2
    assert not any(map(exists, started))


def test_one_that_lived_for_a_while_gives_hope(clock: FakeClock) -> None:
    lives = [*[0.0] * FAILURES, SETTLED] * 3

    def command(*_: str) -> list[str]:
        if not lives:
            return LEAVES
        clock.time += lives.pop(0)
        return DIES

    assert WorkerPool(1, [], clock, command).run() == 0
    assert not lives


@pytest.mark.parametrize(
    ("address", "key", "said"),
    [
        ("tcp://127.0.0.1:1", "missing", "the key file missing cannot be read: No such file or directory"),
        ("tcp://127.0.0.1:1", "open", "the key file open has mode 644: others may have read it"),
        ("tcp://127.0.0.1:1", "damaged", "the key file damaged is damaged: server_public is not a key"),
        ("ipc:///x", "damaged", "--key is for a tcp:// address"),
        ("tcp://192.0.2.1:1", "", "tcp://192.0.2.1:1 is on another machine: copy the key file"),
        ("nonsense", "", "'nonsense' is not an address; try tcp://HOST:PORT"),
    ],
)
def test_what_is_wrong_with_the_keys_is_said_once(
    tidy: Path, capfd: pytest.CaptureFixture[str], address: str, key: str, said: str
) -> None:
    """Whatever the processes would say, they would say it to the same terminal."""
    for name, mode in (("open", 0o644), ("damaged", 0o600)):
        Path(name).write_text("server_public = 'short'")
        Path(name).chmod(mode)
    code = main(["worker", address, "--processes", "3", *(["--key", key] if key else [])])
    err = capfd.readouterr().err
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"gradsum: {said}")


def test_bad_usage(gradsum: Gradsum) -> None:
    for options, message in [
        (("tcp://127.0.0.1:1", "--processes", 0), "--processes must be from 1 to 4096, got 0"),
        (("tcp://127.0.0.1:1", "--patience", "-1"), "--patience must be a number of seconds above 0, got -1"),
        (("tcp://127.0.0.1:1", "--patience", "nan"), "--patience must be a number of seconds above 0, got nan"),
    ]:
        answer = gradsum("worker", *options)
        assert (answer.code, message in answer.err) == (2, True), answer


def test_the_key_and_the_end_come_by_standard_input(tidy: Path) -> None:
    keys = Keys.make()
    with one_blas_thread(), Listener("tcp://127.0.0.1:0", 4 * MODEL.layout().size, keys) as listener:
        command = [*PROGRAM, "worker", listener.address, "--key", "-", "--tied", "--processes", "2"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(keys.way_in())
        process.stdin.flush()
        cluster = Cluster(listener, Nobody(), fingerprint(), None, Policy())
        cluster.coordinator.gather(2)
        cluster.check(1)
        working = pids(cluster)
        said = process.communicate(timeout=PATIENCE)[1].decode()  # which closes the pipe
        assert [without_name(line) for line in said.splitlines()] == [
            f"gradsum worker: ready for {listener.address} as"
        ]
        assert wait_for_end(working) == []
        assert process.returncode == 0


def test_one_that_joined_once_leaves_at_the_end_of_the_run(tidy: Path, address: str) -> None:
    process = start("worker", address, "--processes", 1, "--once")
    with run(address, 1) as cluster:
        cluster.check(1)
        name = cluster.coordinator.workers()[0].name
    lines = finish(process).err.splitlines()  # it may also say that the connection was lost, where it takes long
    assert lines[0] == f"gradsum worker: ready for {address} as {name}"
    assert process.returncode == 0
