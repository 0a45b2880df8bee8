"""Ties a worker to the process that started it: when that one ends, even by kill -9, so does the worker."""

import contextlib
import os
import signal
from pathlib import Path

from engine.launch.rendezvous import LOCKED
from engine.system.processes import signal_when_parent_ends
from engine.wire.address import is_local, path_of_local

STDIN = 0


class Parent:
    """The process at the other end of `descriptor`, a pipe that nobody else holds open.

    `socket`: the address at which it listens, if it is the coordinator; `clear` removes what it left there.
    """

    def __init__(self, socket: str | None = None, descriptor: int = STDIN) -> None:
        self.descriptor = descriptor
        self._socket = socket

    def hold(self) -> None:
        """Prepare to notice its end.

        A frozen process cannot see that a pipe has closed, so the kernel is asked to wake it when the parent ends.
        """
        os.set_blocking(self.descriptor, False)
        signal_when_parent_ends(signal.SIGCONT)

    def ended(self) -> bool:
        """Return whether the parent has ended."""
        try:
            return os.read(self.descriptor, 4096) == b""  # what it says is not for us
        except BlockingIOError:
            return False

    def clear(self) -> None:
        """Remove the socket and its folder, which a parent that was killed could not remove itself.

        Nothing else is ever removed: the address may have been typed by hand. Without a socket, as it listened not yet,
        only a folder that has the name of a run's.
        """
        if self._socket is None or not is_local(self._socket):
            return
        path = Path(path_of_local(self._socket))
        left = path.is_socket() or (not path.exists() and LOCKED.fullmatch(path.parent.name))
        if path.is_absolute() and left:
            with contextlib.suppress(OSError):  # another worker may be doing the same
                path.unlink(missing_ok=True)
                path.parent.rmdir()
