"""Progress of a sweep as plain lines; or only what is needed, if quiet."""

from typing import TYPE_CHECKING, TextIO

from engine.cli.live.lines import Lines, Quiet
from engine.cli.live.trial_table import ending, in_words
from engine.sweeps.report import SweepReporter

if TYPE_CHECKING:
    from engine.sweeps.trial import Trial


class QuietSweep(Quiet, SweepReporter):
    """Says nothing but what nobody could guess."""


class SweepLines(Lines, SweepReporter):
    """A line when a trial begins and when it is over, and now and then one in between."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._trials = 0

    def sweep_started(self, sweep: int, trials: int) -> None:
        """Say what begins."""
        self._trials = trials
        self._say(f"sweep {sweep}: {trials} trial{'s' * (trials > 1)}")

    def trial_started(self, trial: "Trial") -> None:
        """Say what is tried."""
        self._forget()
        self._say(f"trial {trial.number} of {self._trials}: {in_words(trial.parameters)}")

    def trial_ended(self, trial: "Trial") -> None:
        """Say how it ended."""
        self._say(f"trial {trial.number} {ending(trial)}")
