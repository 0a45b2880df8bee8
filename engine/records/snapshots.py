"""Reads snapshots and statistics with numpy, by key; the view `data` shows the same in SQL.

Every function takes a connection from `reading` and a run number (startID). A database that was made before there were
snapshots has none.
"""

import json
import math
import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import RecordsError
from engine.records.columns import readable
from engine.records.places import Shape
from engine.records.rows import StatisticsRow
from engine.records.sample import steps_with_rows
from engine.records.snapshot_tables import CHUNK

_ONE = "AND name = ? AND subname = ?"  # one array

Array = NDArray[np.float32]
Steps = NDArray[np.int64]

_CHUNKS = """
SELECT k.batchno, k.chunk - s.chunk, k.vals, k.grads
FROM snapshots s CROSS JOIN chunks k ON k.startID = s.startID AND k.batchno = s.batchno
  AND k.chunk BETWEEN s.chunk + ? AND s.chunk + ?
WHERE s.startID = ? AND s.name = ? AND s.subname = ? AND s.batchno = coalesce(?, s.batchno)
ORDER BY s.batchno, k.chunk
"""


def steps(connection: sqlite3.Connection, run: int) -> list[int]:
    """Return the steps that have a snapshot, ascending."""
    sql = "SELECT DISTINCT batchno FROM snapshots WHERE startID = ? ORDER BY batchno"
    return [int(batchno) for (batchno,) in _rows(connection, "snapshots", sql, run)]


def tensors(connection: sqlite3.Connection, run: int) -> dict[str, Shape]:
    """Return the public shape of every array that is in some snapshot, by full name and in the model's order."""
    sql = "SELECT DISTINCT name, subname, shape FROM snapshots WHERE startID = ? ORDER BY pos"
    rows = _rows(connection, "snapshots", sql, run)
    return {f"{name}.{subname}": tuple(json.loads(shape)) for name, subname, shape in rows}


def tensor(connection: sqlite3.Connection, run: int, name: str, step: int) -> tuple[Array, Array]:
    """Return the values of the array `name` ("c2.filter") at `step` and their mean gradients, in public shape.

    Raises RecordsError when there is no such snapshot.
    """
    shape = _shape(connection, run, name)
    found, values, gradients = _read(connection, run, name, (0, math.prod(shape)), step)
    if not len(found):
        raise RecordsError(f"run {run} has no snapshot of {name} at step {step}")
    return values[0].reshape(shape), gradients[0].reshape(shape)


def series(
    connection: sqlite3.Connection, run: int, name: str, start: int, stop: int, most: int | None = None
) -> tuple[Steps, Array, Array]:
    """Return (steps [S], values [S, stop - start], gradients, likewise) of every snapshot of the array `name`.

    Where there are more than `most`, so many, evenly spread. `start` and `stop` are places in C order of the public
    shape: kernel 20 of 3 x 3 is 180 to 189. Raises RecordsError for an array that has no snapshot, and for places
    outside of it.
    """
    size = math.prod(_shape(connection, run, name))
    if not 0 <= start < stop <= size:
        raise RecordsError(f"{name} has values 0 to {size - 1}; there are no {start} to {stop - 1}")
    chosen = steps_with_rows(connection, "snapshots", run, most, _ONE, _parts(name)) if most else None
    if chosen is None:
        return _read(connection, run, name, (start, stop), None)
    found = zip(*(_read(connection, run, name, (start, stop), step) for step in chosen), strict=True)
    steps, values, gradients = (np.concatenate(parts) for parts in found)
    return steps, values, gradients


def ends(connection: sqlite3.Connection, run: int, name: str) -> tuple[int, int]:
    """Return the first and the last step with a snapshot of the array `name`; RecordsError if there is none."""
    _shape(connection, run, name)
    sql = f"SELECT min(batchno), max(batchno) FROM snapshots WHERE startID = ? {_ONE}"  # noqa: S608
    first, last = connection.execute(sql, (run, *_parts(name))).fetchone()
    return first, last


def moved_most(connection: sqlite3.Connection, run: int, name: str) -> int:
    """Return the number (output * inputs + input) of the kernel of `name` that ended farthest from where it began.

    Kernels that are no longer finite do not count.
    """
    first, last = (
        tensor(connection, run, name, step)[0].astype(np.float64)  # squares of float32 may be beyond its range
        for step in ends(connection, run, name)
    )
    with np.errstate(invalid="ignore"):  # infinite less infinite
        distances = np.linalg.norm((last - first).reshape(first.shape[0] * first.shape[1], -1), axis=1)
    return int(np.where(np.isfinite(distances), distances, -1.0).argmax())


