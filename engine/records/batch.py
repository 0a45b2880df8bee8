"""What is handed to the writer, and how it is written."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, cast

from engine.errors import RecordsError
from engine.records.database import transaction
from engine.records.runs import update_run
from engine.records.statements import ONCE, STATEMENTS, plain

CHANGE = "runs"  # the table of rows that change a run instead of adding to it


class Row(NamedTuple):
    """A row of `table`: its values as `STATEMENTS` has them, the number of the run first.

    Of CHANGE the values are the number of the run and the columns that change, by name.
    """

    table: str
    values: Sequence[Any]


@dataclass(frozen=True)
class Work:
    """Something to do in a transaction of its own, and where its result goes.

    `otherwise` is what is done instead while the database takes nothing; without it, that is an error. `patient`: it is
    worth a try even if the last one was a moment ago.
    """

    do: Callable[[sqlite3.Connection], Any]
    otherwise: Callable[[], Any] | None = None
    patient: bool = False
    answer: "Future[Any]" = field(default_factory=Future)


Job = Row | Work


def write(connection: sqlite3.Connection, jobs: list[Job]) -> None:
    """Write `jobs` in order: neighbouring rows in one transaction, every piece of work in its own.

    Each is taken out of the list once it is committed. What SQLite raises leaves the rest in it.
    """
    while jobs:
        if isinstance(first := jobs[0], Work):
            _do(connection, first)
            del jobs[0]
            continue
        count = next((n for n, job in enumerate(jobs) if type(job) is Work), len(jobs))
        with transaction(connection):
            insert(connection, cast(list[Row], jobs[:count]))
        del jobs[:count]


def insert(connection: sqlite3.Connection, rows: Iterable[Row], again: bool = False) -> None:
    """Insert `rows` in order in the open transaction, neighbours of one table together.

    `again`: they may have been inserted before, which then makes no difference.
    """
    statements = STATEMENTS | ONCE if again else STATEMENTS
    for table, group in groupby(rows, lambda row: row.table):
        if table == CHANGE:
            for number, values in (row.values for row in group):
                update_run(connection, number, values)
        else:
            connection.executemany(statements[table], (plain(row.values) for row in group))


def _do(connection: sqlite3.Connection, work: Work) -> None:
    """Do the work in a transaction and answer it; a RecordsError undoes it and is the answer."""
    try:
        with transaction(connection):
            result = work.do(connection)
    except RecordsError as error:
        work.answer.set_exception(error)
    else:
        work.answer.set_result(result)
