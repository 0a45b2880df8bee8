"""A worker process of this machine: a pipe to it, and what it writes to standard error."""

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence

from engine.launch.command import worker_environment
from engine.launch.pinning import Pinning
from engine.system.logs import VARIABLE
from engine.system.signals import near_limit_blocked

TAIL = 2000  # bytes of its standard error that are worth quoting: the last ones


class WorkerProcess:
    """Worker `number`, started with `command` and bound by `pinning`; OSError if it cannot be started.

    Its standard input is a pipe, closed by the kernel when this process ends, however it ends; that tells the worker to
    end as well. Standard error goes to a file without a name, which is gone with the last process that has it open.
    """

    def __init__(self, command: list[str], number: int, pinning: Pinning, inherited: Sequence[int] = ()) -> None:
        environment = worker_environment()
        environment.pop(VARIABLE, None)  # the file would grow for as long as the run lasts, and be quoted as an error
        self.number = number
        self.useful = False
        self.suspected_since: float | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        try:
            with near_limit_blocked():
                self._process = subprocess.Popen(
                    command,
                    pass_fds=inherited,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
                )
        except OSError:
            self._errors.close()
            raise
        self.pid = self._process.pid
        pinning.pin(self.pid, number)

    def running(self) -> bool:
        """Return whether the process has not ended."""
        return self._process.poll() is None

    def terminate(self) -> None:
        """Ask the process to end: by the pipe, and by SIGTERM in case it does not read the pipe yet."""
        self._close_pipe()
        self._process.terminate()

    def kill(self) -> None:
        """End the process at once, even if it is frozen."""
        self._process.kill()
        self._process.wait()

    def close(self, grace: float = 0.0) -> tuple[str, str]:
        """Wait `grace` seconds for the process to end, or kill it; return how it ended and its last stderr."""
        self._close_pipe()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        with self._errors as errors:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - TAIL))
            said = errors.read(TAIL).decode(errors="replace").strip()
        return describe_end(self._process.returncode), said

    def _close_pipe(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def describe_end(code: int) -> str:
    """Return what an exit code means: a negative one is a signal."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