def histograms(
    connection: sqlite3.Connection, run: int, name: str, what: str, most: int | None = None
) -> list[tuple[int, float, float, list[int]]]:
    """Return (step, low, high, counts) of every histogram of the array `name`, ascending by step.

    Where there are more than `most`, so many, evenly spread. `what` is "values" or "gradients". Those without a finite
    value are left out.
    """
    which = f"{_ONE} AND what = ? AND low IS NOT NULL"
    sql = f"SELECT batchno, low, high, counts FROM histograms WHERE startID = ? {which} ORDER BY batchno"  # noqa: S608
    rows = _sampled(connection, "histograms", sql, run, most, which, (*_parts(name), what))
    return [(batchno, low, high, json.loads(counts)) for batchno, low, high, counts in rows]


def statistics(connection: sqlite3.Connection, run: int, most: int | None = None) -> list[StatisticsRow]:
    """Return the rows of `statistics`, ascending by step; what is NULL there is nan.

    Where there are more than `most` steps, those of so many, evenly spread.
    """
    columns = readable(connection, "statistics", StatisticsRow._fields)
    sql = f"SELECT {columns} FROM statistics WHERE startID = ? ORDER BY batchno, rowid"  # noqa: S608
    rows = _sampled(connection, "statistics", sql, run, most)
    return [StatisticsRow._make(math.nan if value is None else value for value in row) for row in rows]


def _sampled(
    connection: sqlite3.Connection,
    table: str,
    sql: str,
    run: int,
    most: int | None,
    which: str = "",
    values: Sequence[object] = (),
) -> list[Any]:
    """Return the rows of a query that is ordered by step, or (`most`) those of so many steps."""
    if most is None or not _has_table(connection, table):
        return _rows(connection, table, sql, run, *values)
    chosen = steps_with_rows(connection, table, run, most, which, values)
    if chosen is None:
        return _rows(connection, table, sql, run, *values)
    one = sql.replace(" ORDER BY", " AND batchno = ? ORDER BY")
    return [row for step in chosen for row in connection.execute(one, (run, *values, step))]


def _has_table(connection: sqlite3.Connection, table: str) -> bool:
    """Return whether the database is new enough to have the table."""
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is not None


def _parts(name: str) -> tuple[str, str]:
    """Return layer and array of a full name, as `_ONE` wants them."""
    layer, _, array = name.partition(".")
    return layer, array


def _rows(connection: sqlite3.Connection, table: str, sql: str, *values: object) -> list[Any]:
    """Return the rows of a query; none if the database is too old to have the table."""
    if not _has_table(connection, table):
        return []
    return connection.execute(sql, values).fetchall()


def _shape(connection: sqlite3.Connection, run: int, name: str) -> Shape:
    """Return the shape of an array of the run; RecordsError if there is none of that name."""
    known = tensors(connection, run)
    if not known:
        raise RecordsError(f"run {run} has no snapshots; train with --snapshot-every or --snapshot-first")
    if name not in known:
        raise RecordsError(f"run {run} has no snapshots of {name!r}; it has {', '.join(known)}")
    return known[name]


def _read(
    connection: sqlite3.Connection, run: int, name: str, places: tuple[int, int], step: int | None
) -> tuple[Steps, Array, Array]:
    """Return (steps, values, gradients) of the places `start` to `stop` of an array, at one step or (None) at all."""
    start, stop = places
    first, last = start // CHUNK, (stop - 1) // CHUNK
    rows = connection.execute(_CHUNKS, (first, last, run, *_parts(name), step)).fetchall()
    found = np.array([row[0] for row in rows if row[1] == first], np.int64)
    joined = (np.frombuffer(b"".join(row[column] for row in rows), "<f4") for column in (2, 3))
    width = sum(len(row[2]) for row in rows if row[0] == found[0]) // 4 if rows else stop - start
    inside = slice(start - first * CHUNK, stop - first * CHUNK)
    values, gradients = (array.reshape(len(found), width)[:, inside].astype(np.float32) for array in joined)
    return found, values, gradients
