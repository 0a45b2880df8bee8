"""Opening a database, and what its errors mean for the person who named it."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import RecordsError
from engine.records.schema import APPLICATION_ID, VERSION
from engine.records.tables import bring_up_to_date
from engine.system.file_system import lacking

PATIENCE = 30.0  # seconds to wait for another process's transaction
# Bytes of a page in a new database. SQLite's usual 4,096 do not quite hold a chunk of a snapshot: it took pieces of two
# pages, and a third more CPU time to write. These hold seven, with little left over.
PAGE = 32_768
PATIENT = 1.0  # seconds of waiting that are not worth a warning
WAL_BYTES = 4 << 20  # the log is brought into the database when it has grown by so much, with pages of any size
WAL_LIMIT = (
    16 << 20
)  # bytes that the log is cut to when all of it is in the database: a reader may have kept it growing

_log = logging.getLogger("gradsum.records")

# By the start of SQLite's error name: what was wrong and what to do.
_ADVICE = {
    "SQLITE_NOTADB": "is not a SQLite database; name another file",
    "SQLITE_CORRUPT": "is damaged; move it away, or name another file",
    "SQLITE_READONLY": "cannot be written, nor can its folder; change the permissions or name another file",
    "SQLITE_PERM": "cannot be written; change the permissions or name another file",
    "SQLITE_CANTOPEN": "cannot be opened, or nothing can be written beside it; change the permissions of the folder",
    "SQLITE_FULL": "cannot grow: the disk is full; make room",
    "SQLITE_IOERR": "cannot be read or written; is the disk full or gone, or may files not grow (ulimit -f)?",
    "SQLITE_BUSY": f"was locked by another program for {PATIENCE:.0f} s; end its transaction",
}


def explain(path: Path, error: Exception) -> RecordsError:
    """Return the RecordsError that says what `error`, raised while using the database `path`, means."""
    name = getattr(error, "sqlite_errorname", None) or ""
    advice = next((text for start, text in _ADVICE.items() if name.startswith(start)), "cannot take what was written")
    return RecordsError(f"database {path} {advice} ({error})")


def check_path(path: Path) -> None:
    """Raise RecordsError where `path` cannot be a database file."""
    try:
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long, or in a folder that cannot be looked into
        raise RecordsError(f"database {path!s:.200} cannot be opened: {error.strerror}") from None
    if is_folder:
        raise RecordsError(f"database {path} is a folder; name a file in it, such as {path / 'gradsum.db'}")


def check_file_system(path: Path) -> None:
    """Raise RecordsError where SQLite could not keep several processes apart in `path`, whose folder is there."""
    if lack := lacking(path.parent):
        raise RecordsError(
            f"database {path} is on a file system without {lack}, as some network file systems are; "
            "name a file on a local disk with --db"
        )


def connect(path: Path, mode: str, timeout: float | None = None) -> sqlite3.Connection:
    """Open `path` with an SQLite URI `mode` ("rwc", "ro&immutable=1"...); transactions are opened by hand.

    A transaction waits `timeout` seconds for another program's, by default `PATIENCE`.
    """
    # A URI made from an absolute path keeps names such as ":memory:" and "a?b" plain file names.
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    wait = PATIENCE if timeout is None else timeout
    return sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the database `path`, made with its folder if missing, and bring its tables up to date.

    Raises RecordsError when it is a folder, cannot be written, is not a SQLite file, belongs to another program, or was
    made by a newer version.
    """
    check_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordsError(f"the folder of database {path} cannot be made: {error}") from None
    if path.exists() and not os.access(path, os.W_OK):
        # SQLite itself would open it for reading, and fail at the first row.
        raise RecordsError(f"database {path} cannot be written; change the permissions or name another file")
    check_file_system(path)  # SQLite takes what has no locks for locked, and waits
    connection = None
    try:
        connection = connect(path, "rwc")
        prepare(connection, path)
    except sqlite3.Error as error:
        if connection:
            connection.close()
        raise explain(path, error) from error
    except RecordsError:
        if connection:
            connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check, set up and, where needed, fill an open connection."""
    version = check_version(connection, path)
    # Only an empty database accepts these: the pages of deleted runs can then be given back a few at a time.
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    _use_wal(connection)
    connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_BYTES // page_bytes(connection)}").fetchall()
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}").fetchall()
    # FULL: what a commit wrote is still there after a power cut. It costs one fsync a batch of rows, in the writer.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")  # a full folder for temporary files would read as a full disk
    if version == VERSION:
        return
    with transaction(connection):
        # Another process may have made the tables meanwhile.
        if (version := check_version(connection, path)) < VERSION:
            bring_up_to_date(connection, version)
            if version:
                _log.info("database %s: tables brought from version %d to %d", path, version, VERSION)


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the tables, 0 for an empty database.

    Raises RecordsError for another program's database and for one that a newer version made.
    """
    # One SELECT, so that all three come from one moment while another process makes the tables.
    application, version, tables = connection.execute(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),"
        " (SELECT count(*) FROM sqlite_schema)"
    ).fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise RecordsError(f"database {path} belongs to another program; name another file")
    if version > VERSION:
        raise RecordsError(
            f"database {path} was made by a newer version of gradsum (its tables are version {version}, this one"
            f" knows {VERSION}); update gradsum or name another file"
        )
    return int(version)


def page_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of a page of an open database."""
    return int(connection.execute("PRAGMA page_size").fetchone()[0])


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, with which readers and a writer do not wait for each other."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite does not wait by itself here when another process switches at the same moment.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or none of it.

    IMMEDIATE takes the write lock at the start, where SQLite waits for other writers; taken later it would fail.
    """
    began = time.monotonic()
    connection.execute("BEGIN IMMEDIATE")
    if (waited := time.monotonic() - began) > PATIENT:
        [(file,)] = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'")
        _log.warning("database %s: another program's transaction held it for %.1f s", file, waited)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
