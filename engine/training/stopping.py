"""When a run stops, and why."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from engine.errors import StorageError, UnsavedError
from engine.settings import Settings
from engine.system.clock import TimeLimit
from engine.system.signals import Interrupt
from engine.training.progress import Progress


class StopKind(Enum):
    """What ended a run. After INTERRUPTED and TIME_LIMIT it can be resumed as it is."""

    LAST_STEP = auto()
    TARGET = auto()
    PATIENCE = auto()
    REPORTER = auto()
    PRUNED = auto()
    INTERRUPTED = auto()
    TIME_LIMIT = auto()


@dataclass(frozen=True)
class StopReason:
    """Why a run takes no further step; `text` is for people."""

    kind: StopKind
    text: str


@contextmanager
def saving(stop: StopReason, step: int) -> Iterator[None]:
    """Let what cannot be saved in this block, after `step`, be an UnsavedError if the run was interrupted."""
    try:
        yield
    except StorageError as error:
        if stop.kind is not StopKind.INTERRUPTED:
            raise
        raise UnsavedError(f"interrupted after step {step}; not everything could be saved: {error}") from error


# Given the epoch of a validation and the best score so far, None without any, says why the run is not worth continuing.
Prune = Callable[[float, float | None], StopReason | None]


def never(_epoch: float, _best: float | None) -> StopReason | None:
    """Prune no run."""
    return None


def not_asked() -> None:
    """Ask for no stop."""
    return


@dataclass(frozen=True)
class Stopping:
    """Decides before every step whether there is to be another one. `last_step`: None if steps do not end the run.

    `asked` returns why the reporter wants the run to stop, if it does.
    """

    settings: Settings
    last_step: int | None
    interrupt: Interrupt
    limit: TimeLimit
    prune: Prune = never
    asked: Callable[[], str | None] = not_asked

    def reason(self, progress: Progress) -> StopReason | None:
        """Return why there should be no further step, if so."""
        # Even if it is interrupted, a run whose goal is reached is done.
        return self._goal(progress) or self.demand()

    def demand(self) -> StopReason | None:
        """Return what ends the run however far it is, if anything does."""
        if self.interrupt.requested:
            return StopReason(StopKind.INTERRUPTED, f"it got {self.interrupt.requested}")
        if (wish := self.asked()) is not None:
            return StopReason(StopKind.REPORTER, wish)
        if self.limit.reached():
            text = f"the time limit of {self.settings.time_limit:g} seconds is reached"
            return StopReason(StopKind.TIME_LIMIT, text)
        return None

    def _goal(self, progress: Progress) -> StopReason | None:
        """Return which goal of the whole run is reached, if any."""
        target = self.settings.target
        if self.last_step is not None and progress.step >= self.last_step:
            done = "1 step is done" if progress.step == 1 else f"{progress.step} steps are done"
            return StopReason(StopKind.LAST_STEP, done)
        if progress.validation is None or not progress.is_validated:
            return None
        if target is not None and progress.validation.score >= target:
            return StopReason(
                StopKind.TARGET, f"validation reached the target of {progress.validation.measure.goal(target)}"
            )
        patience, stale = self.settings.patience, progress.waiting.stale
        if patience is not None and stale >= patience:
            return StopReason(StopKind.PATIENCE, f"{stale} validations in a row were no better")
        return self.prune(progress.epoch, progress.best_score)
