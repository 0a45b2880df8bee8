"""How a worker is started: the command line and environment that a remote machine would use, too."""

import os
import sys

from engine.system.blas import ONE_THREAD


def worker_command(*arguments: str) -> list[str]:
    """Return the command line of a worker. -P: nothing in the current folder can stand in for a package."""
    return [sys.executable, "-P", "-m", "workers", *arguments]


def worker_environment() -> dict[str, str]:
    """Return this process's environment with one BLAS thread."""
    return os.environ | ONE_THREAD
