"""Deleting runs, and giving the space they took back to the disk, while others train."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.errors import RecordsError
from engine.records.database import explain, open_for_writing, page_bytes, transaction
from engine.records.deleted_snapshots import delete_snapshots, sweep
from engine.records.run_bytes import run_bytes
from engine.records.schema import RUN_TABLES
from engine.records.snapshot_tables import CHUNK
from engine.records.status import RunStatus
from engine.system.processes import alive

# A program that trains into the same database waits while a slice is deleted, and gives up after PATIENCE: so many
# rows or bytes at a time, and a pause longer than the 0.1 s after which SQLite tries again.
ROWS = 20_000
BYTES = 32 << 20
PAUSE = 0.15
INCREMENTAL = 2  # PRAGMA auto_vacuum: free pages can be given back a few at a time

Progress = Callable[[str, int], None]  # is told of what has been deleted, and how many since it was last told
Check = Callable[[], None]


def silent(what: str, count: int) -> None:
    """Show no progress."""


def remove_runs(path: Path | str, runs: Sequence[int], force: bool = False, progress: Progress = silent) -> int:
    """Delete the runs with these startIDs from the database `path`, and return the bytes of their records.

    The file stays as large as it is: later runs take their space. Nothing is deleted, and RecordsError raised, when one
    of them is running. Where that cannot be known, because it ran on another machine or in another container, `force`
    says that it is not. Other runs may be trained meanwhile. After an interruption the runs are still listed, and
    deleting them again does the rest.
    Raises RecordsError as well when the database cannot be written, or is locked for longer than PATIENCE.
    """
    with _writing(path) as connection:
        check = _checked(connection, runs, Path(path), force)
        before = _bytes(connection, runs)
        with transaction(connection):
            check()
            marked = [(RunStatus.INTERRUPTED, "its deletion was interrupted", run) for run in runs]
            connection.executemany("UPDATE runs SET state = ?, reason = ? WHERE startID = ?", marked)
            for run in runs:
                progress("snapshots", delete_snapshots(connection, run))
        # `runs` last; the chunks are left to later snapshots, or to `give_back`.
        for table in sorted((t for t in RUN_TABLES if t != "chunks"), key=lambda table: table == "runs"):
            for run in runs:
                _delete(connection, table, run, check, progress)
        return before


def remove_snapshots(
    path: Path | str, runs: Sequence[int], force: bool = False, keep_every: int = 0, progress: Progress = silent
) -> int:
    """Delete the snapshots, histograms and statistics of the runs with these startIDs; return the bytes that they had.

    Those of every `keep_every`-th step stay: steps that it divides; 0 keeps none. All else as for `remove_runs`.
    """
    with _writing(path) as connection:
        check = _checked(connection, runs, Path(path), force)
        before = _bytes(connection, runs)
        with transaction(connection):
            check()
            for run in runs:
                progress("snapshots", delete_snapshots(connection, run, every=keep_every))
        for table in ("histograms", "statistics"):
            for run in runs:
                which = f"AND batchno % {keep_every} <> 0" if keep_every else ""
                _delete(connection, table, run, check, progress, which)
        return before - _bytes(connection, runs)


def give_back(path: Path | str, progress: Progress = silent) -> int:
    """Give the space of what was deleted back to the disk, and return how many bytes that were; others may train.

    All pages of deleted snapshots have to be read, so it takes a minute for some gigabytes. It is done in slices, as
    other writers would wait for a VACUUM, and give up. A database of a gradsum that could not delete runs was not made
    for this: its free pages are left to later runs. Raises RecordsError when the database cannot be written.
    """
    with _writing(path) as connection:
        before = _pages(connection)
        while True:
            with transaction(connection):
                swept = sweep(connection, max(1, BYTES // (8 * CHUNK)))
            if not swept:
                break
            progress("bytes of snapshots", swept * 8 * CHUNK)
            time.sleep(PAUSE)
        _shrink(connection, progress)
        return max(0, before - _pages(connection)) * page_bytes(connection)


@contextmanager
def _writing(path: Path | str) -> Iterator[sqlite3.Connection]:
    """Open the database; RecordsError if it cannot be opened, and for what goes wrong meanwhile."""
    connection = open_for_writing(Path(path))
    try:
        yield connection
    except sqlite3.Error as error:
        raise explain(Path(path), error) from error
    finally:
        connection.close()


def _bytes(connection: sqlite3.Connection, runs: Sequence[int]) -> int:
    return sum(run_bytes(connection, run) for run in runs)


def _checked(connection: sqlite3.Connection, runs: Sequence[int], path: Path, force: bool) -> Check:
    """Return what raises RecordsError where one of the runs is running, or may be without `force`."""

    def check() -> None:
        for run in runs:
            _check_ended(connection, run, path, force)

    return check


def _check_ended(connection: sqlite3.Connection, run: int, path: Path, force: bool) -> None:
    row = connection.execute("SELECT state, host, pid, process FROM runs WHERE startID = ?", (run,)).fetchone()
    if row is None or row[0] != RunStatus.RUNNING:
        return
    _, host, pid, process = row
    running = alive(host, pid, process)
    if running:
        raise RecordsError(
            f"run {run} of database {path} is still running: process {pid} on {host}; stop it before it is deleted"
        )
    if running is None and not force:
        raise RecordsError(
            f"run {run} of database {path} may still be running: process {pid} on {host} cannot be seen from here; "
            "if it is not, delete it with --force"
        )


def _delete(
    connection: sqlite3.Connection, table: str, run: int, check: Check, progress: Progress, which: str = ""
) -> None:
    """Delete the rows of `run` from `table` in slices, with a `check` before each; `which` may leave out some."""
    some = f"SELECT rowid FROM {table} WHERE startID = ? {which} LIMIT {ROWS}"  # noqa: S608
    sql = f"DELETE FROM {table} WHERE rowid IN ({some})"  # noqa: S608
    while True:
        with transaction(connection):
            check()
            deleted = connection.execute(sql, (run,)).rowcount
        progress(f"rows of {table}", deleted)
        if deleted < ROWS:
            return
        time.sleep(PAUSE)


def _shrink(connection: sqlite3.Connection, progress: Progress) -> None:
    """Give free pages back to the disk, in slices."""
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    slice_pages = BYTES // page_bytes(connection)
    while mode == INCREMENTAL:
        before = _pages(connection)
        # execute() would take one step of this statement, and with that free one page.
        connection.executescript(f"PRAGMA incremental_vacuum({slice_pages})")
        gone = before - _pages(connection)
        progress("bytes given back", gone * page_bytes(connection))
        if gone < slice_pages:
            break
        time.sleep(PAUSE)
    # The file shrinks here, unless a program is reading it: then at a later checkpoint. Only PASSIVE does not wait for
    # readers, and writers would have to wait with it.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _pages(connection: sqlite3.Connection) -> int:
    """Return the number of pages of the database."""
    return int(connection.execute("PRAGMA page_count").fetchone()[0])
