"""`gradsum show`: everything recorded about a run except its single steps."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from engine.cli.arguments import add_run
from engine.cli.command import Command
from engine.cli.tables import STYLES, add_forms, console, print_csv, print_json, print_rows, table
from engine.records import RunRecord, look, read_run
from engine.reports.groups import groups, samples_of
from engine.reports.text import CLASSES, EVENTS, Column, Row, fact, machines, shown, validation_columns, worker_columns

HEADER = ("table", "row", "column", "value")
_KEYS = {"validation": "batchno", "classes": "number", "workers": "worker", "events": "id"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_run(parser, "the run to show")
    add_forms(parser, "everything")


def run(arguments: argparse.Namespace) -> int:
    """Print the run; return the exit code 0. Raises RecordsError if the run does not exist or cannot be read."""
    look(arguments.db)
    record = read_run(arguments.db, arguments.run)
    if arguments.json:
        print_json(asdict(record))
    elif arguments.csv:
        print_csv(HEADER, _cells(record))
    else:
        _print(record)
    return 0


def _cells(record: RunRecord) -> Iterator[tuple[str, object, str, object]]:
    """Yield table, row, column and value of everything: one line of CSV each."""
    for group, values in groups(record.run).items():
        yield from ((group, record.run["startID"], name, value) for name, value in values.items())
    for name, key in _KEYS.items():
        for row in getattr(record, name):
            yield from ((name, row[key], column, row[column]) for column in row if column != "startID")


def _print(record: RunRecord) -> None:
    """Print everything for a person."""
    from rich.text import Text  # slow to import, and not needed for JSON and CSV

    out, run = console(), record.run
    parts = groups(run)
    title = Text(f"run {run['startID']}", "bold").append(f"  {shown(run['name'])}" if run["name"] else "")
    out.print(title.append(f"  {run['state']}", STYLES.get(run["state"], "")))
    for group in ("results", "settings", "versions", "run"):
        out.print(Text(f"\n{group}", "bold"))
        grid = table()
        grid.show_header = False
        grid.add_column()
        grid.add_column(overflow="fold")  # a digest that is cut cannot be copied
        for name, value in parts[group].items():
            grid.add_row(Text(f"  {name}", "dim"), Text(fact(name, value)))
        out.print(grid)
    validation = validation_columns(record.validation)
    workers = worker_columns(record.workers, samples_of(record.run))
    for name, columns in (("validation", validation), ("classes", CLASSES), ("workers", workers), ("events", EVENTS)):
        _print_rows(name, columns, getattr(record, name))
        if name == "workers" and (said := machines((w["worker"], w["host"], w["via"]) for w in record.workers)):
            out.print(Text(f"  {said}", "dim"))


def _print_rows(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print `rows` under the heading `name`, or that there are none."""
    from rich.text import Text

    out = console()
    out.print(Text(f"\n{name}", "bold").append("" if rows else "  none", "not bold"))
    if rows:
        print_rows(columns, rows)


COMMAND = Command(
    "show",
    add_options,
    run,
    examples=("gradsum show 3",),
    description="Settings, versions, results, validations, workers and events, but not single steps.",
)
