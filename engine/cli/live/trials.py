"""Progress of a sweep as plain lines; if quiet, only what the user needs to act on."""

from typing import TYPE_CHECKING, TextIO

from engine.cli.live.lines import Lines, Quiet
from engine.cli.live.trial_table import ending, in_words
from engine.sweeps.report import SweepReporter

if TYPE_CHECKING:
    from engine.sweeps.trial import Trial


class QuietSweep(Quiet, SweepReporter):
    """Prints only what the user needs to act on."""


class SweepLines(Lines, SweepReporter):
    """Prints a line when a trial starts and ends, and those of its run."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._trials = 0

    def sweep_started(self, sweep: int, trials: int) -> None:
        self._trials = trials
        self._say(f"sweep {sweep}: {trials} trial{'s' * (trials > 1)}")

    def trial_started(self, trial: "Trial") -> None:
        self._forget()
        self._say(f"trial {trial.number} of {self._trials}: {in_words(trial.parameters)}")

    def trial_ended(self, trial: "Trial") -> None:
        self._say(f"trial {trial.number} {ending(trial)}")
