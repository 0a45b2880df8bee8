"""A folder that one process at a time works in: a lock that the kernel takes back however the process ends."""

import errno
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.system.files import make_folder

# What file systems say that have no such locks, or (NFS) only for what is open for writing, as a folder never is.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF)

_log = logging.getLogger("gradsum.system")


class FolderLock:
    """While entered, `folder`, made if missing, is this process's; BlockingIOError if it is another's.

    Only processes that ask are kept out. `held` is False where the file system has no locks: then none are. A
    folder that was made and is empty at the end is removed. OSError if the folder cannot be made or opened.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        self._made: list[Path] = []
        self.held = False

    def __enter__(self) -> Self:
        while self._descriptor < 0:
            self._made = make_folder(self._folder) or self._made
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self.held = _lock(descriptor)
                same = _is_at(descriptor, self._folder)  # another process may have just removed it
            except BaseException:
                os.close(descriptor)
                raise
            if same:
                self._descriptor = descriptor
            else:
                os.close(descriptor)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if _is_at(self._descriptor, self._folder):
            with suppress(OSError):  # one is not empty
                for folder in self._made:
                    folder.rmdir()
        os.close(self._descriptor)
        self._descriptor, self.held = -1, False


def _lock(descriptor: int) -> bool:
    """Lock an open folder; return False where the file system cannot."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _log.warning("a folder on a file system without locks is not locked: %s", error.strerror)
        return False
    return True


def _is_at(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except OSError:
        return False
