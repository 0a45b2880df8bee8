"""A trial of a sweep, and which of several did best."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.data.measure import Measure
from engine.records import Point
from engine.records.status import TrialStatus
from engine.sweeps.space import Parameters

OVER = (TrialStatus.FINISHED, TrialStatus.PRUNED, TrialStatus.FAILED)  # nothing is left to do


@dataclass(frozen=True)
class Trial:
    """A trial: `run` is its number in the records, `curve` its validations in order.

    `measure` says what scores are. `reason` says why it ended; `params_sha256` is over the model's parameters at the
    end, None if it diverged.
    """

    number: int
    parameters: Parameters
    state: TrialStatus = TrialStatus.RUNNING
    run: int | None = None
    curve: tuple[Point, ...] = ()
    reason: str | None = None
    params_sha256: str | None = None
    measure: Measure = Measure.PERCENT

    @property
    def best(self) -> Point | None:
        """The validation with the best score, the first of several; None if there was none with any."""
        scored = (point for point in self.curve if not math.isnan(point.score))
        return max(scored, key=lambda point: point.score, default=None)

    def asdict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "number": self.number,
            "run": self.run,
            "parameters": dict(self.parameters),
            "state": self.state,
            "value": self.best.score if self.best else None,
            "step": self.best.step if self.best else None,
            "reason": self.reason,
            "params_sha256": self.params_sha256,
        }


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that finished, the best first and of equal ones the earlier; then the others likewise."""

    def rank(trial: Trial) -> tuple[bool, float, int]:
        score = trial.best.score if trial.best else -math.inf
        return trial.state is not TrialStatus.FINISHED, -score, trial.number

    return sorted(trials, key=rank)
