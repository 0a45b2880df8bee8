"""The reading side: looks at a database without ever holding up the one that writes it."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from engine.errors import RecordsError
from engine.records.columns import readable
from engine.records.database import check_file_system, check_path, check_version, connect, explain
from engine.records.find import find_run
from engine.records.history import classes, events, validations, workers
from engine.records.read_rows import Event, Run, Validation, Worker
from engine.records.runs import LEFT_OPEN, last_seen
from engine.records.schema import COLUMNS
from engine.records.status import RunStatus
from engine.system.file_system import lacking
from engine.system.processes import alive
from engine.system.spelling import FORMER_NAMES

# A run that was killed, or still runs, has no totals yet: take them from its rows, by key, as there may be many. Speed
# is that of its last 50 steps.
_LAST = "(SELECT {} FROM training t WHERE t.startID = runs.startID ORDER BY batchno DESC LIMIT 1)"
_LAST_SCORE = "(SELECT {} FROM {{validation}} v WHERE v.startID = runs.startID ORDER BY batchno DESC LIMIT 1)"
_BEST = """(SELECT {} FROM {{validation}} v WHERE v.startID = runs.startID AND coalesce(corperc, r2) IS NOT NULL
    AND avgloss IS NOT NULL
    ORDER BY coalesce(corperc, r2) DESC, batchno LIMIT 1)"""
_RUNS = f"""
SELECT runs.*,
  {_LAST.format("batchno")} AS last_step, {_LAST.format("epoch")} AS last_epoch,
  {_LAST.format("elapsed")} AS last_elapsed, {_LAST.format("cputime")} AS last_cputime,
  {_LAST_SCORE.format("corperc")} AS last_validated, {_LAST_SCORE.format("r2")} AS last_r2_so_far,
  {_BEST.format("corperc")} AS best_so_far, {_BEST.format("r2")} AS best_r2_so_far,
  {_BEST.format("batchno")} AS best_step_so_far,
  (SELECT sum(batchsize) * (1 - 1.0 / count(*)) / nullif(max(elapsed) - min(elapsed), 0) FROM (
     SELECT batchsize, elapsed FROM training t WHERE t.startID = runs.startID ORDER BY batchno DESC LIMIT 50
  )) AS speed
