"""Ties this process to the one that holds the other end of its standard input: `gradsum worker --tied`."""

import os
import signal
from threading import Thread

STANDARD_INPUT = 0  # its descriptor
PIECE = 4096  # bytes that are read, and dropped, at a time


def end_with_standard_input() -> None:
    """Send this process SIGTERM when its standard input, a pipe, ends."""
    Thread(target=_wait, name="end with standard input", daemon=True).start()


def _wait() -> None:
    while os.read(STANDARD_INPUT, PIECE):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
