"""Whether this process may be forked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

THREADS = Path("/proc/self/task")
_own: list[bool] = []  # an entry for each `own_process` that is entered


@contextmanager
def own_process(own: bool = True) -> Iterator[None]:
    """Let it be known within the block that this process is the program's own, if it is `own`.

    Others, which import gradsum, may have threads, files and gigabytes that a fork would have as well.
    """
    _own.append(own)
    try:
        yield
    finally:
        _own.pop()


def is_own() -> bool:
    """Return whether this process is the program's own."""
    return any(_own)


def may_fork() -> bool:
    """Return whether a process forked from this one can be its worker: this one is our own, and has a single thread."""
    return is_own() and has_descriptors_of_processes() and threads() == 1


def threads() -> int:
    """Return how many threads this process has; Linux only."""
    return len(list(THREADS.iterdir()))


def has_descriptors_of_processes() -> bool:
    """Return whether a process can be held by a descriptor: on Linux, from kernel 5.3 on."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True
