"""Trials as rows of a table."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.cli.tables import STYLES, table
from engine.data.measure import Measure
from engine.reports.text import number, shown

if TYPE_CHECKING:
    from rich.table import Table

    from engine.sweeps.space import Parameters
    from engine.sweeps.trial import Trial

_STYLES = STYLES | {"pruned": "yellow"}


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
    best = f"{trial.measure.text(trial.best.score)} after step {trial.best.step}" if trial.best else "no validation"
    return f"{trial.state}: {best}"


def trial_table(trials: Iterable["Trial | None"], names: Sequence[str]) -> "Table":
    """Return a table with a row a trial, of those parameters; None stands for trials that are left out."""
    from rich.text import Text  # slow to import, and not needed for lines

    trials = list(trials)
    measure = next((trial.measure for trial in trials if trial), Measure.PERCENT)
    rows = table()
    rows.add_column("trial", justify="right")
    for name in names:
        values = [trial.parameters[name] for trial in trials if trial]
        words = any(isinstance(value, str | bool) for value in values)
        rows.add_column(name.replace("_", "-"), justify="left" if words else "right")
    for heading in (measure.value, "step", "run"):
        rows.add_column(heading, justify="right")
    rows.add_column("state")
    for trial in trials:
        if trial is None:
            rows.add_row("...")
            continue
        best = trial.best
        cells = [str(trial.number), *(brief(trial.parameters[name]) for name in names)]
        cells += [measure.cell(best.score) if best else "-", number(best and best.step, ","), number(trial.run, "d")]
        rows.add_row(*map(Text, cells), Text(trial.state, _STYLES.get(trial.state, "")))
    return rows
