"""What the writer thread is handed, and how a batch of it is written."""

import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from engine.errors import RecordsError
from engine.records.database import transaction
from engine.records.statements import plain


class Row(NamedTuple):
    """Values for one insert."""

    sql: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Work:
    """Something to do in a transaction of its own, and where its result goes."""

    do: Callable[[sqlite3.Connection], Any]
    answer: "Future[Any]" = field(default_factory=Future)


def write(connection: sqlite3.Connection, jobs: Iterable[Row | Work]) -> None:
    """Write `jobs` in order: neighbouring rows in one transaction, every piece of work in its own."""
    rows: list[Row] = []
    for job in jobs:
        if isinstance(job, Row):
            rows.append(job)
            continue
        _insert(connection, rows)
        rows = []
        _do(connection, job)
    _insert(connection, rows)


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Insert `rows` in order in one transaction, neighbours of one table together."""
    if not rows:
        return
    with transaction(connection):
        for sql, group in groupby(rows, lambda row: row.sql):
            connection.executemany(sql, (plain(row.values) for row in group))


def _do(connection: sqlite3.Connection, work: Work) -> None:
    """Do the work in a transaction and answer it; a RecordsError undoes it and is the answer."""
    try:
        with transaction(connection):
            result = work.do(connection)
    except RecordsError as error:
        work.answer.set_exception(error)
    else:
        work.answer.set_result(result)
