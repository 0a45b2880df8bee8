"""What a sweep tells while it is carried out, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.training.reporter import Reporter

if TYPE_CHECKING:  # a reporter is there before anything slow is imported
    from pathlib import Path

    from engine.records.status import RunStatus
    from engine.sweeps.trial import Trial


@dataclass(frozen=True)
class SweepResult:
    """How a sweep ended. `state` is "finished" or "interrupted"; `trials` are in order, and there are to be `wanted`.

    `best` is the finished trial with the best score in any validation, `checkpoint` its network at that step, None if
    it is not there any more; `config` is the file with the settings that lead there. None if no trial finished.
    `records_bytes` is the size of the records of all trials together, None if they could not be read.
    """

    sweep: int
    name: str | None
    state: RunStatus
    wanted: int
    trials: list[Trial] = field(repr=False)
    best: Trial | None
    checkpoint: Path | None
    config: Path | None
    db: Path
    records_bytes: int | None

    def asdict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "sweep": self.sweep,
            "name": self.name,
            "state": self.state,
            "best": self.best.asdict() if self.best else None,
            "checkpoint": str(self.checkpoint) if self.checkpoint else None,
            "config": str(self.config) if self.config else None,
            "db": str(self.db),
            "records_bytes": self.records_bytes,
            "trials": [trial.asdict() for trial in self.trials],
        }


class SweepReporter(Reporter):
    """Receives the events of a sweep, and between `trial_started` and `trial_ended` what happens in that run."""

    def sweep_started(self, sweep: int, trials: int) -> None:
        """Report a sweep that begins, or is resumed, by its number, and how many trials it is to have."""

    def trial_started(self, trial: Trial) -> None:
        """Report a trial that is about to be carried out, or resumed."""

    def trial_ended(self, trial: Trial) -> None:
        """Report a trial that is over, be it before the sweep was resumed."""

    def sweep_ended(self) -> None:
        """Report that there will be no more trials, for any reason."""
