"""Reading what happened in one run: its steps, curves, validations, workers and events."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.records.schema import COLUMNS

Connection = sqlite3.Connection
Curves = dict[str, NDArray[np.float64]]


def curves(connection: Connection, table: Literal["training", "validation"], run: int) -> Curves:
    """Return every column of `table` for `run` as float64 [steps], nan for NULL."""
    names = [name for name in COLUMNS[table] if name != "startID"]
    sql = f"SELECT {', '.join(names)} FROM {table} WHERE startID = ? ORDER BY batchno"  # noqa: S608
    rows = [tuple(row) for row in connection.execute(sql, (run,))]
    values = np.array(rows, np.float64).reshape(len(rows), len(names))
    return dict(zip(names, values.T, strict=True))


class Step(NamedTuple):
    """One step of a run. `images_per_second`: over the time since the step before, None where that is not recorded."""

    step: int
    epoch: float
    loss: float | None
    percent: float | None
    images: int
    images_per_second: float | None
    elapsed: float


_STEPS = """
SELECT t.batchno, t.epoch, t.avgloss, t.corperc, t.batchsize,
  t.batchsize / nullif(t.elapsed - CASE t.batchno WHEN 1 THEN 0.0 ELSE before.elapsed END, 0.0), t.elapsed
FROM training t LEFT JOIN training before ON before.startID = t.startID AND before.batchno = t.batchno - 1
WHERE t.startID = ? ORDER BY t.batchno LIMIT ? OFFSET ?
"""


def steps(connection: Connection, run: int, offset: int = 0, limit: int = -1) -> Iterator[Step]:
    """Yield the steps of `run` in order, from number `offset` on, at most `limit` of them unless that is negative."""
    return (Step(*row) for row in connection.execute(_STEPS, (run, limit, offset)))


def step_count(connection: Connection, run: int) -> int:
    """Return how many steps of `run` are recorded."""
    return int(connection.execute("SELECT count(*) FROM training WHERE startID = ?", (run,)).fetchone()[0])


def uuid_of(connection: Connection, run: int) -> str | None:
    """Return the uuid of `run`; None if there is none of that number."""
    row = connection.execute("SELECT uuid FROM runs WHERE startID = ?", (run,)).fetchone()
    return str(row[0]) if row else None


def validations(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Return the validations of `run` by column, ascending by step."""
    return _rows(connection, "SELECT * FROM validation WHERE startID = ? ORDER BY batchno", run)


def workers(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Return the workers of `run` by column, in the order in which they joined."""
    return _rows(connection, "SELECT * FROM workers WHERE startID = ? ORDER BY joined, length(worker), worker", run)


def events(connection: Connection, run: int) -> list[dict[str, Any]]:
    """Return what happened in `run` by column, first to last."""
    return _rows(connection, "SELECT * FROM events WHERE startID = ? ORDER BY id", run)


def _rows(connection: Connection, sql: str, run: int) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sql, (run,))]
