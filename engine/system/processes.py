"""This machine and what can be known about the processes on it."""

import contextlib
import ctypes
import os
import platform
import signal
import sys
from pathlib import Path
from typing import Final

HOSTNAME_LIMIT: Final = 64  # characters of a host name in messages and records; Linux allows no longer ones
PLACE_LIMIT: Final = 40  # characters of what a launcher calls the place where a worker runs
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_STATE, _START = 0, 19  # fields of /proc/PID/stat, counted after the command name


def hostname() -> str:
    """Return the name of this machine as messages carry it."""
    return platform.node()[:HOSTNAME_LIMIT]


def exists(pid: int) -> bool:
    """Return whether a process has the number `pid`."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it belongs to another user
        pass
    return True


def identity(pid: int) -> str | None:
    """Return "boot namespace start" of the process `pid`; "" if it does not exist, None if the system cannot tell.

    Together they name one process: a number alone may be used again by another.
    """
    proc = Path("/proc")
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (proc / "self/ns/pid").readlink()
    except OSError:
        return None
    try:
        # The command name is in parentheses and may contain anything, even a closing parenthesis.
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    # A zombie has ended; it only waits for its parent to collect its exit code.
    return "" if fields[_STATE] == b"Z" else f"{boot} {namespace} {int(fields[_START])}"


def alive(host: str | None, pid: int | None, process: str | None) -> bool | None:
    """Return whether the process recorded as (`host`, `pid`, `process`) still runs; None if that cannot be known.

    It cannot be known of a process on another machine or in another PID namespace (a container).
    """
    if pid is None or pid <= 0:
        return None
    here = host is not None and host[:HOSTNAME_LIMIT] == hostname()
    now, mine = identity(pid), identity(os.getpid())
    if not process or now is None or mine is None:
        return exists(pid) if here else None
    boot, namespace = process.partition(" ")[0], process.rpartition(" ")[0]
    if boot == mine.partition(" ")[0]:
        return now == process if namespace == mine.rpartition(" ")[0] else None
    # Either this machine has restarted since, or the process runs on another machine of the same name.
    return False if here else None


def signal_when_parent_ends(number: signal.Signals) -> None:
    """Have the kernel send this process the signal `number` when its parent ends, even by kill -9; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def schedule_as_batch() -> None:
    """Let this process, when it is woken, not take the core of the one that wakes it, where the system can do that.

    A coordinator wakes one worker after the other: the first must not keep it from the second.
    """
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):  # a sandbox may forbid it
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def command_of(pid: int) -> str | None:
    """Return the name of the program that a process of this machine runs; None where it cannot be known."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
