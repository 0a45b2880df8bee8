"""Reading what happened in one run: its steps, curves, validations, workers and events."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from engine.records.read_rows import Event, Validation, Worker
from engine.records.rows import TrainingRow
from engine.records.schema import COLUMNS

Connection = sqlite3.Connection
Curves = dict[str, NDArray[np.float64]]
PAGE_ROWS = 1_000  # rows that are read at a time

_FIELDS = ", ".join(TrainingRow._fields)
_PAGE = f"SELECT {_FIELDS} FROM training WHERE startID = ? AND batchno > ? ORDER BY batchno LIMIT ? OFFSET ?"  # noqa: S608


def count_steps(connection: Connection, run: int) -> int:
    """Return how many steps of `run` have a row."""
    return int(connection.execute("SELECT count(*) FROM training WHERE startID = ?", (run,)).fetchone()[0])


def steps(connection: Connection, run: int, limit: int | None = None, offset: int = 0) -> Iterator[TrainingRow]:
    """Yield the steps of `run` in order: `limit` of them (None: all) after the first `offset`; nan for NULL losses.

    Takes the same memory for any number of steps, and reads a page at a time, so that no transaction stays open while
    the caller works: that would keep the log of a database that is being written from shrinking.
    """
    last, left = 0, limit
    while left is None or left > 0:
        size = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        page = [_step(row) for row in connection.execute(_PAGE, (run, last, size, offset))]
        yield from page
        if len(page) < size:
            return
        last, offset = page[-1].batchno, 0
        left = None if left is None else left - size


def uuid_of(connection: Connection, run: int) -> str | None:
    """Return the uuid of `run`; None if the database has no run of that number."""
    row = connection.execute("SELECT uuid FROM runs WHERE startID = ?", (run,)).fetchone()
    return str(row[0]) if row else None


def _step(row: Any) -> TrainingRow:
    step = TrainingRow(*row)
    return step if step.avgloss is not None else step._replace(avgloss=float("nan"))


def curves(connection: Connection, table: Literal["training", "validation"], run: int) -> Curves:
    """Return every column of `table` for `run` as float64 [steps], nan for NULL."""
    names = [name for name in COLUMNS[table] if name != "startID"]
    there = columns_there(connection, table)
    chosen = ", ".join(name if name in there else "NULL" for name in names)
    sql = f"SELECT {chosen} FROM {table} WHERE startID = ? ORDER BY batchno"  # noqa: S608
    cursor = connection.execute(sql, (run,))
    # A page at a time: as Python's numbers, a step takes ten times the memory.
    pages = [np.empty((0, len(names)))]
    while rows := cursor.fetchmany(PAGE_ROWS):
        pages.append(np.array([tuple(row) for row in rows], np.float64))
    return dict(zip(names, np.concatenate(pages).T, strict=True))


def columns_there(connection: Connection, table: str) -> set[str]:
    """Return the names of the columns that a table has; in a database of an earlier version some are missing."""
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def validations(connection: Connection, run: int) -> list[Validation]:
    """Return the validations of `run`, ascending by step."""
    sql = "SELECT * FROM validation WHERE startID = ? ORDER BY batchno"
    return [cast(Validation, {"r2": None} | row) for row in _rows(connection, sql, run)]


def workers(connection: Connection, run: int) -> list[Worker]:
    """Return the workers of `run`, in the order in which they joined."""
    sql = "SELECT * FROM workers WHERE startID = ? ORDER BY joined, length(worker), worker"
    return [cast(Worker, row) for row in _rows(connection, sql, run)]


def events(connection: Connection, run: int) -> list[Event]:
    """Return what happened in `run`, first to last."""
    return [cast(Event, row) for row in _rows(connection, "SELECT * FROM events WHERE startID = ? ORDER BY id", run)]


def _rows(connection: Connection, sql: str, run: int) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sql, (run,))]
