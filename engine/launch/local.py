"""Workers on this machine: one process each, replaced when it is lost, ended with the run."""

import contextlib
import subprocess
import tempfile
from dataclasses import dataclass
from typing import IO, Self

from engine.errors import WorkersError
from engine.launch.command import worker_command, worker_environment

GRACE = 5.0  # seconds that a worker has to end by itself before it is killed
HOPELESS = 3  # workers that ended one after the other without ever giving an answer


@dataclass
class _Process:
    """`errors` is a file without a name: it is gone with the last process that has it open."""

    popen: subprocess.Popen[bytes]
    errors: IO[bytes]
    useful: bool = False


class LocalWorkers:
    """Keeps `count` workers running that connect to `address`."""

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self._failed = 0
        self._processes: list[_Process] = []
        try:
            for _ in range(count):
                self._processes.append(self._start())
        except OSError as error:
            self.close()
            raise WorkersError(f"worker {len(self._processes) + 1} of {count} cannot be started: {error}") from None

    def _start(self) -> _Process:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        popen = subprocess.Popen(
            worker_command(self._address, "--tied"),
            env=worker_environment(),
            stdin=subprocess.PIPE,  # the lifeline: closed by the kernel when this process ends, however it ends
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
        )
        return _Process(popen, errors)

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
                self._failed = 0

    def look(self) -> None:
        """Replace workers that ended; WorkersError if one after the other ends before it has given an answer."""
        for i, process in enumerate(self._processes):
            if process.popen.poll() is None:
                continue
            self._failed += 0 if process.useful else 1
            said = _end(process, 0)
            if self._failed >= HOPELESS:
                raise WorkersError(f"workers end before they computed anything; the last one said: {said or 'nothing'}")
            self._processes[i] = self._start()

    def close(self) -> None:
        """End all workers: close their lifelines, wait, and kill those that do not end in time."""
        for process in self._processes:
            _cut(process)
        for process in self._processes:
            _end(process, GRACE)
        self._processes.clear()


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
        errors.seek(0)
        return errors.read().decode(errors="replace").strip()[-2000:]
