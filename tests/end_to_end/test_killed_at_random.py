"""SIGKILL of a coordinator, its fork server, a relay or a relay's command at random moments leaves nothing behind.

So do relays that exchange parts of vectors, and the run of which one is killed continues. GRADSUM_TEST_LONGER=25 for a
hundred kills in each of the two tests.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from pathlib import Path
from queue import Queue
from subprocess import Popen
from threading import Thread
from typing import IO, Any

import pytest

from tests.support.command import PATIENCE, PROGRAM, SMALL, save_data, wait_for_end
from tests.support.leaks import MARK, SHARED, processes
from tests.support.tools import LONGER

ROUNDS = 4 * LONGER
MOMENTS = 3.0  # seconds after the start, which takes about half of them
VICTIMS = ("coordinator", "relay", "command", "fork server")
ENDING = ("--steps", 1 << 30, "--insecure", "--checkpoint-every", 20)
ENDLESS = (*SMALL[:5], "--workers", 2, *SMALL[7:], *ENDING)

MEMBERS = 4
OF_EXCHANGE = ("coordinator", "member", "process", "command")
# Micro-batches of which each relay has some.
EXCHANGE = (*SMALL[:5], "--workers", 0, "--min-workers", MEMBERS, "--batch-size", 20, "--microbatch", 1, *ENDING)


class Program:
    """A command, a mark for all its processes, and a folder for temporary files. `log`: it tells all that it does."""

    def __init__(self, name: str, *words: object, log: bool = False) -> None:
        self.mark = f"{os.environ[MARK]}-{name}"
        self.folder = Path(os.environ["TMPDIR"]) / name
        self.folder.mkdir()
        env = os.environ | {MARK: self.mark, "TMPDIR": str(self.folder)}
        env |= {"GRADSUM_LOG": "debug"} if log else {}
        nowhere, errors = subprocess.DEVNULL, subprocess.PIPE if log else sys.stderr
        command = [*PROGRAM, *map(str, words)]
        self.process: Popen[Any] = Popen(command, env=env, stdin=nowhere, stdout=nowhere, stderr=errors, text=True)

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

    def children(self) -> list[int]:
        """Return the processes that the first has started itself."""
        found = []
        for pid in self.others():
            with contextlib.suppress(OSError):
                if int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1]) == self.process.pid:
                    found.append(pid)
        return found

    def kill(self) -> None:
        """Let nothing of it run, if a test fails."""
        for pid in processes(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, upon which nothing may be left of it."""
        self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            print(self.mark, Path(f"/proc/{self.process.pid}/status").read_text())  # which signals it handles
            raise
        assert wait_for_end(processes(self.mark)) == []
        assert list(self.folder.iterdir()) == []
        self.folder.rmdir()


class Log(Thread):
    """Reads what a program logs, so that it never waits for a reader, until the program ends."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        assert program.process.stderr is not None
        self._stream: IO[str] = program.process.stderr
        self._lines: Queue[str] = Queue()
        self.last: deque[str] = deque(maxlen=50)
        self.start()

    def run(self) -> None:
        with self._stream:
            for line in self._stream:
                self._lines.put(line)
                self.last.append(line)

    def wait_for(self, *texts: str) -> None:
        """Wait for lines with these, in any order; each of all lines is looked at once. queue.Empty if none comes."""
        missing = Counter(texts)
        while missing:
            line = self._lines.get(timeout=PATIENCE)
            missing -= Counter(text for text in missing if text in line)

    def drop(self) -> None:
        """Look at no line that has come so far."""
        while not self._lines.empty():
            self._lines.get()


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"tcp://127.0.0.1:{free.getsockname()[1]}"


def shared() -> set[str]:
    return {path.name for path in SHARED.iterdir() if "gradsum" in path.name}


@pytest.mark.check
@pytest.mark.timeout(600 * LONGER)
def test_nothing_is_left(tidy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_data()
    rng, before, servers = random.Random(LONGER), shared(), 0
    for number in range(ROUNDS):
        address = free_address()
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


def kill_of_exchange(victim: str, coordinator: Program, workers: list[Program], rng: random.Random) -> str:
    """Kill a coordinator, or of one of its relays the relay itself, its process or its command; return what was."""
    if victim == "coordinator":
        coordinator.end(signal.SIGKILL)
        return victim
    worker = rng.choice(workers)
    if victim == "command":
        workers.remove(worker)
        worker.end(signal.SIGKILL)
        return victim
    members = worker.children()
    found = members if victim == "member" else sorted(set(worker.others()) - set(members))
    if not found:
        return f"no {victim} yet"
    os.kill(rng.choice(found), signal.SIGKILL)
    return victim


def exchange_with_a_kill(number: int, starting: bool, rng: random.Random) -> str:
    """Start a run of relays, kill one process, and end the rest; return what was killed.

    It is killed while the relays start, or meet each other, if the run is just `starting`; else they are in exchanges.
    """
    victim, address = OF_EXCHANGE[number % len(OF_EXCHANGE)], free_address()
    options = ("--bind", address, "--db", f"{number}.db", "--out", f"out{number}")
    words = ("worker", address, "--insecure", "--processes", 1, "--relay", "on")
    coordinator, workers = Program("c", *EXCHANGE, *options, log=True), list[Program]()
    log = Log(coordinator)
    try:
        workers += [Program(f"w{i}", *words) for i in range(MEMBERS)]
        if not starting:
            log.wait_for(f"exchange among {MEMBERS} relays")
        time.sleep(rng.random() * (MOMENTS if starting else 1.0))
        log.drop()
        assert [one.process.poll() for one in (coordinator, *workers)] == [None] * (1 + MEMBERS)
        killed = kill_of_exchange(victim, coordinator, workers, rng)
        if victim == "command":  # the run waits for another
            workers.append(Program("again", *words))
        if not starting and victim != "coordinator":
            # The run continues, where one checkpoint may have been on its way, and with the one that takes its place. A
            # process may be replaced by its relay before anybody misses it.
            again = [] if victim == "process" else [f"exchange among {MEMBERS} relays"]
            log.wait_for("checkpoint saved", "checkpoint saved", *again)
        for worker in workers:
            worker.end(signal.SIGTERM)
        if victim != "coordinator":
            coordinator.end(signal.SIGINT)
    except BaseException:
        print("".join(log.last))
        raise
    finally:
        for program in (coordinator, *workers):
            program.kill()
        log.join()
    return killed


@pytest.mark.check
@pytest.mark.timeout(600 * LONGER)
def test_nothing_is_left_of_an_exchange(tidy: Path) -> None:
    save_data()
    rng, before = random.Random(LONGER), shared()
    killed: Counter[str] = Counter()
    for number in range(ROUNDS):
        starting = number // len(OF_EXCHANGE) % 2 == 1
        victim = exchange_with_a_kill(number, starting, rng)
        killed[f"{victim}, {'at the start' if starting else 'in an exchange'}"] += 1
        print(number, dict(killed), flush=True)
    assert shared() <= before
