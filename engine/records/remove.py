"""Deleting runs, and giving the space they took back to the disk, while others train."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import RecordsError
from engine.records.database import explain, open_for_writing, page_bytes, transaction
from engine.records.schema import COLUMNS, PRIMARY_KEYS
from engine.records.status import RunStatus
from engine.system.processes import alive

# A program that trains into the same database waits while a slice is deleted, and gives up after PATIENCE: so many
# rows or bytes (16 MiB in either case) at a time, and a pause longer than the 0.1 s after which SQLite tries again.
ROWS = 4_000
BYTES = 16 << 20
PAUSE = 0.15
THINNED = ("snapshots", "chunks", "histograms", "statistics")  # the view `data` shows what is in the first of them
INCREMENTAL = 2  # PRAGMA auto_vacuum: free pages can be given back a few at a time


def remove_runs(path: Path | str, runs: Sequence[int], force: bool = False) -> int:
    """Delete the runs with these startIDs from the database `path`, and return how many bytes that gives back.

    Nothing is deleted, and RecordsError raised, when one of them is running. Where that cannot be known, because it ran
    on another machine or in another container, `force` says that it is not. Other runs may be trained meanwhile. After
    an interruption the runs are still listed, and deleting them again does the rest.
    Raises RecordsError as well when the database cannot be written, or is locked for longer than PATIENCE.
    """

    def delete(connection: sqlite3.Connection, check: Callable[[], None]) -> None:
        with transaction(connection):
            check()
            marked = [(RunStatus.INTERRUPTED, "its deletion was interrupted", run) for run in runs]
            connection.executemany("UPDATE runs SET state = ?, reason = ? WHERE startID = ?", marked)
        for table in _tables(connection):
            for run in runs:
                _delete(connection, table, run, check)

    return _freed(Path(path), runs, force, delete)


def remove_snapshots(path: Path | str, runs: Sequence[int], force: bool = False, keep_every: int = 0) -> int:
    """Delete the snapshots, histograms and statistics of the runs with these startIDs; return the bytes given back.

    Those of every `keep_every`-th step stay: steps that it divides; 0 keeps none. All else as for `remove_runs`.
    """

    def delete(connection: sqlite3.Connection, check: Callable[[], None]) -> None:
        for table in THINNED:
            for run in runs:
                _delete(connection, table, run, check, f"AND batchno % {keep_every} <> 0" if keep_every else "")

    return _freed(Path(path), runs, force, delete)


def _freed(
    path: Path, runs: Sequence[int], force: bool, delete: Callable[[sqlite3.Connection, Callable[[], None]], None]
) -> int:
    """Open the database, call `delete` with the connection and a check of `runs`, and return the bytes given back."""
    connection = open_for_writing(path)

    def check() -> None:
        for run in runs:
            _check_ended(connection, run, path, force)

    try:
        before = _pages(connection)
        delete(connection, check)
        _give_back(connection)
        return max(0, before - _pages(connection)) * page_bytes(connection)
    except sqlite3.Error as error:
        raise explain(path, error) from error
    finally:
        connection.close()


def _check_ended(connection: sqlite3.Connection, run: int, path: Path, force: bool) -> None:
    """Raise RecordsError where `run` is running, or may be without `force`."""
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


def _tables(connection: sqlite3.Connection) -> list[str]:
    """Return the tables with rows of single runs, `runs` last; a view has no rows of its own."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return sorted((t for t in COLUMNS if t in there and "startID" in COLUMNS[t]), key=lambda table: table == "runs")


def _delete(connection: sqlite3.Connection, table: str, run: int, check: Callable[[], None], which: str = "") -> None:
    """Delete the rows of `run` from `table` in slices, with a `check` before each; `which` may leave out some."""
    key = ", ".join(PRIMARY_KEYS[table])
    some = f"SELECT {key} FROM {table} WHERE startID = ? {which} LIMIT {ROWS}"  # noqa: S608
    sql = f"DELETE FROM {table} WHERE ({key}) IN ({some})"  # noqa: S608
    while True:
        with transaction(connection):
            check()
            deleted = connection.execute(sql, (run,)).rowcount
        if deleted < ROWS:
            return
        time.sleep(PAUSE)


def _give_back(connection: sqlite3.Connection) -> None:
    """Give free pages back to the disk, in slices: other writers would wait for a VACUUM, and give up.

    A database of a gradsum that could not delete runs was not made for this: its free pages are left to later runs.
    """
    (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
    slice_pages = BYTES // page_bytes(connection)
    while mode == INCREMENTAL:
        before = _pages(connection)
        # execute() would take one step of this statement, and with that free one page.
        connection.executescript(f"PRAGMA incremental_vacuum({slice_pages})")
        if before - _pages(connection) < slice_pages:
            break
        time.sleep(PAUSE)
    # The file shrinks here, unless a program is reading it: then at a later checkpoint. Only PASSIVE does not wait for
    # readers, and writers would have to wait with it.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _pages(connection: sqlite3.Connection) -> int:
    """Return the number of pages of the database."""
    return int(connection.execute("PRAGMA page_count").fetchone()[0])
