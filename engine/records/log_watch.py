"""Keeps the write-ahead log small, and finds out why it grows where that cannot be done.

SQLite starts the log again once all of it is in the database and nobody reads it. A program that leaves a transaction
open reads the log from the moment at which it began, and until it ends the log only grows.
"""

import logging
import os
import sqlite3
from pathlib import Path

from engine.records.database import WAL_LIMIT
from engine.system.file_locks import holders
from engine.system.processes import command_of

# A reader holds one of these bytes of the -shm file (sqlite.org/walformat.html, section 2.3.1).
READ_LOCKS = range(123, 128)
TOLD = 4 * WAL_LIMIT  # bytes of the log that are worth an event, and then four times as many each

_log = logging.getLogger("gradsum.records")


class LogWatch:
    """Looks at the log of the database `path` after each batch that was written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = TOLD

    def look(self, connection: sqlite3.Connection) -> str | None:
        """Cut the log if it is large; if that cannot be done, return why, once for every fourfold size."""
        size = self._size()
        if size <= WAL_LIMIT:
            self._told = TOLD
            return None
        [(patience,)] = connection.execute("PRAGMA busy_timeout").fetchall()
        connection.execute("PRAGMA busy_timeout = 0").fetchall()  # writers would wait for the reader
        [(busy, _, _)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {patience}").fetchall()
        if not busy or size < self._told:
            return None
        self._told = 4 * size
        text = f"the log of the database has grown to {size / 1e6:,.0f} MB, and cannot be cut while {self._who()}"
        _log.warning("database %s: %s", self._path, text)
        return text

    def _size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size  # noqa: PTH116
        except OSError:  # it is not there, or the disk is gone: who writes will notice
            return 0

    def _who(self) -> str:
        """Say which programs have a transaction open, as far as the system tells."""
        found = holders(Path(f"{self._path}-shm"), READ_LOCKS)
        if not found:
            return "another program has a transaction open that reads it"
        names = ", ".join(f"process {pid} ({command_of(pid) or 'unknown'})" for pid in found)
        return f"a transaction that reads it is open in {names}"
