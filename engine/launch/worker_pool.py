"""`gradsum worker --processes N`: workers for a coordinator elsewhere, started and ended together."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import WorkersError
from engine.launch.command import worker_command, worker_environment
from engine.launch.pinning import Pinning
from engine.launch.worker_process import describe_end
from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import need_descriptors
from engine.system.signals import near_limit_ignored

SETTLED = 10.0  # seconds after which a worker that a signal ends had at least begun to work
SHARED = 16  # file descriptors besides a pipe to each worker
FAILURES = 2  # workers in a row that may end by a signal before that, besides one for each


@dataclass(frozen=True)
class _Process:
    number: int
    popen: subprocess.Popen[bytes]
    started: float


class WorkerPool:
    """Runs `count` workers with the same arguments until all have ended; one that a signal ended is replaced.

    After SIGTERM or Ctrl-C they finish their shares and leave. `way_in` is written to the standard input of each.
    `command` makes the command line of a worker from its arguments; `bind` binds a process id, of worker `number`, to a
    core.
    """

    def __init__(
        self,
        count: int,
        arguments: list[str],
        clock: Clock = MONOTONIC,
        command: Callable[..., list[str]] = worker_command,
        bind: Callable[[int, int], None] | None = None,
        way_in: bytes = b"",
    ) -> None:
        self._count = count
        self._arguments = arguments if "--tied" in arguments else ["--tied", *arguments]
        self._way_in = way_in
        self._clock = clock
        self._command = command
        self._bind = bind or Pinning(count).pin
        self._leaving = False
        self.interrupted = False  # whether Ctrl-C asked for the end
        self._early = 0  # workers in a row that ended by a signal before they settled
        self._processes: dict[int, _Process] = {}  # by process id

    def run(self) -> int:
        """Work, and return the worst exit code of a worker.

        WorkersError if one cannot be started, or if one after another is ended by a signal soon after its start.
        """
        need_descriptors(SHARED + self._count, f"a pool of {self._count} workers")
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.signal(signal.SIGINT, lambda *_: self._interrupt())
        with near_limit_ignored():  # by the workers, too, which inherit that
            return self._wait()

    def _wait(self) -> int:
        """Start the workers, replace those that signals end, and return the worst exit code."""
        worst = 0
        try:
            for number in range(self._count):
                self._start(number)
            while self._processes:
                pid, status = os.wait()
                process = self._processes.pop(pid, None)
                if process is None:  # a child of the shell that this process was, or one that was adopted
                    continue
                process.popen.returncode = code = os.waitstatus_to_exitcode(status)
                process.popen.communicate()  # to close the pipe
                if code < 0 and not self._leaving:
                    self._replace(process)
                worst = max(worst, code)
        finally:
            self._end()
            for process in self._processes.values():
                process.popen.communicate()  # to close the pipe and wait
        return worst

    def _replace(self, process: _Process) -> None:
        """Start a worker in place of one that a signal ended, unless that is hopeless."""
        settled = self._clock.now() - process.started >= SETTLED
        self._early = 0 if settled else self._early + 1
        if self._early >= FAILURES + self._count:
            raise WorkersError(
                f"{self._early} workers in a row ended soon after their start, the last one with "
                f"{describe_end(process.popen.returncode)}; possible causes: out of memory, or binaries built for "
                "another CPU"
            )
        end = f"process {process.popen.pid} got signal {-process.popen.returncode}"
        print(f"gradsum worker: {end}; a new one is started", file=sys.stderr)
        self._start(process.number)

    def _start(self, number: int) -> None:
        """Start worker `number`, unless all are leaving."""
        if self._leaving:
            return
        started = self._clock.now()
        try:
            worker = subprocess.Popen(
                self._command(*self._arguments, *(["--silent"] if number else [])),  # one says why all wait
                env=worker_environment(),
                stdin=subprocess.PIPE,  # closed by the kernel when this process ends, however it ends
                start_new_session=True,  # Ctrl-C reaches them through us, once
            )
        except OSError as error:
            raise WorkersError(f"worker {number + 1} of {self._count} cannot be started: {error}") from None
        if self._way_in and worker.stdin:
            with contextlib.suppress(BrokenPipeError):  # it has ended, which is noticed in a moment
                os.write(worker.stdin.fileno(), self._way_in)
        self._bind(worker.pid, number)
        self._processes[worker.pid] = _Process(number, worker, started)
        if self._leaving:  # since a moment ago, when this one was not yet among those that were told
            self._end()

    def _interrupt(self) -> None:
        self.interrupted = True
        self._end()

    def _end(self) -> None:
        """Ask all workers to finish their share and leave."""
        self._leaving = True
        for process in list(self._processes.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.popen.pid, signal.SIGTERM)  # terminate() would take its exit code from os.wait()
