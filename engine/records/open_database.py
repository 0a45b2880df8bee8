"""A database that a run writes to: opened, looked at whether it is still the same, closed without harm."""

import fcntl
import os
import sqlite3
import struct
from contextlib import suppress
from pathlib import Path

from engine.records.database import connect, open_for_writing, prepare
from engine.records.run_owner import RunOwner

SHARED_FIRST = 0x4000_0002  # the bytes of the file that SQLite locks: https://www.sqlite.org/src/file/src/os.h


class GoneError(Exception):
    """The database with the run's records is not at its path: it was deleted, moved or replaced."""


class OpenDatabase:
    """A connection to the database at `path`, in which a transaction waits `patience` seconds for another's.

    Raises as `open_for_writing`. With a `run` the file must be there and have it: GoneError, or what SQLite raises.
    """

    def __init__(self, path: Path, patience: float, run: RunOwner | None = None) -> None:
        self._path = path
        self.connection = open_for_writing(path) if run is None else _open_again(path, run)
        self.connection.execute(f"PRAGMA busy_timeout = {int(1000 * patience)}").fetchall()
        self._file = path.stat()

    def there(self) -> bool:
        """Return whether the file at the path is the one that was opened."""
        try:
            return os.path.samestat(self._path.stat(), self._file)
        except OSError:
            return False

    def close(self, untouched: bool = False) -> None:
        """Close the connection. `untouched`: without bringing the log into the file, as the last one to close does.

        SQLite itself leaves the file and the log alone where the file is no longer at its path.
        """
        if untouched:
            self._keep_shared()
        self.connection.close()

    def _keep_shared(self) -> None:
        """Lock the file for reading until this process ends: SQLite must then think that others read it.

        It can neither be asked for that in Python before 3.12, nor is it disturbed by locks of its own process, unless
        they belong to an open file description.
        """
        for entry in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if os.path.samestat(entry.stat(), self._file):
                    # Never closed: that would drop the locks that SQLite has on this file in this process.
                    descriptor = os.open(entry, os.O_RDONLY)
                    lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, SHARED_FIRST, 1, 0)
                    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, lock)
                    return


def _open_again(path: Path, run: RunOwner) -> sqlite3.Connection:
    """Return a connection to a database that is there and has the run; it is never made again."""
    if not path.exists():
        raise GoneError
    connection = connect(path, "rw", timeout=1.0)
    try:
        if not run.is_in(connection):
            raise GoneError
        prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
