"""`gradsum runs`: the runs of a database, as a table for people or as JSON or CSV for programs."""

import argparse
from typing import Any, Literal

from engine.cli.arguments import add_database
from engine.cli.command import Command
from engine.cli.tables import STYLES, add_forms, console, print_csv, print_json, table
from engine.records import COLUMNS, Run, list_runs, look
from engine.reports.groups import best_checkpoint, scores
from engine.reports.text import number, shown, when

_WIDE = 120  # columns from which on a run takes one line
_NUMBERS = ("id", "workers", "steps", "best, last %", "images/s")
_NARROW = {
    "optimizer": "opti-\nmizer",
    "workers": "wor-\nkers",
    "best, last %": "best,\nlast %",
    "images/s": "images\n/s",
}
_WIDTHS = {"name": 8, "model": 7, "data": 9}  # in a narrow terminal; rich would break the numbers as well


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_database(parser)
    add_forms(parser, "every column of every run")


def run(arguments: argparse.Namespace) -> int:
    """Print the runs; return the exit code 0. Raises RecordsError when the database cannot be read."""
    look(arguments.db)
    runs = list_runs(arguments.db)
    if arguments.json:
        print_json([_with_best(run) for run in runs])
    elif arguments.csv:
        columns = [*COLUMNS["runs"], "best_checkpoint"]
        print_csv(columns, ([cells[name] for name in columns] for cells in map(_with_best, runs)))
    elif runs:
        _print_table(runs)
    else:
        print(f"database {arguments.db} has no runs yet")
    return 0


def _with_best(run: Run) -> dict[str, Any]:
    """Return the columns of a run, and where the network of `best_step` is: None if it is not there any more."""
    best = best_checkpoint(run)
    return {**run, "best_checkpoint": str(best) if best else None}


def _print_table(runs: list[Run]) -> None:
    """Print a table that fits into 80 columns on a terminal, two lines a run; one line if the output is piped."""
    from rich.text import Text  # slow to import, and not needed for JSON and CSV

    out, rows = console(), table()
    narrow = out.is_terminal and out.width < _WIDE
    named = any(run["name"] for run in runs)
    headings = [heading for heading in _cells(runs[0]) if named or heading != "name"]
    for heading in headings:
        side: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        title = _NARROW.get(heading, heading) if narrow else heading
        rows.add_column(title, justify=side, max_width=_WIDTHS.get(heading) if narrow else None, overflow="fold")
    if narrow:
        rows.padding = (0, 1, 0, 0)
    # Of a date what tells the runs apart: without the year where it is the same for all, and never with the century.
    known = len("2026-") if len({when(run["started"])[0][: len("2026")] for run in runs}) == 1 else len("20")
    for run in runs:
        cells = _cells(run)
        if narrow:
            day, *time = cells["when"]
            cells["when"] = (day[known:] if time else day, *time)
        # Text, because a name may look like rich's own markup.
        parts = [Text(("\n" if narrow else " ").join(cells[heading])) for heading in headings[:-1]]
        rows.add_row(*parts, Text(run["state"], STYLES.get(run["state"], "")))
    out.print(rows)
    if out.is_terminal and any(_best(run).endswith("*") for run in runs):
        out.print("*: the network of that step is not kept any more")


def _best(run: Run) -> str:
    """Return the best score, with a star if the network that had it is gone."""
    found = scores(run)
    score = f"{'R² ' if found.r2 else ''}{found.cell(found.best)}"
    return score if run["best_step"] is None or best_checkpoint(run) else f"{score}*"


def _last(run: Run) -> str:
    found = scores(run)
    return found.cell(found.last)


def _cells(run: Run) -> dict[str, tuple[str, ...]]:
    """Return the cells of a run by heading, in parts that are stacked in a narrow terminal."""
    day, *time = when(run["started"])
    return {
        "id": (str(run["startID"]),),
        "name": (shown(run["name"]) if run["name"] else "",),
        "when": (day, *(part[: len("12:34")] for part in time)),
        "model": (shown(run["model"]),),
        "data": (shown(run["data"]), "generated") if run["generated"] else (shown(run["data"]),),
        "optimizer": (shown(run["optimizer"]), number(run["lr"], "g")),
        "workers": (number(run["workers"], "d"),),
        "steps": (number(run["steps"], "d"),),
        "best, last %": (_best(run), _last(run)),
        "images/s": (number(run["images_per_second"], ".0f"),),
        "state": (run["state"],),
    }


COMMAND = Command(
    "runs",
    add_options,
    run,
    examples=(
        "gradsum runs",
        "gradsum runs --db mine.db --csv",
    ),
)
