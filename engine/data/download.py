"""A data set that arrives in pieces, from where an earlier download of it ended."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from pathlib import Path
from typing import Self

from engine.data import cache, cache_limit
from engine.errors import DataError
from engine.system.files import move_into_place


class Download:
    """The file of the data set `digest` on its way into the cache; `offset` bytes of it are there.

    One process at a time downloads a data set; others wait until it is there, or until it is their turn. Without
    locks each downloads it for itself, from the beginning.
    """

    def __init__(self, digest: str, folder: Path | None = None) -> None:
        """Continue after the bytes that are there.

        Raises DataError if the cache cannot be written, BlockingIOError if another process is downloading it.
        """
        self._digest = digest
        self.path = cache.path_of(digest, folder)
        self._part = self.path.with_name(f"{cache.PART}{digest}")
        self._open()
        if not self._lock():
            self._file.close()
            self._part = self._part.with_name(f"{self._part.name}-{secrets.token_hex(4)}")
            self._open()
        # Without its last byte there is always something to ask for, even after a kill at the very end.
        self.offset = max(0, self._file.tell() - 1)
        self._file.truncate(self.offset)

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._part.open("ab")
        except OSError as error:
            raise cache.unwritable(self._part, error) from error

    def _lock(self) -> bool:
        """Return whether this file is ours alone, until the process ends, however it ends; False without locks."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (self._part.exists() and os.path.samestat(self._part.stat(), os.fstat(self._file.fileno()))):
                raise BlockingIOError("it was finished, or given up, just before the lock was free")
        except BlockingIOError:
            self._file.close()
            raise
        except OSError:  # some network file systems have no locks
            return False
        return True

    def put(self, piece: bytes | memoryview, total: int) -> bool:
        """Add the piece that begins at `offset`, of a file of `total` bytes; True if that was the last one.

        Raises DataError, and forgets what came, if the whole has another digest than expected; DataError as well if
        there is no room.
        """
        if self.offset + len(piece) > total:
            self._forget()
            raise DataError(f"{self.offset + len(piece)} bytes of data came, where {total} were announced")
        try:
            if self.offset == 0:
                cache_limit.make(self.path.parent, total)
            self._file.write(piece)
        except OSError as error:
            raise cache.unwritable(self._part, error) from error
        self.offset += len(piece)
        if self.offset < total:
            return False
        self._finish()
        return True

    def _finish(self) -> None:
        """Check the whole, and give it its name."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            with self._part.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != self._digest:
                self._forget()
                raise DataError(
                    f"the data that came has the digest {found}, not {self._digest}; it will be downloaded again"
                )
            move_into_place(self._part, self.path)
        except OSError as error:
            raise cache.unwritable(self._part, error) from error

    def _forget(self) -> None:
        self._part.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the file: another process may continue."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
