"""Which process writes a run: told apart from a later one with the same pid, and what else is known of it."""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from typing import Any

from engine.system.processes import identity


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
