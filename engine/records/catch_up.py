"""Sets right what a run that ended without saying so left behind: its state, and rows beside its checkpoints."""

import logging
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from engine.errors import RecordsError
from engine.records import side_file
from engine.records.backlog import PIECE
from engine.records.batch import Row, insert
from engine.records.database import check_version, connect, transaction
from engine.records.read import KILLED, reading
from engine.records.rows import EventRow
from engine.records.runs import close_workers, update_run
from engine.records.schema import VERSION
from engine.records.status import RunStatus
from engine.system.processes import alive

WAIT = 0.2  # seconds that a command which only looks waits for another program's transaction

_log = logging.getLogger("gradsum.records")
_RUNNING = f"SELECT startID, uuid, folder, host, pid, process FROM runs WHERE state = '{RunStatus.RUNNING}'"  # noqa: S608


def look(path: Path | str) -> None:
    """Do what `catch_up` does in the database `path`, if it can be written now; otherwise it is left as it is."""
    path = Path(path)
    try:
        with reading(path) as connection:
            if check_version(connection, path) != VERSION or not _ended(connection):
                return
        with closing(connect(path, "rw", timeout=WAIT)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            with transaction(connection):
                folders = catch_up(connection)
        remove_files(folders)
    except (sqlite3.Error, RecordsError) as error:
        _log.debug("database %s is not brought up to date: %s", path, error)


def catch_up(connection: sqlite3.Connection) -> list[Path]:
    """Read in what waits beside the checkpoints of runs whose process is gone, and set them interrupted.

    To be called in a transaction; `remove_files` the folders that are returned once it is committed.
    """
    folders = []
    for number, uuid, folder in _ended(connection):
        if folder and read_in(connection, number, uuid, Path(folder)):
            folders.append(Path(folder))
        (state,) = connection.execute("SELECT state FROM runs WHERE startID = ?", (number,)).fetchone()
        if state == RunStatus.RUNNING:  # the rows that were read in did not say how it ended
            update_run(connection, number, {"state": RunStatus.INTERRUPTED, "reason": KILLED})
            close_workers(connection, number)
    return folders


def _ended(connection: sqlite3.Connection) -> list[tuple[int, str, str | None]]:
    """Return number, uuid and folder of the runs that are recorded as running while their process is gone."""
    rows = connection.execute(_RUNNING).fetchall()
    return [(row[0], row[1], row[2]) for row in rows if alive(*row[3:]) is False]


def read_in(connection: sqlite3.Connection, number: int, uuid: str, folder: Path) -> bool:
    """Insert the rows that wait in `folder` for run `number`, whose uuid is `uuid`; return whether there were any.

    Rows that cannot be read are an event. To be called in a transaction.
    """
    rows = side_file.read(folder, uuid)
    some = False
    try:
        while piece := list(islice(rows, PIECE)):
            insert(connection, [Row(row.table, (number, *row.values[1:])) for row in piece], again=True)
            some = True
    except (RecordsError, sqlite3.IntegrityError, sqlite3.ProgrammingError, OverflowError) as error:
        _log.error("%s", error)
        note(connection, number, "missing", str(error))
    return some


def note(connection: sqlite3.Connection, number: int, kind: str, text: str, step: int | None = None) -> None:
    """Insert an event of run `number`."""
    insert(connection, [Row("events", (number, *EventRow(kind, text, step, time=time.time())))])


def remove_files(folders: Iterable[Path]) -> None:
    """Remove the files whose rows have been read in; read in again, they would change nothing."""
    for folder in folders:
        with suppress(OSError):
            side_file.remove(folder)
