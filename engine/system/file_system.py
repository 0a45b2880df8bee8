"""What network file systems may lack: locks, and memory that processes share by mapping a file."""

import fcntl
import mmap
import os
import tempfile
from pathlib import Path

_KNOWN: dict[int, str] = {}  # by device


def lacking(folder: Path) -> str:
    """Return what the file system of `folder` lacks, with the system's word for it; "" if nothing, or nobody can tell.

    A file without a name is locked and mapped for that, once for each file system.
    """
    device = folder.stat().st_dev
    if device not in _KNOWN:
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                _KNOWN[device] = _refused(file.fileno())
        except OSError:
            return ""
    return _KNOWN[device]


def _refused(descriptor: int) -> str:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"locks ({error.strerror})"
    os.ftruncate(descriptor, mmap.PAGESIZE)  # where that fails, the disk is full or files may not grow
    try:
        mmap.mmap(descriptor, mmap.PAGESIZE).close()
    except OSError as error:
        return f"shared memory maps ({error.strerror})"
    return ""
