"""The rows of `runs`: a run begins, is resumed, and ends. Each function is one step of a transaction of the writer."""

import json
import os
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import RecordsError
from engine.records.process import facts
from engine.records.rows import RunRow
from engine.records.schema import STEP_TABLES
from engine.records.statements import by_column, insert, update
from engine.records.status import RunStatus
from engine.system.processes import alive

KILLED = "its coordinator was killed or crashed"


def now() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def last_seen(connection: sqlite3.Connection, run: int) -> str | None:
    """Return when the last step of a run was taken, as `now` returns the time; None if there was none."""
    sql = "SELECT time FROM training WHERE startID = ? ORDER BY batchno DESC LIMIT 1"
    row = connection.execute(sql, (run,)).fetchone()
    return datetime.fromtimestamp(row[0], UTC).isoformat(timespec="milliseconds") if row else None


def columns_at_start(run: RunRow) -> dict[str, Any]:
    """Return the columns of a run that begins now, in this process."""
    row = vars(run) | {
        "settings": _json(run.settings),
        "versions": _json(run.versions),
        "generated": int(run.generated),
    }
    return row | facts() | {"started": now(), "state": RunStatus.RUNNING}


def insert_run(connection: sqlite3.Connection, values: Mapping[str, Any], path: Path) -> int:
    """Enter a run with these columns and return its startID; RecordsError if the database has one of its uuid."""
    uuid = values["uuid"]
    if known := connection.execute("SELECT startID FROM runs WHERE uuid = ?", (uuid,)).fetchone():
        raise RecordsError(f"run {uuid} is in database {path} already, as run {known[0]}")
    columns, row = by_column(values)
    return int(connection.execute(insert("runs", columns), row).lastrowid or 0)


def resume_run(
    connection: sqlite3.Connection, uuid: str, step: int, values: Mapping[str, Any], path: Path
) -> int | None:
    """Change these columns of run `uuid`, drop its rows of steps after `step`, and return its startID.

    Returns None without such a run. Raises RecordsError if another process is known to be running it.
    """
    sql = "SELECT startID, state, host, pid, process FROM runs WHERE uuid = ?"
    row = connection.execute(sql, (uuid,)).fetchone()
    if row is None:
        return None
    number, state, host, pid, process = row
    if state == RunStatus.RUNNING and pid != os.getpid() and alive(host, pid, process):
        raise RecordsError(f"run {number} of database {path} is still running: process {pid} on {host}; stop it first")
    close_workers(connection, number)
    for table in STEP_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE startID = ? AND batchno > ?", (number, step))  # noqa: S608
    update_run(connection, number, values)
    return int(number)


def close_workers(connection: sqlite3.Connection, run: int) -> None:
    """Close the rows of workers of a run whose coordinator is gone: for all that is known, they left with it."""
    sql = """UPDATE workers SET "left" = coalesce(?, joined), reason = coalesce(reason, ?)
      WHERE startID = ? AND "left" IS NULL"""
    connection.execute(sql, (last_seen(connection, run), KILLED, run))


def update_run(connection: sqlite3.Connection, number: int, values: Mapping[str, Any]) -> None:
    """Change these columns of a run."""
    columns, row = by_column(values)
    connection.execute(update("runs", columns, "startID"), (*row, number))


def _json(data: Mapping[str, Any]) -> str:
    """Return `data` as JSON; what JSON does not have (a path) as its text."""
    return json.dumps(dict(data), default=str)
