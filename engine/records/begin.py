"""A run begins in a database, or is continued there. Each function is one step of a transaction of the writer."""

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import RecordsError
from engine.records.catch_up import note, read_in
from engine.records.runs import update_run
from engine.records.schema import STEP_TABLES
from engine.records.statements import by_column, insert
from engine.records.status import RunStatus
from engine.system.processes import alive


def insert_run(connection: sqlite3.Connection, values: Mapping[str, Any], step: int, path: Path) -> int:
    """Enter a run with these columns and return its startID; RecordsError if the database has one of its uuid.

    Rows up to `step` that wait beside its checkpoints are read in.
    """
    uuid = values["uuid"]
    if known := connection.execute("SELECT startID FROM runs WHERE uuid = ?", (uuid,)).fetchone():
        raise RecordsError(f"run {uuid} is in database {path} already, as run {known[0]}")
    columns, row = by_column(values)
    number = int(connection.execute(insert("runs", columns), row).lastrowid or 0)
    if values["folder"]:
        read_in(connection, number, uuid, Path(values["folder"]))
        _drop_after(connection, number, step)
        update_run(connection, number, values)  # what was read in says how it ended
    return number


def resume_run(
    connection: sqlite3.Connection, uuid: str, step: int, values: Mapping[str, Any], path: Path
) -> tuple[int, list[Path]] | None:
    """Change these columns of run `uuid`, drop its rows of steps after `step`; return its startID and its folders.

    Rows that wait in its folders are read in before; steps up to `step` that have none are an event. Returns None
    without such a run. Raises RecordsError if another process is known to be running it.
    """
    sql = "SELECT startID, state, host, pid, process, folder FROM runs WHERE uuid = ?"
    row = connection.execute(sql, (uuid,)).fetchone()
    if row is None:
        return None
    number, state, host, pid, process, folder = row
    if state == RunStatus.RUNNING and pid != os.getpid() and alive(host, pid, process):
        raise RecordsError(f"run {number} of database {path} is still running: process {pid} on {host}; stop it first")
    folders = [Path(one) for one in dict.fromkeys((folder, values.get("folder"))) if one]
    for one in folders:
        read_in(connection, number, uuid, one)
    _drop_after(connection, number, step)
    _note_missing(connection, number, step)
    update_run(connection, number, values)
    return int(number), folders


def _drop_after(connection: sqlite3.Connection, number: int, step: int) -> None:
    for table in STEP_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE startID = ? AND batchno > ?", (number, step))  # noqa: S608


def _note_missing(connection: sqlite3.Connection, number: int, step: int) -> None:
    """Record the last steps up to `step` as missing, if they have no rows."""
    (last,) = connection.execute("SELECT max(batchno) FROM training WHERE startID = ?", (number,)).fetchone()
    first = (last or 0) + 1
    if first <= step:
        note(connection, number, "missing", f"steps {first} to {step} have no rows in this database", step)