FROM runs ORDER BY startID
"""  # noqa: S608
_STAND_INS = {
    "steps": "last_step",
    "epochs": "last_epoch",
    "wall_seconds": "last_elapsed",
    "cpu_seconds": "last_cputime",
    "best_percent": "best_so_far",
    "best_step": "best_step_so_far",
    "last_percent": "last_validated",
    "best_r2": "best_r2_so_far",
    "last_r2": "last_r2_so_far",
    "images_per_second": "speed",
}
KILLED = "its process was killed or crashed"


@contextmanager
def reading(path: Path | str, of_one_moment: bool = False) -> Iterator[sqlite3.Connection]:
    """Open the database `path` for reading; rows come as `sqlite3.Row`. Writers do not wait for it.

    `of_one_moment`: nothing that is written or deleted meanwhile is seen, for as long as the log can keep it.

    Raises RecordsError when it is missing, a folder, not a SQLite file, another program's or a newer version's, and
    when reading fails.
    """
    path = Path(path)
    check_path(path)
    if not path.exists():
        raise RecordsError(f"there is no database {path}; train something first, or name another file")
    connection = None
    try:
        connection = _open(path)
        check_version(connection, path)
        connection.row_factory = sqlite3.Row
        if of_one_moment:
            connection.execute("BEGIN")
        yield connection
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        if connection:
            connection.close()


def _open(path: Path) -> sqlite3.Connection:
    """Return a connection to an existing database that can only read."""
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if (not writable or lacking(path.parent)) and not Path(f"{path}-wal").exists():
        # WAL has no place for its index here, or no locks. Without a log nobody is writing, so none are needed.
        return connect(path, "ro&immutable=1")
    check_file_system(path)
    # Not mode=ro, which would leave the -wal and -shm files behind when it closes last; query_only forbids writing.
    connection = connect(path, "rw")
    connection.execute("PRAGMA query_only = ON").close()
    return connection


@dataclass(frozen=True)
class RunRecord:
    """All records of a run except its single steps.

    `run` is as `list_runs` has it, `classes` are those of the newest validation; validations are in the order of steps,
    workers in that in which they joined, events in that in which they happened.
    """

    run: Run
    validation: list[Validation]
    workers: list[Worker]
    events: list[Event]
    classes: list[dict[str, Any]] = field(default_factory=list)


def list_runs(path: Path | str) -> list[Run]:
    """Return every run of the database `path`, oldest first.

    A run that is recorded as running while its process is gone is interrupted. Steps, epochs, times, best percent and
    speed of an unfinished run are those of its rows so far. Raises RecordsError as `reading` does.
    """
    with reading(path) as connection:
        return _runs(connection, Path(path))


def read_run(path: Path | str, text: str) -> RunRecord:
    """Return all records of the run of the database `path` that `text` means: number, name or start of the uuid.

    They are of one moment. Raises RecordsError as `reading` does, and when there is not exactly one such run.
    """
    with reading(path, of_one_moment=True) as connection:
        run = run_in(connection, path, text)
        number = run["startID"]
        members = _closed(connection, run, workers(connection, number))
        return RunRecord(
            run, validations(connection, number), members, events(connection, number), classes(connection, number)
        )


def _closed(connection: sqlite3.Connection, run: Run, rows: list[Worker]) -> list[Worker]:
    """Return rows of workers, of which none is there any more if the run is over: it may have been killed."""
    if run["state"] is RunStatus.RUNNING or all(row["left"] for row in rows):
        return rows
    ended = last_seen(connection, run["startID"])
    for row in rows:
        if row["left"] is None:
            row["left"], row["reason"] = ended or row["joined"], row["reason"] or LEFT_OPEN
    return rows


def run_in(connection: sqlite3.Connection, path: Path | str, text: str | None = None) -> Run:
    """Return the run, as `list_runs` has it, of the open database `path` that `text` means; None: the newest.

    Raises RecordsError as `find_run` does.
    """
    runs = _runs(connection, Path(path))
    return runs[-1] if runs and text is None else find_run(runs, text or "", path)


def _runs(connection: sqlite3.Connection, path: Path) -> list[Run]:
    """Return what `list_runs` does, from an open connection."""
    if check_version(connection, path) == 0:
        return []
    columns = dict.fromkeys(COLUMNS["runs"])  # an earlier version may not have them all
    scores = readable(connection, "validation", ("startID", "batchno", "corperc", "r2", "avgloss"))
    sql = _RUNS.format(validation=f"(SELECT {scores} FROM validation)")  # noqa: S608
    return [_run(columns | dict(row), path) for row in connection.execute(sql)]


def _run(row: dict[str, Any], path: Path) -> Run:
    """Turn a row of the query into what `list_runs` returns."""
    if row["state"] not in set(RunStatus):
        raise RecordsError(f"run {row['startID']} of database {path} has an unknown state: {row['state']!a:.60}")
    for column, stand_in in _STAND_INS.items():
        found = row.pop(stand_in)
        if row.get(column) is None or row["state"] == RunStatus.RUNNING:
            row[column] = found
    row["settings"] = {FORMER_NAMES.get(name, name): value for name, value in _parsed(row["settings"]).items()}
    row["versions"] = _parsed(row["versions"])
    row["snapshot_schedule"] = _parsed(row["snapshot_schedule"])
    row["generated"] = bool(row["generated"])
    row["state"] = RunStatus(row["state"])
    if row["state"] is RunStatus.RUNNING and alive(row["host"], row["pid"], row["process"]) is False:
        row["state"], row["reason"] = RunStatus.INTERRUPTED, KILLED
    return cast(Run, row)


def _parsed(text: str | None) -> dict[str, Any]:
    """Return the JSON object in `text`, empty when there is none."""
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
