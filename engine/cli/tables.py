"""What the commands that read records print: tables for people, JSON and CSV for programs."""

import argparse
import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.reports.text import Column, Row, shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STYLES = {"running": "cyan", "finished": "green", "interrupted": "yellow", "failed": "red"}
_PIPED = 1000  # columns when the output is piped: programs want one line a row


def add_forms(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --json and --csv, of which one may be given; `what` is what they print."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help=f"print {what} as JSON")
    form.add_argument("--csv", action="store_true", help=f"print {what} as CSV")


def print_json(data: object) -> None:
    """Print `data` as JSON, with null for numbers that JSON lacks."""
    print(json.dumps(_finite(data), indent=2))


def print_json_line(data: object) -> None:
    """Print `data` as one line of JSON, with null for numbers that JSON lacks."""
    print(json.dumps(_finite(data), allow_nan=False))


def _finite(data: object) -> object:
    """Return `data` with None for every inf and nan in it."""
    if isinstance(data, Mapping):
        return {name: _finite(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, bytes):  # in a database that others have written to
        return data.hex()
    return None if isinstance(data, float) and not math.isfinite(data) else data


def print_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a header and a line a row: nothing for None, 1 and 0 for truth, JSON for objects and lists.

    Programs get text as it is; in a terminal, which it could steer, what cannot be printed is escaped.
    """
    to_terminal = sys.stdout.isatty()
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        cells = [_csv_cell(value) for value in row]
        writer.writerow([shown(cell) if to_terminal and isinstance(cell, str) else cell for cell in cells])


def _csv_cell(value: object) -> object:
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(_finite(value))
    return int(value) if isinstance(value, bool) else value


def console() -> "Console":
    """Return the console of standard output: as wide as the terminal, or very wide if it is piped."""
    from rich.console import Console  # slow to import, and not needed for JSON and CSV

    class Ours(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process, with exit code 1
            raise BrokenPipeError

    return Ours(width=None if sys.stdout.isatty() else _PIPED, highlight=False, soft_wrap=False)


def table() -> "Table":
    """Return an empty table in the common style."""
    from rich.table import Table

    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")


def print_rows(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table of `rows`."""
    from rich.text import Text

    grid = table()
    for column in columns:
        grid.add_column(column.heading, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(column.text(row)) for column in columns))
    console().print(grid)
