"""The writing side: what the training loop calls."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Unpack

from engine.errors import RecordsError, UnsavedError
from engine.records import runs, side_file
from engine.records.batch import CHANGE, Row, insert
from engine.records.begin import insert_run, resume_run
from engine.records.catch_up import catch_up, remove_files
from engine.records.chunks import Snapshot, write_snapshot
from engine.records.database import PATIENCE
from engine.records.deleted_snapshots import thin_snapshots
from engine.records.delivery import Pace
from engine.records.process import facts
from engine.records.rows import (
    ClassRow,
    ConfusionRow,
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
from engine.records.run_bytes import run_bytes
from engine.records.run_owner import RunOwner
from engine.records.status import RunStatus
from engine.records.sweeps import insert_sweep, set_trials
from engine.records.writer_thread import DEFAULT_PACE, WriterThread

SNAPSHOT_PATIENCE = 3.0  # seconds that a snapshot, too large to wait in memory, waits for another program's transaction


class Recorder:
    """Writes runs into the database `path` (made, with its folder, if missing), one run at a time.

    Rows (`training`, `validation`, `worker`, `event`, `statistics`) are only queued: a thread writes them within half a
    second. They wait for the disk only when 20,000 rows are waiting already. `begin`, `resume` and `flush` return when
    all that was handed over is in the database. Not for use across a fork.

    While the database cannot be written (locked, a full disk, deleted, damaged) rows wait in memory, `secure` saves
    them in a file beside the checkpoints, and `news` says so; they are written as soon as that is possible, or read in
    by a later process. Only what needs an answer of the database raises RecordsError then.

    Raises RecordsError when the database cannot be opened: it is a folder, read-only, not a SQLite file, another
    program's, or a newer version's.
    """

    def __init__(self, path: Path | str, pace: Pace = DEFAULT_PACE, ask: Callable[[], None] = lambda: None) -> None:
        """`pace`: of waiting for a database that takes nothing. What `ask` raises ends a wait for an answer of it."""
        self.path = Path(path)
        self._writer = WriterThread(self.path, pace, ask)
        self._run: RunOwner | None = None
        try:
            remove_files(self._writer.call(catch_up))
        except BaseException:
            self._writer.close()
            raise

    def begin(self, run: RunRow, step: int = 0) -> int:
        """Enter a run, running from now, and return its startID.

        With `step` it is new to this database, but not new: rows up to that step may wait beside its checkpoints.
        Raises RecordsError when the database already has a run with this uuid: that one is to be resumed.
        """
        values = runs.columns_at_start(run)
        number = self._writer.call(partial(insert_run, values=values, step=step, path=self.path))
        self._enter(number, run.uuid, [Path(run.folder)] if run.folder else [])
        return number

    def resume(self, uuid: str, step: int, folder: str | None = None, name: str | None = None) -> int | None:
        """Continue run `uuid` after `step`: drop its rows of later steps, set it running, return its startID.

        `folder` and `name` replace the recorded ones, if given. Rows that wait beside its checkpoints are read in;
        steps that have no rows all the same are an event. Returns None when the database has no such run. Raises
        RecordsError when another process is known to be running it.
        """
        values = facts() | {"finished": None, "state": RunStatus.RUNNING, "reason": None}
        values |= dict.fromkeys(("best_percent", "best_r2", "best_step", "last_percent", "last_r2"))  # of a later step?
        values |= {column: value for column, value in (("folder", folder), ("name", name)) if value is not None}
        found = self._writer.call(lambda connection: resume_run(connection, uuid, step, values, self.path))
        if found is None:
            return None
        number, folders = found
        self._enter(number, uuid, folders)
        return number

    def _enter(self, number: int, uuid: str, folders: list[Path]) -> None:
        """Let rows be of this run from now on. Those that waited in `folders` are read in; it has the last of these."""
        self._run = RunOwner(number, uuid, folders[-1] if folders else None)
        self._writer.belongs_to(self._run)
        remove_files(folders)

    def first_step(self) -> int | None:
        """Return the first step of the run that has a row; None if there is none."""
        sql, number = "SELECT min(batchno) FROM training WHERE startID = ?", self._number()
        first: int | None = self._writer.call(lambda connection: connection.execute(sql, (number,)).fetchone()[0])
        return first

    def worker_names(self) -> list[str]:
        """Return the names of all workers that the run has had so far."""
        sql, number = "SELECT worker FROM workers WHERE startID = ?", self._number()
        return self._writer.call(lambda connection: [name for (name,) in connection.execute(sql, (number,))])

    def training(self, row: TrainingRow) -> None:
        """Queue the row of one step; a row of the same step is replaced."""
        self._writer.put("training", (self._number(), *row))

    def validation(
        self, row: ValidationRow, classes: Iterable[ClassRow] = (), confusion: Iterable[ConfusionRow] = ()
    ) -> None:
        """Queue the rows of one validation; those of the same step are replaced."""
        self._writer.put("validation", (self._number(), *row))
        for table, rows in (("classes", classes), ("confusion", confusion)):
            for one in rows:
                self._writer.put(table, (self._number(), *one))

    def worker(self, row: WorkerRow) -> None:
        """Queue what is known of a worker; host, pid, joined and fingerprint stay where the new row has None."""
        self._writer.put("workers", (self._number(), *row))

    def event(self, row: EventRow) -> None:
        """Queue an event; its time is now unless the row has one."""
        row = row if row.time is not None else row._replace(time=time.time())
        self._writer.put("events", (self._number(), *row))

    def statistics(self, row: StatisticsRow) -> None:
        """Queue the statistics of one array at one step; a row of the same step is replaced."""
        self._writer.put("statistics", (self._number(), *row))

    def snapshot(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and return when it is on disk, too large to be queued as it is: let a thread wait.

        RecordsError while the database takes nothing.
        """
        work = partial(write_snapshot, start_id=self._number(), snapshot=snapshot)
        self._writer.call(work, SNAPSHOT_PATIENCE)

    def snapshot_schedule(self, schedule: Mapping[str, int | None]) -> None:
        """Queue, for the row of the run, which steps have snapshots: `Run.snapshot_schedule` says how."""
        self._writer.put(CHANGE, (self._number(), {"snapshot_schedule": json.dumps(dict(schedule))}))

    def thin_snapshots(self, first: int, every: int) -> int:
        """Delete the snapshots but those of the `first` steps and of every `every`th; return how many those were."""
        work = partial(thin_snapshots, run=self._number(), first=first, every=every)
        return self._writer.call(work, SNAPSHOT_PATIENCE)

    def begin_sweep(self, row: SweepRow) -> int:
        """Enter a new sweep and return its number; RecordsError when there is one of that name."""
        return self._writer.call(partial(insert_sweep, row=row, created=runs.now()))

    def extend_sweep(self, sweep: int, trials: int) -> None:
        """Change how many trials a sweep is to have."""
        self._writer.call(partial(set_trials, sweep=sweep, trials=trials))

    def trial(self, row: TrialRow) -> None:
        """Write how far a trial is, and return when it is on disk; it replaces what was there before."""
        self._writer.call(partial(insert, rows=[Row("trials", row)]), PATIENCE)  # unasked: it may say "interrupted"

    def flush(self) -> None:
        """Return when all rows handed over are in the database; RecordsError if it takes nothing for 30 seconds."""
        self._writer.call(lambda _: None)

    def secure(self) -> None:
        """Return when all rows handed over are on disk, in the database or in the side file.

        Call it before a checkpoint, and no row of its steps can be missing. RecordsError if neither is possible.
        """
        self._writer.secure()

    def news(self) -> list[str]:
        """Return what a person should know of the database, since the last time."""
        return self._writer.news()

    def size(self, *others: int) -> int | None:
        """Return the bytes of all values so far of the run, or of `others`; None while the database takes nothing."""
        runs = others or (self._number(),)
        return self._writer.call_or(lambda connection: sum(run_bytes(connection, run) for run in runs), lambda: None)

    def finish(self, state: RunStatus, reason: str | None = None, **totals: Unpack[Totals]) -> None:
        """End the run in `state`, not RUNNING, with what is known of it; returns as `secure`.

        Raises TypeError for a total that `Totals` does not have.
        """
        if unknown := totals.keys() - Totals.__annotations__.keys():
            raise TypeError(f"runs have no column {', '.join(sorted(unknown))}")
        values = {"finished": runs.now(), "state": RunStatus(state), "reason": reason, **totals}
        self._writer.put(CHANGE, (self._number(), values))
        self._run = None
        self.secure()

    def close(self) -> None:
        """Write what is queued and close the database. A run that was not finished becomes interrupted.

        Raises RecordsError if anything handed over could not be written.
        """
        self._end(RunStatus.INTERRUPTED, "its records were closed before it finished")

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        stopped = isinstance(error, KeyboardInterrupt | SystemExit | UnsavedError)
        state = RunStatus.INTERRUPTED if stopped else RunStatus.FAILED
        file = self._run.folder / side_file.NAME if self._run and self._run.folder else None
        try:
            self._end(state, f"{type(error).__name__}: {error}")
        except RecordsError as mine:
            # The first error is the cause; this one must not hide it.
            if str(mine) != str(error):
                error.add_note(str(mine))
        if file and file.exists():
            error.add_note(f"Rows that database {self.path} did not take are in {file}; resuming reads them in.")

    def _end(self, state: RunStatus, reason: str) -> None:
        """Finish the run if there is one, and end the thread in any case."""
        try:
            if self._run is not None:
                self.finish(state, reason)
        finally:
            self._run = None
            self._writer.close()

    def _number(self) -> int:
        """Return the startID of the current run."""
        if self._run is None:
            raise RecordsError(f"no run has begun in database {self.path}; call begin() or resume() first")
        return self._run.number
