"""What happens to the disk and the database of a run, and is over again."""

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path

PATIENCE = 10.0  # seconds in which a writer lets go of a database


class DatabaseLock:
    """Another program that writes into `db`, and takes its time. It can be held several times at once."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self._held = 0

    def hold(self) -> None:
        """Take the lock that writers need; readers need none."""
        self._held += 1
        if self._held > 1:
            return
        self._connection = sqlite3.connect(self._db, timeout=PATIENCE, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        """Let others write again, if this was the last that held it."""
        self._held -= 1
        if self._held:
            return
        self._connection.rollback()
        self._connection.close()


class Filler:
    """A file on the disk of `folder` that takes all that is free."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        """Take the room."""
        descriptor, self._file = tempfile.mkstemp(prefix="filler-", dir=self._folder)
        size = 0
        for piece in (1 << 24, 1 << 12):
            with contextlib.suppress(OSError):  # there is no room for another piece
                while True:
                    os.posix_fallocate(descriptor, size, piece)
                    size += piece
        os.close(descriptor)

    def clear(self) -> None:
        """Give it back."""
        Path(self._file).unlink()
