"""What a sweep tells while it goes on, and what it returns in the end."""

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

    `best` is the finished trial with the best score in any validation, `config` the file with its settings;
    None if no trial finished.
    """

    sweep: int
    name: str | None
    state: RunStatus
    wanted: int
    trials: list[Trial] = field(repr=False)
    best: Trial | None
    config: Path | None
    db: Path

    def asdict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "sweep": self.sweep,
            "name": self.name,
            "state": self.state,
            "best": self.best.asdict() if self.best else None,
            "config": str(self.config) if self.config else None,
            "db": str(self.db),
            "trials": [trial.asdict() for trial in self.trials],
        }


class SweepReporter(Reporter):
    """Is told what happens in a sweep, and between `trial_started` and `trial_ended` what happens in that run."""

    def sweep_started(self, sweep: int, trials: int) -> None:
        """Take note that the sweep of this number begins, or goes on, and is to have so many trials."""

    def trial_started(self, trial: Trial) -> None:
        """Take note that a trial is about to be carried out, or gone on with."""

    def trial_ended(self, trial: Trial) -> None:
        """Take note of a trial that is over; of one from an earlier sitting, too."""

    def sweep_ended(self) -> None:
        """Take note that no more trials will come, whatever the reason."""
