"""`gradsum runs`: the runs of a database, as a table for people or as JSON or CSV for programs."""

import argparse
import csv
import json
import math
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from engine.records import COLUMNS, list_runs

DEFAULT = Path("runs/gradsum.db")
_STYLES = {"running": "cyan", "finished": "green", "interrupted": "yellow", "failed": "red"}
_WIDE = 110  # columns from which on a run takes one line
_NUMBERS = ("id", "workers", "steps", "best %", "images/s")
_NARROW = {"optimizer": "optim-\nizer", "workers": "work-\ners", "best %": "best\n%", "images/s": "images\n/s"}


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser("runs", help="list the runs of a database", description="List the runs of a database.")
    parser.add_argument("--db", type=Path, default=DEFAULT, metavar="FILE", help="the database (default: %(default)s)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON array with every column of every run")
    form.add_argument("--csv", action="store_true", help="print CSV with every column of every run")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Print the runs; return the exit code 0. Raises RecordsError when the database cannot be read."""
    runs = list_runs(arguments.db)
    if arguments.json:
        print(json.dumps([{name: _finite(value) for name, value in run.items()} for run in runs], indent=2))
    elif arguments.csv:
        _print_csv(runs)
    elif runs:
        _print_table(runs)
    else:
        print(f"database {arguments.db} has no runs yet")
    return 0


def _finite(value: object) -> object:
    """Return `value`, or None for the inf that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_csv(runs: list[dict[str, Any]]) -> None:
    """Print a header and a line a run; settings and versions are JSON in their fields."""
    writer = csv.DictWriter(sys.stdout, list(COLUMNS["runs"]), lineterminator="\n")
    writer.writeheader()
    for run in runs:
        as_text = {name: json.dumps(run[name]) for name in ("settings", "versions")}
        writer.writerow(run | as_text | {"generated": int(run["generated"])})


def _print_table(runs: list[dict[str, Any]]) -> None:
    """Print a table that fits into 80 columns on a terminal; one line a run where the output is none."""
    # Slow to import, and not needed for JSON and CSV.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else 1000, highlight=False)
    narrow = terminal and console.width < _WIDE
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for heading in ("id", "when", "model", "data", "optimizer", "workers", "steps", "best %", "images/s", "state"):
        # Names are broken at this width; left to itself rich would break the numbers too.
        width = 8 if narrow and heading == "model" else 9 if narrow and heading == "data" else None
        side: Literal["left", "right"] = "right" if heading in _NUMBERS else "left"
        table.add_column(
            _NARROW.get(heading, heading) if narrow else heading, justify=side, max_width=width, overflow="fold"
        )
    for run in runs:
        state = str(run["state"])
        # Text, because a name may look like rich's own markup.
        cells = [Text("\n".join(cell) if narrow else " ".join(cell)) for cell in _cells(run)]
        table.add_row(*cells, Text(state, _STYLES.get(state, "")))
    console.print(table)


def _cells(run: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the cells of a run, all but its state, in the parts that go below each other in a narrow terminal."""
    return [
        (str(run["startID"]),),
        _when(run["started"]),
        (str(run["model"]),),
        (str(run["data"]), "generated") if run["generated"] else (str(run["data"]),),
        (str(run["optimizer"]), _number(run["lr"], "g")),
        (_number(run["workers"], "d"),),
        (_number(run["steps"], "d"),),
        (_number(run["best_percent"], ".2f"),),
        (_number(run["images_per_second"], ".0f"),),
    ]


def _number(value: float | None, form: str) -> str:
    """Return `value` in the format `form`, "-" for None."""
    return "-" if value is None else format(value, form)


def _when(started: str | None) -> tuple[str, ...]:
    """Return an ISO time as local date and minute; as it is if it is none."""
    try:
        local = datetime.fromisoformat(started or "").astimezone()
    except ValueError:
        return (started or "-",)
    return local.strftime("%Y-%m-%d"), local.strftime("%H:%M")
