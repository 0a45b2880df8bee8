"""What can be known of other processes on this machine."""

import os
import platform
from pathlib import Path

_STATE, _START = 0, 19  # places in /proc/PID/stat, counted after the command name


def exists(pid: int) -> bool:
    """Return whether some process has the number `pid`."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it exists, and is another person's
        pass
    return True


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def identity(pid: int) -> str | None:
    """Return "boot namespace start" of the process `pid`; "" if there is none, None where the system does not tell."""
    proc = Path("/proc")
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (proc / "self/ns/pid").readlink()
    except OSError:
        return None
    try:
        # The command name is in parentheses and may hold anything, a closing parenthesis too.
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    # A zombie has ended; it only waits for its parent to ask.
    return "" if fields[_STATE] == b"Z" else f"{boot} {namespace} {int(fields[_START])}"


def alive(host: str | None, pid: int | None, process: str | None) -> bool | None:
    """Return whether the process recorded as (`host`, `pid`, `process`) still runs; None if that cannot be known.

    It cannot be known of another machine and of another PID namespace (a container).
    """
    if pid is None or pid <= 0:
        return None
    now, mine = identity(pid), identity(os.getpid())
    if not process or now is None or mine is None:
        return exists(pid) if host == platform.node() else None
    boot, namespace = process.partition(" ")[0], process.rpartition(" ")[0]
    if boot == mine.partition(" ")[0]:
        return now == process if namespace == mine.rpartition(" ")[0] else None
    # The machine of that name was started again since; another machine may still be running it.
    return False if host == platform.node() else None
