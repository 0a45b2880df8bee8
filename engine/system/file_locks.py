"""Which processes have locked parts of a file, as far as the system tells."""

from collections.abc import Container
from pathlib import Path

LOCKS = Path("/proc/locks")


def holders(path: Path, places: Container[int]) -> list[int]:
    """Return the processes that have POSIX locks on `path` that begin at one of these bytes; [] where that is unknown.

    The file is not opened: to close it again would release the locks of this process. Source: Linux, proc_locks(5).
    """
    try:
        inode, lines = path.stat().st_ino, LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:  # the file is gone, or this is not Linux
        return []
    found = []
    for line in lines:  # "1: POSIX  ADVISORY  READ 1234 fe:00:5678 123 123"; "->" stands before one that waits
        fields = line.split()
        if len(fields) != 8 or fields[1] != "POSIX":
            continue
        pid, file, first = fields[4:7]
        if file.rpartition(":")[2] == str(inode) and int(first) in places and int(pid) > 0:
            found.append(int(pid))
    return sorted(set(found))
