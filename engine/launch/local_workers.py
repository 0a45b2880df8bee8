"""Workers on this machine: one process each, replaced when it is lost, ended with the run."""

import contextlib
import os
import platform
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO, Self

from engine.errors import WorkersError
from engine.launch.command import worker_command, worker_environment
from engine.system.signals import near_limit_blocked
from engine.wire.shared_memory import SharedMemory

GRACE = 5.0  # seconds that workers have to end by themselves before they are killed
HUNG = 5.0  # seconds that a worker under suspicion has to show that it works
HOPELESS = 2  # workers that end without an answer in between, when each has been replaced once already
SAID = 2000  # bytes of a worker's standard error that are worth quoting: the last


@dataclass
class _Process:
    """`errors` is a file without a name: it is gone with the last process that has it open."""

    number: int
    popen: subprocess.Popen[bytes]
    errors: IO[bytes]
    useful: bool = False
    suspected: float | None = None  # since when


class LocalWorkers:
    """Keeps `count` workers running that connect to `address`."""

    def __init__(self, address: str, count: int, shared_memory: SharedMemory | None = None) -> None:
        self._address = address
        self._shared_memory = shared_memory
        self._count = count
        self._failed = 0
        self._processes: list[_Process] = []
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def _fill(self) -> None:
        """Start as many workers as are missing; WorkersError if that is impossible."""
        while len(self._processes) < self._count:
            try:
                taken = [process.number for process in self._processes]
                number = next(n for n in range(self._count) if n not in taken)
                self._processes.append(_start(self._address, number, self._count, self._shared_memory))
            except OSError as error:
                number = len(self._processes) + 1
                raise WorkersError(f"worker {number} of {self._count} cannot be started: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run."""
        return [process.popen.pid for process in self._processes]

    def useful(self, pid: int) -> None:
        """Take note that the worker with this process id has given an answer."""
        for process in self._processes:
            if process.popen.pid == pid:
                process.useful = True
                process.suspected = None
                self._failed = 0

    def suspect(self, host: str, pid: int) -> None:
        """Take note that a process, be it here or elsewhere, should have answered, or is no longer connected."""
        for process in self._processes:
            if process.popen.pid == pid and host == platform.node()[:64] and process.suspected is None:
                process.suspected = time.monotonic()

    def trust(self, host: str, pid: int) -> None:
        """Take note that a process has shown that it works."""
        for process in self._processes:
            if process.popen.pid == pid and host == platform.node()[:64]:
                process.suspected = None

    def look(self) -> list[int]:
        """Replace workers that ended, kill those that have been under suspicion for too long, and return these.

        A frozen process ends by nothing but SIGKILL. WorkersError if one worker after the other ends before it has
        given an answer.
        """
        killed = []
        for process in self._processes:
            since = process.suspected
            if since is not None and time.monotonic() - since >= HUNG and process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()
                killed.append(process.popen.pid)
        for process in [x for x in self._processes if x.popen.poll() is not None]:
            self._processes.remove(process)
            self._failed += 0 if process.useful else 1
            said = _end(process, 0) or "nothing"
            if self._failed >= HOPELESS + self._count:
                raise WorkersError(
                    "workers end before they computed anything; "
                    f"the last one ended with {describe_end(process.popen.returncode)} and said: {said}"
                )
        self._fill()
        return killed

    def close(self) -> None:
        """End all workers: close their lifelines, wait, and kill those that do not end in time."""
        deadline = time.monotonic() + GRACE
        for process in self._processes:
            _cut(process)
            process.popen.terminate()  # for those that are still starting, and do not look at the lifeline yet
        while self._processes:
            _end(self._processes.pop(), max(0.0, deadline - time.monotonic()))


def _start(address: str, number: int, count: int, shared_memory: SharedMemory | None) -> _Process:
    """Start worker `number` of `count`, which connects to `address`."""
    options = ["--tied", "--clear"]
    inherited: tuple[int, ...] = ()
    if shared_memory:
        options += ["--shared-memory", f"{shared_memory.descriptor}:{number}:{count}"]
        inherited = (shared_memory.descriptor,)
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
    try:
        with near_limit_blocked():
            popen = subprocess.Popen(
                worker_command(address, *options),
                pass_fds=inherited,
                env=worker_environment(),
                stdin=subprocess.PIPE,  # the lifeline: closed by the kernel when this process ends, however it ends
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
            )
    except OSError:
        errors.close()
        raise
    pin(popen.pid, number, count)
    return _Process(number, popen, errors)


def pin(pid: int, number: int, count: int) -> None:
    """Bind worker `number` of `count` to a core, where they share the cores evenly.

    The workers of a round are woken within microseconds of each other; left to the scheduler, two may be found on
    one core for some milliseconds while another core is idle.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if count % len(cores) == 0:
            with contextlib.suppress(ProcessLookupError):  # it has ended already, and will be replaced
                os.sched_setaffinity(pid, {cores[number % len(cores)]})


def _cut(process: _Process) -> None:
    if process.popen.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.popen.stdin.close()


def _end(process: _Process, grace: float) -> str:
    """Wait for a process to end, or make it, and return the last that it wrote to standard error."""
    _cut(process)
    try:
        process.popen.wait(grace)
    except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.wait()
    with process.errors as errors:
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - SAID))
        return errors.read(SAID).decode(errors="replace").strip()


def describe_end(code: int) -> str:
    """Say what an exit code means: a negative one is a signal."""
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.strsignal(-code)})"
