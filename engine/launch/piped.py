"""Workers behind a command with a pipe, such as ssh: the key goes down it, and its end is the end of the workers."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from engine.errors import WorkersError
from engine.launch.launcher import Join, Place, State, is_final, last_words
from engine.launch.worker_process import describe_end
from engine.system.clock import MONOTONIC, Clock
from engine.system.signals import near_limit_blocked

FIRST_WAIT, LONGEST_WAIT = 2.0, 60.0  # seconds until one that ended is started again; each time twice as long
SETTLED = 60.0  # seconds after which one that ends had been all right
GRACE = 10.0  # seconds that all have to end in when the pipes are closed


@dataclass(frozen=True)
class Task:
    """A command to keep running; `node` is where it leads to."""

    name: str
    node: str
    command: Sequence[str]


# Given the exit code and last words, says whether it is of no use to try again, and what to tell people.
ReasonOfEnd = Callable[[Task, int, str], tuple[bool, str]]


def reason_of_end(_: Task, code: int, said: str) -> tuple[bool, str]:
    """Return whether an end is final, and why it came, by what `gradsum worker` said."""
    return is_final(code, said), said


class _Running:
    """A task's process, or that it waits to be started."""

    def __init__(self, task: Task, log: Path, clock: Clock) -> None:
        self.task = task
        self.popen: subprocess.Popen[bytes] | None = None
        self.refused = False
        self.ends = 0
        self.said = ""
        self._log = log
        self._begin = 0  # of the log of this process
        self._clock = clock
        self._started = 0.0
        self._wait = FIRST_WAIT
        self._not_before = clock.now()

    def start(self, way_in: bytes) -> None:
        """Start the process, if it is time to."""
        if self.refused or self._clock.now() < self._not_before:
            return
        with self._open_log() as log, near_limit_blocked():
            self._begin = log.tell()
            self._started = self._clock.now()
            try:
                self.popen = subprocess.Popen(
                    self.task.command,
                    stdin=subprocess.PIPE,  # closed by the kernel when this process ends, however it ends
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C in the terminal is for the coordinator alone
                )
            except OSError as error:
                raise WorkersError(f"{self.task.command[0]} cannot be started: {error.strerror}") from None
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is noticed at the next look
            os.write(self._pipe().fileno(), way_in)

    def _open_log(self) -> BinaryIO:
        """Open the file with what the process says; WorkersError if that is impossible."""
        try:
            return self._log.open("ab")
        except OSError as error:
            what = f"the log of {self.task.name}, {self._log},"
            raise WorkersError(f"{what} cannot be opened: {error.strerror}") from None

    def check(self, reason_of_end: ReasonOfEnd) -> None:
        """Note whether the process has ended, and when to start it again."""
        if self.popen is None or (code := self.popen.poll()) is None:
            return
        self._pipe().close()
        self.popen = None
        self.refused, said = reason_of_end(self.task, code, last_words(self._log, self._begin))
        self.ends += 1
        self.said = said or f"nothing; it ended with {describe_end(code)}"
        now = self._clock.now()
        self._wait = FIRST_WAIT if now - self._started > SETTLED else min(LONGEST_WAIT, 2 * self._wait)
        self._not_before = now + self._wait

    def hang_up(self) -> None:
        """Close the pipe."""
        if self.popen:
            with contextlib.suppress(OSError):
                self._pipe().close()

    def end(self, seconds: float) -> None:
        """Wait for the end, and after `seconds` make it."""
        if self.popen is None:
            return
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen = None

    def place(self) -> Place:
        """Return how it is."""
        state = State.UP if self.popen else State.ENDED
        return Place(self.task.name, state, self.task.node, "", self.ends, self.said, self.refused)

    def _pipe(self) -> BinaryIO:
        if self.popen is None or self.popen.stdin is None:
            raise RuntimeError(f"{self.task.name} has no pipe")
        return self.popen.stdin  # type: ignore[return-value]


class Piped:
    """Keeps the commands running that `tasks` returns for a way to join; a `Launcher`."""

    def __init__(
        self,
        noun: str,
        tasks: Callable[[Join], list[Task]],
        reason_of_end: ReasonOfEnd = reason_of_end,
        clock: Clock = MONOTONIC,
        remark: str = "",
    ) -> None:
        self.noun = noun
        self.remark = remark
        self.tasks = tasks
        self._reason_of_end = reason_of_end
        self._clock = clock
        self._way_in = b""
        self._running: list[_Running] = []

    def start(self, join: Join) -> None:
        """Start every command."""
        self._way_in = join.way_in
        for task in self.tasks(join):
            self._running.append(_Running(task, join.folder / f"{task.name}.log", self._clock))
            self._running[-1].start(self._way_in)

    def look(self) -> list[Place]:
        """Start those again that ended, after a while."""
        for running in self._running:
            running.check(self._reason_of_end)
            if running.popen is None:
                running.start(self._way_in)
        return [running.place() for running in self._running]

    def close(self) -> None:
        """Close the pipes, wait, and end what is left of the commands here."""
        for running in self._running:
            running.hang_up()
        until = self._clock.now() + GRACE
        for running in self._running:
            running.end(max(0.0, until - self._clock.now()))
