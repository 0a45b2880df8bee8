"""What a run reports while it is carried out, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from engine.data.measure import Measure
from engine.errors import SettingsError

if TYPE_CHECKING:  # a reporter is there before anything slow is imported
    from collections.abc import Sequence
    from pathlib import Path

    from engine.compute.validation import Validation
    from engine.coordinator.source import WorkerReport
    from engine.data.usage import Usage
    from engine.network import Network
    from engine.records.status import RunStatus
    from engine.training.stopping import StopKind


@dataclass(frozen=True)
class RunInfo:
    """A run that begins: at step 0, or where it is continued.

    `parts` says which part of the data is used for what, `measure` what says how good the run is; `notes` are of how
    the data was read, `unit` is what its samples are called, images or rows. `last_step` and `time_limit` (seconds from
    now) are None if it is not that which ends it. `run` is its number in the records, 0 if they are not kept.
    """

    run: int
    model: str
    data: str
    generated: bool
    train_samples: int
    parts: Usage
    parameters: int
    workers: int
    step: int
    last_step: int | None
    time_limit: float | None
    steps_per_epoch: int
    db: Path
    folder: Path
    measure: Measure = Measure.PERCENT
    unit: str = "images"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepReport:
    """One step: mean loss and percent correct of its batch, before the optimizer changed the parameters.

    `percent` is nan where values are predicted.
    """

    step: int
    epoch: float
    loss: float
    percent: float
    images: int
    images_per_second: float
    elapsed: float


@dataclass(frozen=True)
class Best:
    """The validation with the best score, the first of equal ones, and the checkpoint of its parameters.

    `checkpoint` is None if the file was removed meanwhile. Where values are predicted, the score is `r2`, and `percent`
    is nan.
    """

    step: int
    percent: float
    loss: float
    checkpoint: Path | None
    r2: float | None = None

    def text(self) -> str:
        """Return the score in words."""
        return Measure.PERCENT.text(self.percent) if self.r2 is None else Measure.R2.text(self.r2)

    def asdict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        score = {"percent": self.percent} if self.r2 is None else {"r2": self.r2}
        checkpoint = str(self.checkpoint) if self.checkpoint else None
        return {"step": self.step} | score | {"loss": self.loss, "checkpoint": checkpoint}


@dataclass(frozen=True)
class Result:
    """How a run ended. `state` is "finished" or "interrupted", `reason` says why, `stop` of which kind that is.

    `checkpoint` is that of the last step, `validation` the last one, `best` the best. `train_loss` is the mean loss of
    a sample over the last (at most 100) batches. `images_per_second` counts training only, without validation and
    checkpoints; `step_ms` is where the mean step went, in milliseconds; both without the first ten steps, in which
    workers join, where there were more. `steps_taken` are those of this call, `steps`
    those since the run began. `history` is read from the database whenever it is used. `records_bytes` is the size of
    the run's records in it, None if it could not be read. `unwritten` is the file with rows that it could not take.
    `parts` says which part of the data was used for what.
    """

    run: int
    data: str
    generated: bool
    state: RunStatus
    reason: str
    steps: int
    epochs: float
    workers: int
    params_sha256: str
    train_loss: float | None
    validation: Validation | None
    best: Best | None
    images_per_second: float
    wall_seconds: float
    step_ms: dict[str, float]
    db: Path
    records_bytes: int | None
    checkpoint: Path
    network: Network = field(repr=False)
    history: Sequence[StepReport] = field(repr=False)
    steps_taken: int = field(repr=False)
    stop: StopKind = field(repr=False)
    parts: Usage = field(repr=False)
    unit: str = field(default="images", repr=False)
    side_file: Path | None = field(default=None, repr=False)

    @property
    def unwritten(self) -> Path | None:
        """The file with rows that the database could not take until the run ended; None, as it should be, without."""
        return self.side_file if self.side_file and self.side_file.exists() else None

    def asdict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        names = (
            "run",
            "data",
            "generated",
            "state",
            "reason",
            "steps",
            "epochs",
            "workers",
            "params_sha256",
            "train_loss",
        )
        more: dict[str, Any] = {
            "parts": self.parts.counts(),
            "validation": self.validation.asdict() if self.validation else None,
            "best": self.best.asdict() if self.best else None,
            "images_per_second": self.images_per_second,
            "wall_seconds": self.wall_seconds,
            "step_ms": self.step_ms,
            "db": str(self.db),
            "records_bytes": self.records_bytes,
            "unwritten": str(self.unwritten) if self.unwritten else None,
            "checkpoint": str(self.checkpoint),
        }
        return {name: getattr(self, name) for name in names} | more


class Reporter:
    """Receives progress events; the base class ignores them. Override those that you want to show.

    Any of its methods may call `stop`.
    """

    stop_reason: str | None = None  # of the run that is carried out, or was last

    def stop(self, reason: str = "the reporter stopped it") -> None:
        """End the run after the step that is being computed, as if it had been its last: validated, saved, finished.

        `reason` is recorded.
        """
        self.stop_reason = reason

    def status(self, text: str) -> None:
        """Report what is being done before the first step, and between steps."""

    def converting(self, what: str, done: int, total: int) -> None:
        """Report that `what` is being done, with pictures of the data set or with kernels: `done` of `total` so far."""

    def listening(self, command: str) -> None:
        """Report the command with which workers on other machines join."""

    def placed(self, text: str) -> None:
        """Report how workers stand that a launcher places, whenever that changes."""

    def waiting(self, text: str) -> None:
        """Report that the run waits for something that somebody may have to see to."""

    def started(self, info: RunInfo) -> None:
        """Report a run whose first step is about to be taken."""

    def step(self, report: StepReport, workers: list[WorkerReport]) -> None:
        """Report a step; called while the next one is being computed."""

    def validated(self, validation: Validation) -> None:
        """Report a validation."""

    def notice(self, text: str) -> None:
        """Report something unusual, such as a worker that was lost."""

    def interrupted(self) -> None:
        """Note that the run is to end early. Called from a signal handler: write nothing here."""

    def ended(self) -> None:
        """Report that there will be no more steps, for any reason."""


Kind = TypeVar("Kind", bound=Reporter)


def checked_reporter(given: Kind | None, kind: type[Kind]) -> Kind:
    """Return the reporter that was given, or one that says nothing; SettingsError for what is none of this kind."""
    if not isinstance(given, kind | None):
        raise SettingsError(f"reporter must be a {kind.__name__}(), got {given!r:.60}")
    return kind() if given is None else given
