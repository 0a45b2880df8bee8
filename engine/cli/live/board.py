"""The live table of a sweep: the trials so far, and below them the panel of the one that is running, if it is one."""

from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from rich.console import Group, RenderableType
from rich.text import Text

from engine.cli.live.display import Display
from engine.cli.live.panel import Panel
from engine.cli.live.trial_table import in_words, trial_table
from engine.records import Point
from engine.sweeps.report import SweepReporter
from engine.sweeps.trial import Trial, ranked
from engine.training.reporter import RunInfo

if TYPE_CHECKING:
    from engine.compute.validation import Validation

BEST = 3  # trials that are always shown
BELOW = 16  # lines of a terminal for the heading, the panel and what scrolls by


class Board(Panel, SweepReporter):
    """A table and a panel, redrawn in place, and gone when the sweep has ended."""

    def __init__(self, stream: TextIO) -> None:
        self._of = ""
        self._done: list[Trial] = []
        self._running: list[Trial] = []
        super().__init__(stream)  # which renders once

    def sweep_started(self, sweep: int, trials: int) -> None:
        self._of = f"sweep {sweep}: {{}} of {trials} trial{'s' * (trials > 1)}"

    def trial_started(self, trial: Trial) -> None:
        self._running.append(trial)
        self._info = None
        self._forget()
        self._validation = None
        self._show()

    def started(self, info: RunInfo) -> None:
        Display.started(self, info)
        self._doing = "waiting for the first step"
        self._show()

    def validated(self, validation: "Validation") -> None:
        self._validation, self._doing = validation, ""
        if self._running and self._info:
            epoch = validation.step / self._info.steps_per_epoch
            [current] = self._running  # of several, no validations are reported
            curve = (*current.curve, Point(epoch, validation.step, validation.score))
            self._running = [replace(current, curve=curve)]
        self._show()

    def ended(self) -> None:
        pass  # the next run takes the panel over

    def trial_ended(self, trial: Trial) -> None:
        self._done.append(trial)
        self._running = [other for other in self._running if other.number != trial.number]

    def sweep_ended(self) -> None:
        self._disappear()

    def _render(self) -> RenderableType:
        trials = [*self._done, *self._running]
        if self._over or not trials:
            return super()._render()
        room = max(3 * BEST, self._live.console.height - BELOW)
        heading = Text(self._of.format(len(self._done)), "bold")
        rows = trial_table(in_sight(trials, room), list(trials[0].parameters))
        if len(self._running) != 1 or self._info is None:
            return Group(heading, rows, *([Text(self._placed, "dim")] if self._placed else []))
        below = Text(f"trial {self._running[0].number}: {in_words(self._running[0].parameters)}")
        return Group(heading, rows, below, super()._render())


def in_sight(trials: list[Trial], room: int) -> list[Trial | None]:
    """Return the trials to show in `room` rows: the best and the latest, in order, None for those left out between.

    `room` is more than twice BEST.
    """
    if len(trials) <= room:
        return list(trials)
    best = {trial.number for trial in ranked(trials)[:BEST]}
    recent = {trial.number for trial in trials[-(room - 2 * BEST) :]}
    shown: list[Trial | None] = []
    for trial in trials:
        if trial.number in best | recent:
            shown.append(trial)
        elif not shown or shown[-1] is not None:
            shown.append(None)
    return shown
