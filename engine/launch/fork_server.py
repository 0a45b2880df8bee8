"""The coordinator's side of the process that forks workers, `workers/fork_server.py`; only Linux has what it takes."""

import contextlib
import json
import logging
import math
import os
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from engine.launch.server_process import ServerProcess, executed, forked
from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import readable
from engine.system.forks import has_descriptors_of_processes, may_fork

PACKET = 1 << 16  # bytes of a request
MAX_DESCRIPTORS = 8  # that come with it
GRACE = 5.0  # seconds that the server has to end in
ANSWER = 30.0  # seconds that it has to fork a worker in, all that it loads before included
REPORT = 5.0  # seconds that it has to report in that a worker has ended, where memory is short, for example
UNKNOWN = 1  # the exit code of a worker whose end nobody saw

logger = logging.getLogger("gradsum.launch")


@dataclass(frozen=True)
class Request:
    """A worker to be forked: its words, the numbers of the descriptors it inherits besides standard input and error,
    and the processor that it is bound to, if any. `number` names it until its process id is known.
    """

    number: int
    words: Sequence[str]
    inherited: Sequence[int] = ()
    cpu: int | None = None


class ForkServer:
    """The server, which is starting; it takes requests meanwhile. OSError if it cannot be started.

    `start` starts it, with a descriptor that it listens on, and one for its standard error. It may be frozen at any
    time; nothing waits for it for good.
    """

    def __init__(
        self,
        start: Callable[[socket.socket, IO[bytes]], ServerProcess] = executed,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.gone = False
        self.silent = False  # it has not reported an end in time, and said nothing since
        self.clock = clock
        self._forked: dict[int, Forked] = {}  # by number of the request
        self._running: dict[int, Forked] = {}  # by process id
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = start(theirs, self._errors)
            except OSError:
                self._errors.close()
                self._control.close()
                raise

    def fork(
        self, words: Sequence[str], standard: tuple[int, int], inherited: Sequence[int], cpu: int | None
    ) -> "Forked":
        """Ask for a worker with `words`; OSError if the server has ended.

        `standard`: the descriptors of its standard input and error. `inherited`: further ones, which keep their
        numbers. `cpu`: the processor it is bound to.
        """
        request = Request(len(self._forked), words, inherited, cpu)
        forked = self._forked[request.number] = Forked(self, self.clock.now())
        packet = json.dumps(asdict(request)).encode()
        while True:
            # A server that waits for its answers to be taken would take no request.
            self.listen(0)
            if self.gone:
                raise OSError("the process that forks workers has ended")
            try:
                socket.send_fds(self._control, [packet], [*standard, *inherited], socket.MSG_DONTWAIT)
                return forked
            except BlockingIOError:
                if not readable(self._control.fileno(), ANSWER, or_writable=True):
                    self.kill()
            except ConnectionError:
                self.gone = True

    def listen(self, timeout: float | None) -> None:
        """Take in what the server says; wait up to `timeout` seconds for it if there is nothing."""
        while not self.gone and readable(self._control.fileno(), timeout):
            timeout = 0
            try:
                packet = self._control.recv(PACKET)
            except ConnectionError:
                packet = b""
            if not packet:
                self.gone = True
                return
            self.silent = False
            said = json.loads(packet)
            if "started" in said:
                forked = self._running[said["started"]] = self._forked[said["number"]]
                forked.started(said["started"])
            else:
                self._running.pop(said["ended"]).ended(said["code"])

    def wait_also(self, process: int, timeout: float | None) -> None:
        """Wait up to `timeout` seconds until it says something, or a process has ended, of which this descriptor is."""
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if not self.gone:
            poll.register(self._control, select.POLLIN)
        poll.poll(None if timeout is None else max(0, math.ceil(1000 * timeout)))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the server at once; the workers that it has forked stay."""
        self._process.kill()
        self.gone = True

    def leave(self, folder: Path) -> None:
        """Let the server remove a folder when this process has ended, if it is still there: it was killed."""
        with contextlib.suppress(OSError):  # the server has ended
            self._control.send(json.dumps({"folder": str(folder)}).encode())

    def close(self) -> None:
        """End the server, whose workers have ended."""
        self._control.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._errors as errors:
            errors.seek(0)
            if said := errors.read(1 << 14).decode(errors="replace").strip():
                logger.warning("the process that forks workers said: %s", said)


class Forked:
    """A worker that the server forks, or will fork, with the methods of `subprocess.Popen` that are needed here."""

    def __init__(self, server: ForkServer, asked: float) -> None:
        self._server = server
        self._asked = asked
        self._over_since: float | None = None  # it has ended, and the server has not said so yet
        self._process: int | None = None  # a descriptor of it
        self.returncode: int | None = None
        self.pid = 0  # until it is known

    def started(self, pid: int) -> None:
        """Note its process id. A descriptor stays that of this process, even when the number is used again."""
        self.pid = pid
        logger.info("worker process %d started", pid)
        with contextlib.suppress(ProcessLookupError):  # it has ended; the server will say how
            self._process = os.pidfd_open(pid)

    def ended(self, code: int) -> None:
        """Note that it has ended."""
        self.returncode = code
        if self._process is not None:
            os.close(self._process)
            self._process = None

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        self._server.listen(0)
        if self.returncode is None and self._is_lost():
            self.ended(UNKNOWN)
        return self.returncode

    def _is_lost(self) -> bool:
        """Return whether it has ended, or was never begun, and nobody will say how."""
        now = self._server.clock.now()
        if not self.pid:
            if now - self._asked >= ANSWER and not self._server.gone:
                self._server.kill()
            return self._server.gone
        if self._process is not None and not readable(self._process, 0):
            return False
        if self._over_since is None:
            self._over_since = now
        overdue = now - self._over_since >= REPORT
        self._server.silent = self._server.silent or overdue
        return self._server.gone or self._server.silent

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code; subprocess.TimeoutExpired if it does not end within `timeout` seconds."""
        end = math.inf if timeout is None else self._server.clock.now() + timeout
        while (code := self.poll()) is None:
            now = self._server.clock.now()
            if now >= end:
                raise subprocess.TimeoutExpired("worker", timeout or 0.0)
            if not self.pid:
                self._server.listen(min(end, self._asked + ANSWER) - now)
            elif self._over_since is not None:
                self._server.listen(min(end, self._over_since + REPORT) - now)
            elif self._process is not None:
                self._server.wait_also(self._process, None if end == math.inf else end - now)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and if it has not been forked yet, the server that was to do it."""
        self._send(signal.SIGKILL)
        if not self.pid and not self._server.gone:
            self._server.kill()

    def _send(self, number: int) -> None:
        self._server.listen(0)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)


@contextmanager
def fork_server(fork: bool = False) -> Iterator[ForkServer | None]:
    """Start the server, and make sure at the end that it is gone; None where there can be none.

    `fork`: it is a fork of this process, where that may be, and need not load anything again.
    """
    try:
        server = ForkServer(forked if fork and may_fork() else executed) if has_descriptors_of_processes() else None
    except OSError:  # no process can be started
        server = None
    if server is None:
        yield None
        return
    try:
        yield server
    finally:
        server.close()
