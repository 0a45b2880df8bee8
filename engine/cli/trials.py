"""What a person sees while a sweep goes on: lines, or nothing if quiet; and trials as rows of a table."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from engine.cli.progress import Lines, Quiet, forgiving, is_live
from engine.cli.tables import STYLES, table
from engine.reports.text import number, shown
from engine.sweeps.report import SweepReporter

if TYPE_CHECKING:
    from rich.table import Table

    from engine.sweeps.space import Parameters
    from engine.sweeps.trial import Trial

_STYLES = STYLES | {"pruned": "yellow"}


def sweep_reporter_for(stream: TextIO | None, quiet: bool) -> SweepReporter:
    """Return the reporter that suits `stream`; a closed one is None."""
    if stream is None:
        return SweepReporter()
    if quiet:
        return QuietSweep(forgiving(stream))
    if not is_live(stream):
        return SweepLines(forgiving(stream))
    from engine.cli.board import Board

    return Board(forgiving(stream))


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


def in_words(parameters: "Parameters") -> str:
    """Return parameters in one line."""
    return ", ".join(f"{name.replace('_', '-')} {brief(value)}" for name, value in parameters.items())


def brief(value: object) -> str:
    """Return a value for a table: numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else shown(value)


def ending(trial: "Trial") -> str:
    """Return how a trial ended."""
    if trial.state in ("pruned", "failed") and trial.reason:
        return f"{trial.state}: {shown(trial.reason).removeprefix('pruned: ')}"
    best = f"{trial.best.percent:.2f} % correct after step {trial.best.step}" if trial.best else "no validation"
    return f"{trial.state}: {best}"


def trial_table(trials: Iterable["Trial | None"], names: Sequence[str]) -> "Table":
    """Return a table with a row a trial, of those parameters; None stands for trials that are left out."""
    from rich.text import Text  # slow to import, and not needed for lines

    rows = table()
    for heading in ("trial", *(name.replace("_", "-") for name in names), "% correct", "step", "run"):
        rows.add_column(heading, justify="left" if heading in ("optimizer", "model", "augment") else "right")
    rows.add_column("state")
    for trial in trials:
        if trial is None:
            rows.add_row("...")
            continue
        best = trial.best
        cells = [str(trial.number), *(brief(trial.parameters[name]) for name in names)]
        cells += [number(best and best.percent, ".2f"), number(best and best.step, ","), number(trial.run, "d")]
        rows.add_row(*map(Text, cells), Text(trial.state, _STYLES.get(trial.state, "")))
    return rows
