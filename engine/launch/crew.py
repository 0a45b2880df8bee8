"""`gradsum worker --processes N`: workers for a coordinator elsewhere, started and ended together."""

import contextlib
import os
import signal
import subprocess
import sys

from engine.errors import WorkersError
from engine.launch.command import worker_command, worker_environment
from engine.launch.local import pin


class Crew:
    """Runs `count` workers with the same arguments until all have ended; one that a signal ended is replaced.

    After SIGTERM or Ctrl-C they finish their shares and leave.
    """

    def __init__(self, count: int, arguments: list[str]) -> None:
        self._count = count
        self._arguments = ["--tied", *arguments]
        self._leaving = False
        self._workers: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}  # by process id, with its number

    def run(self) -> int:
        """Work, and return the worst exit code of a worker; WorkersError if one cannot be started."""
        for wish in (signal.SIGTERM, signal.SIGINT):
            signal.signal(wish, lambda *_: self._end())
        worst = 0
        try:
            for number in range(self._count):
                self._start(number)
            while self._workers:
                pid, status = os.wait()
                number, worker = self._workers.pop(pid)
                worker.returncode = os.waitstatus_to_exitcode(status)
                if worker.returncode < 0 and not self._leaving:
                    print(
                        f"gradsum worker: process {pid} got signal {-worker.returncode}; a new one starts",
                        file=sys.stderr,
                    )
                    self._start(number)
                worst = max(worst, worker.returncode)
        finally:
            self._end()
        return worst

    def _start(self, number: int) -> None:
        try:
            worker = subprocess.Popen(
                worker_command(*self._arguments),
                env=worker_environment(),
                stdin=subprocess.PIPE,  # the lifeline: closed by the kernel when this process ends, however it ends
                start_new_session=True,  # Ctrl-C reaches them through us, once
            )
        except OSError as error:
            raise WorkersError(f"worker {number + 1} of {self._count} cannot be started: {error}") from None
        pin(worker.pid, number, self._count)
        self._workers[worker.pid] = number, worker

    def _end(self) -> None:
        """Ask all workers to finish their share and leave."""
        self._leaving = True
        for _, worker in list(self._workers.values()):
            with contextlib.suppress(ProcessLookupError):
                worker.terminate()
