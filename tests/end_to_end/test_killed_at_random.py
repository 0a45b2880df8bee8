"""SIGKILL of a coordinator, its fork server, a relay or a relay's command at random moments leaves nothing behind.

GRADSUM_TEST_LONGER=25 for a hundred of them.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.support.command import PATIENCE, PROGRAM, SMALL, save_data, wait_for_end
from tests.support.leaks import MARK, SHARED, processes
from tests.support.tools import LONGER

ROUNDS = 4 * LONGER
MOMENTS = 3.0  # seconds after the start, which takes about half of them
VICTIMS = ("coordinator", "relay", "command", "fork server")
ENDLESS = (*SMALL[:5], "--workers", 2, *SMALL[7:], "--steps", 1 << 30, "--insecure", "--checkpoint-every", 20)


class Program:
    """A command with a mark for all its processes, and a folder for temporary files."""

    def __init__(self, name: str, *words: object) -> None:
        self.mark = f"{os.environ[MARK]}-{name}"
        self.folder = Path(os.environ["TMPDIR"]) / name
        self.folder.mkdir()
        env = os.environ | {MARK: self.mark, "TMPDIR": str(self.folder)}
        nowhere = subprocess.DEVNULL
        command = [*PROGRAM, *map(str, words)]
        self.process: Popen[Any] = Popen(command, env=env, stdin=nowhere, stdout=nowhere, stderr=sys.stderr)

    def others(self) -> list[int]:
        """Return its processes besides the first."""
        return [pid for pid in processes(self.mark) if pid != self.process.pid]

    def fork_server(self) -> int | None:
        """Return the process that forks its workers; None if it is not there."""
        for pid in self.others():
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                if Path(f"/proc/{pid}/comm").read_text() == "gradsum-forks\n":
                    return pid
        return None

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, upon which nothing may be left of it."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        assert wait_for_end(processes(self.mark)) == []
        assert list(self.folder.iterdir()) == []
        self.folder.rmdir()


def shared() -> set[str]:
    return {path.name for path in SHARED.iterdir() if "gradsum" in path.name}


@pytest.mark.check
@pytest.mark.timeout(600 * LONGER)
def test_nothing_is_left(tidy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_data()
    rng, before, servers = random.Random(LONGER), shared(), 0
    for number in range(ROUNDS):
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        options = ("--bind", address, "--db", f"{number}.db", "--out", f"out{number}")
        coordinator = Program("c", *ENDLESS, *options)
        worker = Program("w", "worker", address, "--insecure", "--processes", 2)
        time.sleep(rng.random() * MOMENTS)
        assert coordinator.process.poll() is None
        assert worker.process.poll() is None
        victim = VICTIMS[number % len(VICTIMS)]
        if victim == "coordinator":
            coordinator.end(signal.SIGKILL)
        elif victim == "command":
            worker.end(signal.SIGKILL)
        elif victim == "fork server":
            if server := coordinator.fork_server():
                os.kill(server, signal.SIGKILL)
                servers += 1
        elif others := worker.others():
            os.kill(rng.choice(others), signal.SIGKILL)
        if victim != "command":
            worker.end(signal.SIGTERM)
        if victim != "coordinator":
            coordinator.end(signal.SIGINT)
    assert shared() <= before
    assert servers or ROUNDS < 20, "it was never there"
