"""A flood of peers against a coordinator: strangers, ones that join, ones that speak no ZeroMQ, each a process."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.support.chaos.flooder import KINDS
from tests.support.repository import ROOT


class Flooding:
    """A process that floods `address` while this is entered, as one of `KINDS` does.

    `numerics`: the fingerprint that lets a peer join. `pid`: of the coordinator, whose memory it looks at. With a
    `share` it does not connect, and only is as busy as a flood that takes so many processor seconds a second.
    """

    def __init__(
        self, kind: str, address: str, numerics: str, pid: int, seed: int = 1, share: float | None = None
    ) -> None:
        self._arguments = [kind, address, numerics, str(seed), str(pid), "" if share is None else str(share)]
        self.sent: Counter[str] = Counter()
        self.share = 0.0  # processor seconds a second that it took
        self.peak = 0  # bytes that the coordinator had in memory at most
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self.start()
        self.wait()
        return self

    def start(self) -> None:
        """Start the process, which waits for a word."""
        command = [sys.executable, "-m", "tests.support.chaos.flooder", *self._arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait(self) -> None:
        """Let it begin to send, and wait until it does; one that joins has joined then."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "begins\n"

    def __exit__(self, *_: object) -> None:
        told = json.loads(self._process.communicate(timeout=60)[0])
        self.sent, self.share, self.peak = Counter(told["sent"]), told["share"], told["peak"]


class Flood:
    """While entered, a process of each of `kinds` floods; afterwards `sent` has how often what was sent.

    `numerics`: the fingerprint that lets a peer join. `pid`: of the coordinator; `memory`: bytes by which it grew.
    """

    def __init__(self, address: str, numerics: str, pid: int, seed: int, kinds: Sequence[str] = tuple(KINDS)) -> None:
        self.sent: Counter[str] = Counter()
        self.memory = 0
        self._pid = pid
        self._all = [Flooding(kind, address, numerics, pid, seed) for kind in kinds]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to send."""
        status = Path(f"/proc/{self._pid}/status").read_text()
        self._before = 1024 * int(status.partition("VmRSS:")[2].split()[0])
        for one in self._all:
            one.start()
            self._stack.push(one)
        for one in self._all:
            one.wait()

    def stop(self) -> None:
        """Return when nothing more is sent."""
        self._stack.close()
        for one in self._all:
            self.sent += one.sent
        self.memory = max(one.peak for one in self._all) - self._before
