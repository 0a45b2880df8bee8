"""How a worker is started: the command line and environment that a remote machine would use, too."""

import os
import sys
from pathlib import Path

from engine.system import logs, places
from engine.system.blas import ONE_THREAD

START = Path(__file__).resolve().parents[2] / "workers" / "__main__.py"


def worker_command(*arguments: str) -> list[str]:
    """Return the command line of a worker.

    It names a file, for `-m workers` would start any package of that name on PYTHONPATH. -P keeps the folder of that
    file off sys.path, where its modules would stand in for others.
    """
    return [sys.executable, "-P", str(START), *arguments]


def worker_environment() -> dict[str, str]:
    """Return this process's environment with one BLAS thread, and with the cache that this process uses."""
    return os.environ | ONE_THREAD | {places.VARIABLE: str(places.cache_folder())}


def local_environment() -> dict[str, str]:
    """Return the same for a worker whose standard error is kept in a file, to be quoted when it fails: it logs nothing.

    The file would grow for as long as the run lasts, and the log be quoted as an error.
    """
    environment = worker_environment()
    environment.pop(logs.VARIABLE, None)
    return environment
