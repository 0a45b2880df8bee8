"""The writing side: what the training loop calls."""

import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Unpack

from engine.errors import RecordsError
from engine.records import runs, statements
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
from engine.records.run_bytes import run_bytes
from engine.records.status import RunStatus
from engine.records.sweeps import insert_sweep, set_trials
from engine.records.writer_thread import WriterThread


class Recorder:
    """Writes runs into the database `path` (made, with its folder, if missing), one run at a time.

    Rows (`training`, `validation`, `worker`, `event`, `statistics`) are only queued: a thread writes them within half a
    second. They wait for the disk only when 20,000 rows are waiting already, and are never dropped. `begin`, `resume`,
    `finish` and `flush` return when all that was handed over is on disk. Not for use across a fork.

    Raises RecordsError when the database cannot be opened: it is a folder, read-only, not a SQLite file, another
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
        values = runs.columns_at_start(run)
        self._start_id = self._writer.call(partial(runs.insert_run, values=values, path=self.path))
        return self._start_id

    def resume(self, uuid: str, step: int, folder: str | None = None, name: str | None = None) -> int | None:
        """Continue run `uuid` after `step`: drop its rows of later steps, set it running, return its startID.

        `folder` and `name` replace the recorded ones, if given. Returns None when the database has no such run. Raises
        RecordsError when another process is known to be running it.
        """
        values = facts() | {"finished": None, "state": RunStatus.RUNNING, "reason": None}
        values |= dict.fromkeys(("best_percent", "best_r2", "best_step", "last_percent", "last_r2"))  # of a later step?
        values |= {column: value for column, value in (("folder", folder), ("name", name)) if value is not None}
        self._start_id = self._writer.call(
            lambda connection: runs.resume_run(connection, uuid, step, values, self.path)
        )
        return self._start_id

    def worker_names(self) -> list[str]:
        """Return the names of all workers that the run has had so far."""
        sql, start_id = "SELECT worker FROM workers WHERE startID = ?", self._run_id()
        return self._writer.call(lambda connection: [name for (name,) in connection.execute(sql, (start_id,))])

    def training(self, row: TrainingRow) -> None:
        """Queue the row of one step; a row of the same step is replaced."""
        self._writer.put(statements.TRAINING, (self._run_id(), *row))

    def validation(self, row: ValidationRow) -> None:
        """Queue the row of one validation; a row of the same step is replaced."""
        self._writer.put(statements.VALIDATION, (self._run_id(), *row))

    def worker(self, row: WorkerRow) -> None:
        """Queue what is known of a worker; it replaces the earlier row, whose host, pid, joined and fingerprint stay
        where the new one has None.
        """
        self._writer.put(statements.WORKER, (self._run_id(), *row))

    def event(self, row: EventRow) -> None:
        """Queue an event; its time is now unless the row has one."""
        row = row if row.time is not None else row._replace(time=time.time())
        self._writer.put(statements.EVENT, (self._run_id(), *row))

    def statistics(self, row: StatisticsRow) -> None:
        """Queue the statistics of one array at one step; a row of the same step is replaced."""
        self._writer.put(statements.STATISTICS, (self._run_id(), *row))

    def snapshot(self, snapshot: Snapshot) -> None:
        """Write a snapshot, and return when it is on disk, too large to be queued as it is: let a thread wait."""
        start_id = self._run_id()
        self._writer.call(partial(write_snapshot, start_id=start_id, snapshot=snapshot))

    def begin_sweep(self, row: SweepRow) -> int:
        """Enter a new sweep and return its number; RecordsError when there is one of that name."""
        return self._writer.call(partial(insert_sweep, row=row, created=runs.now()))

    def extend_sweep(self, sweep: int, trials: int) -> None:
        """Change how many trials a sweep is to have."""
        self._writer.call(partial(set_trials, sweep=sweep, trials=trials))

    def trial(self, row: TrialRow) -> None:
        """Write how far a trial is, and return when it is on disk; it replaces what was there before."""
        self._writer.put(statements.TRIAL, row)
        self.flush()

    def flush(self) -> None:
        """Return when all rows handed over are on disk. Call it before a checkpoint, and no row can be missing."""
        self._writer.call(lambda _: None)

    def size(self, *others: int) -> int:
        """Return the bytes of all values so far of the run, or of the runs with these numbers."""
        runs = others or (self._run_id(),)
        return sum(self._writer.call(partial(run_bytes, run=run)) for run in runs)

    def there(self) -> bool:
        """Tell whether the database is where it was when it was opened: not deleted, moved or replaced since."""
        return self._writer.there()

    def finish(self, state: RunStatus, reason: str | None = None, **totals: Unpack[Totals]) -> None:
        """End the run in `state`, not RUNNING, with what is known of it; returns when that is on disk.

        Raises TypeError for a total that `Totals` does not have.
        """
        if unknown := totals.keys() - Totals.__annotations__.keys():
            raise TypeError(f"runs have no column {', '.join(sorted(unknown))}")
        start_id = self._run_id()
        values = {"finished": runs.now(), "state": RunStatus(state), "reason": reason, **totals}
        self._writer.call(partial(runs.update_run, number=start_id, values=values))
        self._start_id = None

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
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        state = RunStatus.INTERRUPTED if stopped else RunStatus.FAILED
        try:
            self._end(state, f"{type(error).__name__}: {error}")
        except RecordsError as mine:
            # The first error is the cause; this one must not hide it.
            if str(mine) != str(error):
                error.add_note(str(mine))

    def _end(self, state: RunStatus, reason: str) -> None:
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
            raise RecordsError(f"no run has begun in database {self.path}; call begin() or resume() first")
        return self._start_id
