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
from engine.numerics import fingerprint
from engine.policy import Policy
from engine.threads import one_blas_thread
from engine.transport import Listener
from tests.cluster import MODEL, Cluster
from tests.command import Gradsum, start, wait_for_end

pytestmark = pytest.mark.timeout(120)


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


@pytest.fixture
def address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def crew(
    tidy: Path, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator["subprocess.Popen[Any]"]:
    """Two workers with a cache of their own, before anybody listens."""
    with monkeypatch.context() as patch:
        patch.setenv("GRADSUM_CACHE", str(tmp_path / "theirs"))
        process = start("worker", address, "--processes", 2)
    yield process
    process.terminate()
    assert process.communicate(timeout=30)[1] == ""
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
    crew: "subprocess.Popen[Any]", address: str, tmp_path: Path
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
    crew = start("worker", address, "--processes", 2)
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
    crew.send_signal(signal.SIGINT)
    said = crew.communicate(timeout=30)[1]
    assert said == f"gradsum worker: process {before[0]} got signal 9; a new one starts\n"
    assert crew.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_the_command_that_started_them(tidy: Path, address: str, how: signal.Signals) -> None:
    crew = start("worker", address, "--processes", 2)
    with run(address, 2) as cluster:
        working = pids(cluster)
        crew.send_signal(how)
        crew.communicate(timeout=30)
        assert wait_for_end(working) == []
        while pids(cluster):
            cluster.coordinator._wait()


@pytest.mark.parametrize(
    ("address", "key", "said"),
    [
        ("tcp://127.0.0.1:1", "missing", "the key file missing cannot be read: No such file or directory"),
        ("tcp://127.0.0.1:1", "open", "the key file open has mode 644: others may have read it"),
        ("tcp://127.0.0.1:1", "damaged", "the key file damaged is damaged: server_public is no key"),
        ("ipc:///x", "damaged", "--key is for a tcp:// address"),
        ("tcp://192.0.2.1:1", "", "tcp://192.0.2.1:1 is on another machine: copy the key file"),
        ("nonsense", "", "'nonsense' is no address; try tcp://HOST:PORT"),
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
