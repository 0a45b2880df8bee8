"""Reading what happened in one run: its curves, validations, workers and events."""

import sqlite3
from typing import Any, Literal

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
