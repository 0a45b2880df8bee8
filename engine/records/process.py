"""Which process writes a run, and what else is known of it."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from typing import TypedDict

from engine.system.cores import usable_cores
from engine.system.processes import identity


class Process(TypedDict):
    """The columns of `runs` on the process that writes it; `Run` says what each means."""

    host: str
    pid: int
    process: str | None
    cores: int
    git_commit: str | None
    command: str


def facts() -> Process:
    """Return what is known of this process."""
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "process": identity(os.getpid()) or None,
        "cores": usable_cores(),
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
