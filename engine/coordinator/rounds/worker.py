"""What a worker is working on, and how fast it is."""

from collections import deque
from dataclasses import dataclass, field

from engine.compute.tree import Block
from engine.coordinator.rounds.events import IgnoreReason

SMOOTHING = 0.2  # weight of the newest speed in its moving average
FORGET = 100  # rounds in a row without a share, after which a worker's speed counts as unknown
REMEMBERED = 4  # shares of a worker, to tell an answer that comes twice from one that was not asked for


@dataclass(slots=True)
class Task:
    """A share that a worker has."""

    round: int
    attempt: int
    share: Block
    blocks: list[Block]  # not answered yet
    began: float
    late_at: float
    deadline: float
    busy: float = 0.0  # seconds that its blocks took to compute, as far as they are answered
    late: bool = False
    lapsed: bool = False
    recalled: bool = False

    @property
    def size(self) -> int:
        """Micro-batches in the share."""
        return self.share[1] - self.share[0]

    def has(self, block: Block) -> bool:
        """Return whether `block` is one of those not answered yet, or in one."""
        return any(start <= block[0] and block[1] <= stop for start, stop in self.blocks)

    def due(self) -> float | None:
        """Return when it becomes late, or, if it is, when its lease lapses; None if that has lapsed."""
        return None if self.lapsed else self.deadline if self.late else self.late_at


@dataclass(slots=True)
class WorkerState:
    """A worker on `machine`, as the scheduler sees it. `speed` in micro-batches a second, None while unknown.

    `pace` is that in computing alone, for a relay: how long it waits for parameters, or has to send, depends on who is
    served first; if that had a say, equal machines would not get equal shares, and these would not be whole blocks.
    `processes` compute for it, more than one for a relay.
    `version`: the parameters that it holds. `warm`: it has finished a share; the first is slow on any worker.
    `passed_over`: rounds in a row without one. `given`: the shares it was given last, finished or not.
    """

    machine: str = ""
    processes: int = 1
    speed: float | None = None
    pace: float | None = None
    version: int | None = None
    task: Task | None = None
    warm: bool = False
    passed_over: int = 0
    given: deque[Task] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def learn_speed(self, task: Task, now: float) -> None:
        """Update the speed from a finished share, except the first, in which the worker warms up."""
        speed = task.size / max(now - task.began, 1e-6)
        if self.warm:
            pace = task.size / task.busy if self.processes > 1 and task.busy > 0.0 else speed
            self.speed, self.pace = smoothed(self.speed, speed), smoothed(self.pace, pace)
        self.warm = True

    def pass_over(self, empty: bool) -> None:
        """Count rounds without a share: a worker that was slow long ago is tried again."""
        self.passed_over = self.passed_over + 1 if empty else 0
        if self.passed_over >= FORGET:
            self.speed, self.pace, self.passed_over = None, None, 0

    def unasked(self, round_: int, attempt: int, block: Block) -> IgnoreReason:
        """Return why an answer is not used that its task does not ask for; an earlier one may have."""
        for task in self.given:
            asked = task.share[0] <= block[0] < block[1] <= task.share[1]
            if asked and (task.round, task.attempt) == (round_, attempt):
                return IgnoreReason.LATE if task.recalled else IgnoreReason.DOUBLED
        return IgnoreReason.UNASKED


def smoothed(before: float | None, newest: float) -> float:
    """Return the moving average with one more value."""
    return newest if before is None else before + (newest - before) * SMOOTHING
