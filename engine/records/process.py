"""Which process writes a run: told apart from a later one with the same pid, and what else is known of it."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.processes import exists

_STATE, _START = 0, 19  # places in /proc/PID/stat, counted after the command name


def facts() -> dict[str, Any]:
    """Return what is known of this process, by column of `runs`."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "process": identity(os.getpid()) or None,
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "git_commit": _git_commit(),
        "command": shlex.join(sys.argv),
    }


def _git_commit() -> str | None:
    """Return the commit of the repository in the current folder; None without git, a repository or a commit."""
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "rev-parse", "--verify", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode("ascii", "replace").strip() if answer.returncode == 0 else None


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
