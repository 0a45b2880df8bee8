"""Workers on this machine: one process each, replaced when it is lost, ended with the run."""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Self

from engine.errors import WorkersError
from engine.launch.command import worker_command
from engine.launch.fork_server import ForkServer
from engine.launch.pinning import Pinning
from engine.launch.worker_process import WorkerProcess
from engine.system.clock import MONOTONIC, Clock
from engine.system.processes import hostname
from engine.wire.shared_memory import SharedMemory

logger = logging.getLogger("gradsum.launch")


@dataclass(frozen=True)
class Limits:
    """How long workers may take, in seconds, and how often they may fail."""

    exit: float = 5.0  # to exit by themselves when the run is over; then they are killed
    suspicion: float = 5.0  # to show that they work when they are under suspicion; then they are killed
    failures: int = 2  # workers in a row that may exit without an answer, besides one for each
    wait: float = 1.0  # before another is started where the second in a row did so; each time twice as long
    longest_wait: float = 60.0


LIMITS = Limits()


@dataclass
class _Place:
    """How often in a row a worker of one number ended without an answer, and when there may be another one."""

    failed: int = 0
    not_before: float = -math.inf

    def next(self, failed: bool, now: float, limits: Limits) -> float:
        """Note an end, and return how many seconds the next worker has to wait."""
        self.failed = self.failed + 1 if failed else 0
        wait = 0.0 if self.failed < 2 else min(limits.longest_wait, limits.wait * 2.0 ** min(self.failed - 2, 10))
        self.not_before = now + wait
        return wait


class LocalWorkers:
    """Keeps `count` workers running that connect to `address`.

    WorkersError if they cannot be started. `server` forks them, if there is one and while it lives; else `command`
    makes the command line of a worker from its arguments. `replaced` is told of each that ended, and how.
    """

    def __init__(
        self,
        address: str,
        count: int,
        shared_memory: SharedMemory | None = None,
        clock: Clock = MONOTONIC,
        limits: Limits = LIMITS,
        command: Callable[..., list[str]] = worker_command,
        server: ForkServer | None = None,
        replaced: Callable[[int, str], None] = lambda pid, end: None,  # noqa: ARG005
    ) -> None:
        self._address = address
        self._replaced = replaced
        self._count = count
        self._shared_memory = shared_memory
        self._clock = clock
        self._limits = limits
        self._command = command
        self._server = server
        self.note: Callable[[str], None] = logger.warning  # is told of places where one after the other ends
        self._failed = 0  # workers in a row that exited without an answer
        self._places = [_Place() for _ in range(count)]
        self._pinning = Pinning(count)
        self._processes: list[WorkerProcess] = []
        self._by_pid: dict[int, WorkerProcess] = {}  # made again when one is missing, and whenever one has ended
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers; not of those that are about to be forked."""
        return [process.pid for process in self._processes if process.pid]

    def left_alone(self) -> AbstractContextManager[None]:
        """Keep this thread, and those that it starts within the context, off the workers' processors, if it can be."""
        return self._pinning.kept_off()

    def useful(self, pid: int) -> None:
        """Note that the worker with this process id has given an answer."""
        if pid not in self._by_pid:
            self._by_pid = {process.pid: process for process in self._processes}
        if process := self._by_pid.get(pid):
            process.useful = True
            process.suspected_since = None
            self._failed = self._places[process.number].failed = 0

    def suspect(self, host: str, pid: int) -> None:
        """Note that a process, here or elsewhere, should have answered, or is no longer connected."""
        process = self._find(host, pid)
        if process and process.suspected_since is None:
            process.suspected_since = self._clock.now()

    def trust(self, host: str, pid: int) -> None:
        """Note that a process, here or elsewhere, has shown that it works."""
        if process := self._find(host, pid):
            process.suspected_since = None

    def look(self) -> list[int]:
        """Replace workers that ended, kill those that were under suspicion for too long, and return the latter.

        A frozen process ends only by SIGKILL. WorkersError if one worker after another exits without an answer.
        """
        killed = [process for process in self._processes if self._hung(process) and process.running()]
        for process in killed:
            logger.warning("worker process %d was unresponsive and was killed", process.pid)
            process.kill()
        for process in [process for process in self._processes if not process.running()]:
            self._remove(process)
        self._fill()
        return [process.pid for process in killed]

    def close(self) -> None:
        """End all workers: ask them, wait, and kill those that do not exit in time."""
        deadline = self._clock.now() + self._limits.exit
        for process in self._processes:
            process.terminate()
        while self._processes:
            self._processes.pop().close(max(0.0, deadline - self._clock.now()))

    def _find(self, host: str, pid: int) -> WorkerProcess | None:
        """Return our worker with this process id, if the process is on this machine."""
        ours = self._processes if host == hostname() else []
        return next((process for process in ours if process.pid == pid), None)

    def _hung(self, process: WorkerProcess) -> bool:
        since = process.suspected_since
        return since is not None and self._clock.now() - since >= self._limits.suspicion

    def _remove(self, process: WorkerProcess) -> None:
        """Forget a worker that ended; WorkersError if too many did in a row without an answer."""
        self._processes.remove(process)
        self._by_pid.clear()
        end, said = process.close()
        logger.warning("worker process %d ended with %s", process.pid, end)
        self._replaced(process.pid, end)
        self._failed += 0 if process.useful else 1
        if self._failed >= self._limits.failures + self._count:
            raise WorkersError(
                f"workers exited before computing anything; the last one ended with {end}; "
                f"last stderr: {said or '(empty)'}"
            )
        place = self._places[process.number]
        if wait := place.next(not process.useful, self._clock.now(), self._limits):
            self.note(
                f"{place.failed} workers in a row ended without an answer, the last one with {end}; it said last: "
                f"{said or 'nothing'}; the next one is started in {wait:g} s"
            )

    def _fill(self) -> None:
        """Start the workers that are missing, unless it is too early; WorkersError if that is impossible."""
        missing = set(range(self._count)) - {process.number for process in self._processes}
        for number in sorted(missing):
            if self._clock.now() < self._places[number].not_before:
                continue
            try:
                self._processes.append(self._start(number))
            except OSError as error:
                begun = len(self._processes) + 1
                raise WorkersError(f"worker {begun} of {self._count} cannot be started: {error}") from None

    def _start(self, number: int) -> WorkerProcess:
        options, inherited = ["--tied", "--clear"], []
        if self._shared_memory:
            options += ["--shared-memory", f"{self._shared_memory.descriptor}:{number}:{self._count}"]
            inherited = [self._shared_memory.descriptor]
        words = [self._address, *options]
        return WorkerProcess(words, number, self._pinning, inherited, self._command, self._server)
