"""A worker process of this machine: a pipe to it, and what it writes to standard error."""

import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence

from engine.launch.command import local_environment, worker_command
from engine.launch.fork_server import Forked, ForkServer
from engine.launch.launcher import tail
from engine.launch.pinning import Pinning
from engine.system.signals import near_limit_blocked

logger = logging.getLogger("gradsum.launch")


class WorkerProcess:
    """Worker `number`, with the `words` of its command line; OSError if it cannot be started.

    Its standard input is a pipe, closed by the kernel when this process ends, however it ends; that tells the worker to
    end as well. Standard error goes to a file without a name, which is gone with the last process that has it open.
    `server` forks it, if there is one; else `command` makes the command line of a process.
    """

    def __init__(
        self,
        words: Sequence[str],
        number: int,
        pinning: Pinning,
        inherited: Sequence[int] = (),
        command: Callable[..., list[str]] = worker_command,
        server: ForkServer | None = None,
    ) -> None:
        self.number = number
        self.useful = False
        self.suspected_since: float | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        self._pipe: int | None
        stdin, self._pipe = os.pipe()
        try:
            standard = stdin, self._errors.fileno()
            self._process: subprocess.Popen[bytes] | Forked
            forked = _forked(server, words, standard, inherited, pinning.cpu(number))
            if forked:
                self._process = forked
            else:
                self._process = _start(command(*words), standard, inherited)
                pinning.pin(self._process.pid, number)
                logger.info("worker process %d started", self._process.pid)
        except OSError:
            self._errors.close()
            self._close_pipe()
            raise
        finally:
            os.close(stdin)

    @property
    def pid(self) -> int:
        """Its process id; 0 until it has been forked."""
        return self._process.pid

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
            said = tail(errors)
        return describe_end(self._process.wait()), said

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def _forked(
    server: ForkServer | None,
    words: Sequence[str],
    standard: tuple[int, int],
    inherited: Sequence[int],
    cpu: int | None,
) -> Forked | None:
    """Ask the fork server for a worker; None if there is no server, or it has ended."""
    if server is None or server.gone:
        return None
    try:
        return server.fork(words, standard, inherited, cpu)
    except OSError:
        if server.gone:
            return None
        raise


def _start(command: list[str], standard: tuple[int, int], inherited: Sequence[int]) -> "subprocess.Popen[bytes]":
    """Start a process with these descriptors as standard input and error."""
    with near_limit_blocked():
        return subprocess.Popen(
            command,
            pass_fds=inherited,
            env=local_environment(),
            stdin=standard[0],
            stdout=subprocess.DEVNULL,
            stderr=standard[1],
            start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
        )


def describe_end(code: int) -> str:
    """Return what an exit code means: a negative one is a signal."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
