"""The writing side: what the training loop calls."""

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Unpack

from engine.errors import RecordsError
from engine.records.chunks import Snapshot, write_snapshot
from engine.records.process import facts
from engine.records.rows import (
    EventRow,
    RunRow,
    StatisticsRow,
    SweepRow,
    Totals,
    TrainingRow,
    TrialRow,
    ValidationRow,
    WorkerRow,
)
from engine.records.schema import STEP_TABLES
from engine.records.status import RunStatus
from engine.records.sweeps import insert_sweep, set_trials
from engine.records.writer_thread import WriterThread, plain
from engine.system.processes import alive

State = RunStatus | Literal["finished", "interrupted", "failed"]


def _insert_sql(table: str, fields: tuple[str, ...]) -> str:
    """Return the insert for `fields` of `table`; a row with the same primary key is replaced."""
    names = ", ".join(f'"{name}"' for name in fields)
    return f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({', '.join('?' * len(fields))})"  # noqa: S608


_TRAINING = _insert_sql("training", ("startID", *TrainingRow._fields))
_VALIDATION = _insert_sql("validation", ("startID", *ValidationRow._fields))
# Who a worker is does not vanish when a later row leaves it out; what it did is as the later row says.
_WORKER = _insert_sql("workers", ("startID", *WorkerRow._fields)).replace(" OR REPLACE", "") + (
    " ON CONFLICT (startID, worker) DO UPDATE SET "
    + ", ".join(
        f'"{name}" = coalesce(excluded."{name}", "{name}")' for name in ("host", "pid", "joined", "fingerprint")
    )
    + ", "
    + ", ".join(
        f'"{name}" = excluded."{name}"' for name in ("left", "reason", "images", "seconds", "images_per_second")
    )
)
_EVENT = _insert_sql("events", ("startID", *EventRow._fields))
_STATISTICS = _insert_sql("statistics", ("startID", *StatisticsRow._fields))
_TRIAL = _insert_sql("trials", TrialRow._fields)


