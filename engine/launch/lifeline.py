"""Ties this process to whoever holds the other end of its standard input: `gradsum worker --tied`."""

import os
import signal
from threading import Thread

PIECE = 4096  # bytes that are read, and dropped, at a time


def end_with_standard_input(descriptor: int = 0) -> Thread:
    """Send this process SIGTERM when `descriptor`, a pipe, ends; return the thread that waits for it."""
    thread = Thread(target=_wait, args=(descriptor,), name="end with standard input", daemon=True)
    thread.start()
    return thread


def _wait(descriptor: int) -> None:
    while os.read(descriptor, PIECE):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
