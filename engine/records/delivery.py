"""Writes what the thread is handed; while the database takes nothing, rows wait in memory and in the side file."""

import logging
import sqlite3
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from engine.errors import RecordsError
from engine.records import side_file
from engine.records.backlog import Backlog
from engine.records.batch import Job, Row, Work, insert, write
from engine.records.database import PATIENCE, explain, transaction
from engine.records.log_watch import LogWatch
from engine.records.open_database import GoneError, OpenDatabase
from engine.records.rows import EventRow
from engine.records.run_owner import RunOwner
from engine.system.clock import MONOTONIC, Clock

# By the start of SQLite's error name: what may pass, and what a database does not recover from.
PASSING = ("BUSY", "LOCKED", "FULL", "IOERR", "READONLY", "CANTOPEN", "PERM", "NOMEM", "PROTOCOL")
FINAL = ("CORRUPT", "NOTADB")
BUSY = ("BUSY", "LOCKED")

_log = logging.getLogger("gradsum.records")


class LockedError(RecordsError):
    """The database is locked by another program at the moment, and has been since `since` by the clock."""

    def __init__(self, message: str, since: float) -> None:
        super().__init__(message)
        self.since = since


@dataclass(frozen=True)
class Pace:
    """Seconds: how long a try waits for a lock, pauses between tries, and after how long a lock is worth a word."""

    wait: float = 0.5
    pause: float = 0.5
    longest_pause: float = 10.0
    patience: float = PATIENCE


@dataclass
class _Failure:
    """Why the database takes nothing, since when, and when it is tried again; `told`: a person knows of it."""

    error: RecordsError
    since: float
    pause: float
    next_try: float = 0.0
    locked: bool = False
    final: bool = False
    told: bool = False