class Recorder:
    """Writes runs into the database `path` (made, with its folder, if missing), one run at a time.

    Rows (`training`, `validation`, `worker`, `event`) are only queued: a thread writes them within half a second. They
    wait for the disk only when 20,000 rows are waiting already, and are never dropped. `begin`, `resume`, `finish` and
    `flush` return when all that was handed over is on disk. Not for use across a fork.

    Raises RecordsError when the database cannot be opened: it is a folder, read-only, no SQLite file, another
    program's, or a newer version's. If writing fails later (a full disk, a file that was deleted), the next call and
    `close` raise RecordsError.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._writer = WriterThread(self.path)
        self._start_id: int | None = None

    def begin(self, run: RunRow) -> int:
        """Enter a new run, running from now, and return its startID.

        Raises RecordsError when the database already has a run with this uuid: that one is to be resumed.
        """
        values = _run_values(run) | facts() | {"started": _now(), "state": "running"}
        sql = _insert_sql("runs", tuple(values)).replace(" OR REPLACE", "")

        def work(connection: sqlite3.Connection) -> int:
            if known := _find(connection, run.uuid):
                raise RecordsError(f"run {run.uuid} is in database {self.path} already, as run {known['startID']}")
            return int(connection.execute(sql, tuple(map(plain, values.values()))).lastrowid or 0)

        self._start_id = self._writer.call(work)
        return self._start_id

    def resume(self, uuid: str, step: int, folder: str | None = None, name: str | None = None) -> int | None:
        """Go on with run `uuid` after `step`: drop its rows of later steps, set it running, return its startID.

        `folder` and `name` replace what is on record, if given. Returns None when the database has no such run. Raises
        RecordsError when another process is known to be running it.
        """
        values = facts() | {"finished": None, "state": "running", "reason": None}
        values |= {column: value for column, value in (("folder", folder), ("name", name)) if value is not None}

        def work(connection: sqlite3.Connection) -> int | None:
            run = _find(connection, uuid)
            if run is None:
                return None
            if (
                run["state"] == "running"
                and run["pid"] != os.getpid()
                and alive(run["host"], run["pid"], run["process"])
            ):
                raise RecordsError(
                    f"run {run['startID']} of database {self.path} is still running: process {run['pid']} on"
                    f" {run['host']}; stop it first"
                )
            for table in STEP_TABLES:
                sql = f"DELETE FROM {table} WHERE startID = ? AND batchno > ?"  # noqa: S608
                connection.execute(sql, (run["startID"], step))
            _update(connection, run["startID"], values)
            return int(run["startID"])

        self._start_id = self._writer.call(work)
        return self._start_id

    def worker_names(self) -> list[str]:
        """Return the names of all workers that the run has had so far."""
        sql, start_id = "SELECT worker FROM workers WHERE startID = ?", self._run_id()
        return self._writer.call(lambda connection: [name for (name,) in connection.execute(sql, (start_id,))])

    def training(self, row: TrainingRow) -> None:
        """Queue the row of one step; a row of the same step is replaced."""
        self._writer.put(_TRAINING, (self._run_id(), *row))

    def validation(self, row: ValidationRow) -> None:
        """Queue the row of one validation; a row of the same step is replaced."""
        self._writer.put(_VALIDATION, (self._run_id(), *row))

    def worker(self, row: WorkerRow) -> None:
        """Queue what is known of a worker; it replaces the earlier row, whose host, pid, joined and fingerprint stay
        where the new one has None.
        """
        self._writer.put(_WORKER, (self._run_id(), *row))

    def event(self, row: EventRow) -> None:
        """Queue an event; its time is now unless the row has one."""
        row = row if row.time is not None else row._replace(time=time.time())
        self._writer.put(_EVENT, (self._run_id(), *row))

    def statistics(self, row: StatisticsRow) -> None:
        """Queue the statistics of one array at one step; a row of the same step is replaced."""
        self._writer.put(_STATISTICS, (self._run_id(), *row))

    def snapshot(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and return when it is on disk, too large to be queued as it is: let a thread wait."""
        start_id = self._run_id()
        self._writer.call(lambda connection: write_snapshot(connection, start_id, snapshot))

    def begin_sweep(self, row: SweepRow) -> int:
        """Enter a new sweep and return its number; RecordsError when there is one of that name."""
        created = _now()
        return self._writer.call(lambda connection: insert_sweep(connection, row, created))

    def extend_sweep(self, sweep: int, trials: int) -> None:
        """Change how many trials a sweep is to have."""
        self._writer.call(lambda connection: set_trials(connection, sweep, trials))

    def trial(self, row: TrialRow) -> None:
        """Write how far a trial is, and return when it is on disk; it replaces what was there before."""
        self._writer.put(_TRIAL, row)
        self.flush()

    def flush(self) -> None:
        """Return when all rows handed over are on disk. Call it before a checkpoint, and no row can be missing."""
        self._writer.call(lambda _: None)

    def there(self) -> bool:
        """Tell whether the database is where it was when it was opened: not deleted, moved or replaced since."""
        return self._writer.there()

    def finish(self, state: State, reason: str | None = None, **totals: Unpack[Totals]) -> None:
        """End the run in `state` (finished, interrupted, failed), with what is known of it; returns when on disk.

        Raises TypeError for a total that `Totals` does not have.
        """
        if unknown := totals.keys() - Totals.__annotations__.keys():
            raise TypeError(f"a run has no {', '.join(sorted(unknown))}")
        start_id = self._run_id()
        values = {"finished": _now(), "state": state, "reason": reason, **totals}
        self._writer.call(lambda connection: _update(connection, start_id, values))
        self._start_id = None

    def close(self) -> None:
        """Write what is queued and close the database. A run that was not finished becomes interrupted.

        Raises RecordsError if anything handed over could not be written.
        """
        self._end("interrupted", "its records were closed before it finished")

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        try:
            self._end("interrupted" if stopped else "failed", f"{type(error).__name__}: {error}")
        except RecordsError as mine:
            # The first error is the cause; this one must not hide it.
            if str(mine) != str(error):
                error.add_note(str(mine))

    def _end(self, state: State, reason: str) -> None:
        """Finish the run if there is one, and end the thread in any case."""
        try:
            if self._start_id is not None:
                self.finish(state, reason)
        finally:
            self._start_id = None
            self._writer.close()

    def _run_id(self) -> int:
        """Return the startID of the current run."""
        if self._start_id is None:
            raise RecordsError(f"no run was begun in database {self.path}; call begin() or resume() first")
        return self._start_id


def _now() -> str:
    """Return the time as ISO 8601 UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _run_values(run: RunRow) -> dict[str, Any]:
    """Return the fields of `run` by column."""
    return vars(run) | {
        "settings": _json(run.settings),
        "versions": _json(run.versions),
        "generated": int(run.generated),
    }


def _json(data: Mapping[str, Any]) -> str:
    """Return `data` as JSON; what JSON does not have (a path) as its text."""
    return json.dumps(dict(data), default=str)


def _find(connection: sqlite3.Connection, uuid: str) -> dict[str, Any] | None:
    """Return the row of the run `uuid` by column, or None."""
    names = ("startID", "state", "host", "pid", "process")
    row = connection.execute(f"SELECT {', '.join(names)} FROM runs WHERE uuid = ?", (uuid,)).fetchone()  # noqa: S608
    return dict(zip(names, row, strict=True)) if row else None


def _update(connection: sqlite3.Connection, start_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a run."""
    columns = ", ".join(f'"{name}" = ?' for name in values)
    sql = f"UPDATE runs SET {columns} WHERE startID = ?"  # noqa: S608
    connection.execute(sql, (*map(plain, values.values()), start_id))
