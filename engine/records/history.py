"""Reading what happened in one run: its steps, curves, validations, workers and events.

A database of an earlier version is read as it is: columns that it does not have are NULL.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from engine.records.columns import readable
from engine.records.read_rows import Event, Validation, Worker
from engine.records.rows import TrainingRow
from engine.records.sample import steps_with_rows
from engine.records.schema import COLUMNS

Connection = sqlite3.Connection
Curves = dict[str, NDArray[np.float64]]
PAGE_ROWS = 1_000  # rows that are read at a time

_PAGE = "SELECT {} FROM training WHERE startID = ? AND batchno > ? ORDER BY batchno LIMIT ? OFFSET ?"


def count_steps(connection: Connection, run: int) -> int:
    """Return how many steps of `run` have a row."""
    return int(connection.execute("SELECT count(*) FROM training WHERE startID = ?", (run,)).fetchone()[0])


def steps(connection: Connection, run: int, limit: int | None = None, offset: int = 0) -> Iterator[TrainingRow]:
    """Yield the steps of `run` in order: `limit` of them (None: all) after the first `offset`; nan for NULL losses.

    Takes the same memory for any number of steps, and reads a page at a time, so that no transaction stays open while
    the caller works: that would keep the log of a database that is being written from shrinking.
    """
    last, left = 0, limit
    sql = _PAGE.format(readable(connection, "training", TrainingRow._fields))
    while left is None or left > 0:
        size = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        page = [_step(row) for row in connection.execute(sql, (run, last, size, offset))]
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


def curves(
    connection: Connection, table: Literal["training", "validation"], run: int, most: int | None = None
) -> Curves:
    """Return every column of `table` that holds numbers, for `run`, as float64 [steps], nan for NULL.

    Where there are more than `most` steps, half as many with the one after each, evenly spread: neighbours tell how
    long a step took.
    """
    names = [name for name, (kind, _) in COLUMNS[table].items() if name != "startID" and kind != "TEXT"]
    sql = f"SELECT {readable(connection, table, names)} FROM {table} WHERE startID = ?"  # noqa: S608
    if most and (chosen := steps_with_rows(connection, table, run, most)):
        also = _validated(connection, run) if table == "training" else []
        both = sorted({step + more for step in chosen[::2] for more in (0, 1)} | {chosen[-1], *also})
        rows = [row for step in both for row in connection.execute(f"{sql} AND batchno = ?", (run, step))]
        return dict(zip(names, np.array([tuple(row) for row in rows], np.float64).T, strict=True))
    cursor = connection.execute(f"{sql} ORDER BY batchno", (run,))
    # A page at a time: as Python's numbers, a step takes ten times the memory.
    pages = [np.empty((0, len(names)))]
    while rows := cursor.fetchmany(PAGE_ROWS):
        pages.append(np.array([tuple(row) for row in rows], np.float64))
    return dict(zip(names, np.concatenate(pages).T, strict=True))


def _validated(connection: Connection, run: int) -> list[int]:
    """Return the steps with a validation: the rows of training that tell when it began."""
    return [step for (step,) in connection.execute("SELECT batchno FROM validation WHERE startID = ?", (run,))]


def validations(connection: Connection, run: int) -> list[Validation]:
    """Return the validations of `run`, ascending by step."""
    return [cast(Validation, row) for row in _rows(connection, "validation", "batchno", run)]


def classes(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Return the classes of the newest validation of `run`, in their order; none where they were not counted."""
    names = "SELECT count(*) FROM sqlite_schema WHERE name = 'classes'"  # an earlier version has no such table
    if not connection.execute(names).fetchone()[0]:
        return []
    newest = "SELECT max(batchno) FROM classes WHERE startID = ?"
    sql = f"SELECT * FROM classes WHERE startID = ? AND batchno = ({newest}) ORDER BY number"  # noqa: S608
    return [dict(row) for row in connection.execute(sql, (run, run))]


def workers(connection: Connection, run: int) -> list[Worker]:
    """Return the workers of `run`, in the order in which they joined."""
    return [cast(Worker, row) for row in _rows(connection, "workers", "joined, length(worker), worker", run)]


def events(connection: Connection, run: int) -> list[Event]:
    """Return what happened in `run`, first to last."""
    return [cast(Event, row) for row in _rows(connection, "events", "id", run)]


def _rows(connection: Connection, table: str, order: str, run: int) -> list[dict[str, Any]]:
    columns = readable(connection, table, COLUMNS[table])
    sql = f"SELECT {columns} FROM {table} WHERE startID = ? ORDER BY {order}"  # noqa: S608
    return [dict(row) for row in connection.execute(sql, (run,))]
