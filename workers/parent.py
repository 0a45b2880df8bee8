"""Ties a worker to the process that started it: when that one ends, even by kill -9, so does the worker."""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

STDIN = 0
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def hold() -> None:
    """Hold on to standard input, a pipe whose other end only the parent has.

    A frozen process cannot see that a pipe has closed, so the kernel is asked to wake it when the parent ends.
    """
    os.set_blocking(STDIN, False)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGCONT)


def broken() -> bool:
    """Tell whether the parent has ended."""
    try:
        return os.read(STDIN, 1) == b""
    except BlockingIOError:
        return False


def clear(address: str) -> None:
    """Remove the socket and its folder, which a parent that was killed could not remove itself.

    Nothing else is ever removed: the address may have been typed by hand.
    """
    socket = Path(address.removeprefix("ipc://"))
    if address.startswith("ipc:///") and socket.is_socket():
        with contextlib.suppress(OSError):  # another worker may be doing the same
            socket.unlink(missing_ok=True)
            socket.parent.rmdir()