class Delivery:
    """The database at `path`, and the rows that wait for it. Not for several threads, except for `news` and `run`.

    Raises RecordsError when it cannot be opened.
    """

    def __init__(self, path: Path, pace: Pace, clock: Clock = MONOTONIC) -> None:
        self._path = path
        self._pace = pace
        self._clock = clock
        self._database: OpenDatabase | None = OpenDatabase(path, pace.wait)
        self._backlog = Backlog()
        self._log = LogWatch(path)
        self._failure: _Failure | None = None
        self.run: RunOwner | None = None
        self.news: deque[str] = deque(maxlen=100)

    def deliver(self, jobs: list[Job], now: bool = False) -> None:
        """Write what waits, then `jobs`, which is empty afterwards; while the database takes nothing, let rows wait.

        Work is then answered by what it has as `otherwise`, or with an error. `now`: try in any case. Raises
        RecordsError for a fault in this program; what is left in `jobs` was not written.
        """
        if self._worth_a_try(now or any(isinstance(job, Work) and job.patient for job in jobs)):
            try:
                self._write(jobs)
            except GoneError:
                self._fail(self._gone(), "SQLITE_CANTOPEN")
            except (sqlite3.Error, OverflowError, ValueError) as error:
                self._fail(explain(self._path, error), getattr(error, "sqlite_errorname", None) or "")
            else:
                return
        self._hold(jobs)
        self._tell()

    def pause(self) -> float | None:
        """Return after how many seconds `deliver` wants to be called even if there are no jobs; None: it need not."""
        if self._failure is None or self._failure.final:
            return None
        return max(0.0, self._failure.next_try - self._clock.now())

    def secure(self) -> None:
        """Return when the rows that wait are on disk, in the side file.

        If there is no room, it says at least which rows are missing. RecordsError if even that is impossible.
        """
        if not len(self._backlog):
            return
        if self.run is None or self.run.folder is None:
            raise RecordsError(self._because("rows wait, and there is no folder to save them in"))
        try:
            side_file.save(self.run.folder, self.run.uuid, self._backlog.content())
        except OSError as error:
            try:
                side_file.save(self.run.folder, self.run.uuid, self._backlog.only_missing())
            except OSError:
                reason = f"its rows cannot be saved in {self.run.folder / side_file.NAME}: {error.strerror or error}"
                raise RecordsError(self._because(reason)) from error

    def close(self) -> None:
        """Close the database. Rows that still wait are saved; RecordsError if that is impossible."""
        try:
            self.secure()
        finally:
            self._close()

    def _worth_a_try(self, now: bool) -> bool:
        failure = self._failure
        return failure is None or (not failure.final and (now or self._clock.now() >= failure.next_try))

    def _write(self, jobs: list[Job]) -> None:
        """Write what waits, and `jobs`."""
        if self._database is None:
            if self.run is None:
                raise GoneError
            self._database = OpenDatabase(self._path, self._pace.wait, self.run)
        if not self._database.there():
            raise GoneError
        connection = self._database.connection
        waited = len(self._backlog)
        if self._failure:
            self._backlog.write(connection)
            self._recover(connection, self._failure, waited)
        write(connection, jobs)
        if (text := self._log.look(connection)) and self.run:
            insert(connection, [self._event("log grows", text)])

    def _recover(self, connection: sqlite3.Connection, failure: _Failure, rows: int) -> None:
        """Record that the database is written again, and remove the side file, whose rows are in it now."""
        seconds = self._clock.now() - failure.since
        text = f"database {self._path} is written again: {rows} row{'s' * (rows != 1)} had waited for {seconds:.0f} s"
        _log.warning("%s", text)
        if failure.told and self.run:
            with transaction(connection):
                insert(connection, [self._event("written", text)])
            self.news.append(text)
        if self.run and self.run.folder:
            try:
                side_file.remove(self.run.folder)
            except OSError as error:  # read in again, it changes nothing
                _log.warning("%s", error)
        self._failure = None

    def _fail(self, error: RecordsError, name: str) -> None:
        """Note why the database takes nothing, and when to try again. Raises `error` if that is not its own fault."""
        kind = name.removeprefix("SQLITE_")
        if not kind.startswith((*PASSING, *FINAL)):
            raise error
        now = self._clock.now()
        failure = self._failure = self._failure or _Failure(error, now, self._pace.pause)
        failure.error, failure.locked, failure.final = error, kind.startswith(BUSY), kind.startswith(FINAL)
        if not failure.locked:
            self._close(untouched=failure.final)
            failure.pause = min(2 * failure.pause, self._pace.longest_pause)
        failure.next_try = now + failure.pause

    def _hold(self, jobs: list[Job]) -> None:
        """Let rows wait, and answer work."""
        for job in jobs:
            if isinstance(job, Row):
                self._backlog.add(job)
            else:
                self._refuse(job)
        jobs.clear()

    def _refuse(self, work: Work) -> None:
        failure = self._failure
        if failure and work.otherwise is None:
            text = str(failure.error)
            work.answer.set_exception(LockedError(text, failure.since) if failure.locked else RecordsError(text))
            return
        try:
            work.answer.set_result(work.otherwise() if work.otherwise else None)
        except RecordsError as error:
            work.answer.set_exception(error)

    def _tell(self) -> None:
        """Say, once, that the database takes nothing; a lock may be short."""
        failure = self._failure
        if failure is None or failure.told or self.run is None:
            return
        if failure.locked and self._clock.now() - failure.since < self._pace.patience:
            return
        failure.told = True
        text = f"{failure.error}; training continues, and rows wait in memory and beside the checkpoints"
        _log.error("%s", text)
        self._backlog.add(self._event("unwritten", text))
        self.news.append(text)

    def _event(self, kind: str, text: str) -> Row:
        number = self.run.number if self.run else 0
        return Row("events", (number, *EventRow(kind, text, time=time.time())))

    def _gone(self) -> RecordsError:
        """Return the error for a file that is not there: SQLite would keep writing to what no longer has a name."""
        return RecordsError(
            f"database {self._path} was deleted, moved or replaced during the run, and its records with it"
        )

    def _because(self, text: str) -> str:
        return f"{self._failure.error}; {text}" if self._failure else text

    def _close(self, untouched: bool = False) -> None:
        if self._database:
            self._database.close(untouched)
            self._database = None
