"""`gradsum compare`: settings and results of several runs side by side, differences first."""

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.cli.arguments import add_runs
from engine.cli.command import Command
from engine.cli.tables import add_forms, console, print_csv, print_json, table
from engine.errors import RecordsError
from engine.records import Run, find_run, list_runs, look
from engine.reports.groups import groups
from engine.reports.text import shown

_SHORT = 16  # characters of a digest that are shown to a person
_DIGESTS = ("data_digest", "params_sha256", "git_commit")
_MACHINE = ("host", "cores", "git_commit")  # of the group "run", what a result may depend on


class Line(NamedTuple):
    """One thing that is compared, with a value for each run."""

    group: str
    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs do not all have the same value."""
        return any(value != self.values[0] for value in self.values)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_runs(parser, "the runs to compare")
    add_forms(parser, "all that is compared")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison; return the exit code 0. Raises RecordsError as `find_run` and `list_runs` do."""
    look(arguments.db)
    known = list_runs(arguments.db)
    runs = [find_run(known, text, arguments.db) for text in arguments.runs]
    numbers = [run["startID"] for run in runs]
    if len(set(numbers)) < 2:
        raise RecordsError(f"comparing takes two different runs, but only one was given, run {numbers[0]}")
    lines = compare(runs)
    if arguments.json:
        found = [line._asdict() | {"differs": line.differs} for line in lines]
        print_json({"runs": numbers, "lines": found})
    elif arguments.csv:
        header = ("group", "name", "differs", *(f"run {number}" for number in numbers))
        print_csv(header, ((line.group, line.name, line.differs, *line.values) for line in lines))
    else:
        _print(runs, lines)
    return 0


def compare(runs: Sequence[Run]) -> list[Line]:
    """Return what is compared, in order: settings that differ, results, versions and machine that differ, the rest.

    `runs` are as `list_runs` has them.
    """
    parts = [groups(run) for run in runs]
    for part in parts:
        part["machine"] = {name: part["run"][name] for name in _MACHINE}
    lines = [
        Line(group, name, tuple(part[group].get(name) for part in parts))
        for group in ("settings", "results", "versions", "machine")
        for name in dict.fromkeys(name for part in parts for name in part[group])
    ]
    order = {"settings": 0, "results": 1, "versions": 2, "machine": 2}
    return sorted(lines, key=lambda line: order[line.group] if line.differs or line.group == "results" else 3)


def _print(runs: Sequence[Run], lines: Sequence[Line]) -> None:
    """Print the lines for a person: differences and results under headings, the rest in short."""
    from rich.text import Text  # slow to import, and not needed for JSON and CSV

    out, grid = console(), table()
    grid.add_column("")
    for run in runs:
        title = f"run {run['startID']}" + (f"\n{shown(run['name'])}" if run["name"] else "")
        grid.add_column(Text(title), overflow="fold")
    above = ""
    for line in lines:
        if not line.differs and line.group != "results":
            continue
        heading = "results" if line.group == "results" else f"{line.group} that differ"
        if heading != above:
            grid.add_row(Text(f"\n{heading}" if above else heading, "bold"))
            above = heading
        grid.add_row(Text(f"  {line.name}"), *(Text(_value(line.name, value)) for value in line.values))
    out.print(grid)
    same = [f"{line.name} {_value(line.name, line.values[0])}" for line in lines if _same(line)]
    out.print(Text("\nthe same in all  ", "bold").append(", ".join(same) or "nothing", "not bold dim"))


def _same(line: Line) -> bool:
    """Return whether the line belongs to those that are the same for all runs."""
    return not line.differs and line.group != "results"


def _value(name: str, value: object) -> str:
    """Return the value of `name` as text; digests are shortened."""
    return shown(value)[:_SHORT] if name in _DIGESTS else shown(value)


COMMAND = Command(
    "compare",
    add_options,
    run,
    examples=("gradsum compare 1 2",),
    description="Settings, results, versions and machines; differences come first.",
)
