"""A worker's end of a connection on one machine: a Unix socket of packets, without threads of its own."""

import logging
import select
import socket
from collections.abc import Sequence

from engine.errors import ProtocolError
from engine.wire import packets
from engine.wire.address import path_of_local
from engine.wire.messages import Frame
from engine.wire.sockets import milliseconds

logger = logging.getLogger("gradsum.wire")

RETRY = 0.02  # seconds until the next attempt to connect


class LocalDialer:
    """A worker's end: connects to the coordinator that listens at `address`, and again when the connection has ended.

    A message with more than `largest` bytes of payload ends the connection. It is made with the first `poll`: the
    other end is told which process made it.
    """

    unwelcome = ""  # nobody of this machine is turned away for good

    def __init__(self, address: str, largest: int) -> None:
        self.address = address
        self._path = path_of_local(address)
        self._largest = largest
        self._poll = select.poll()
        self._connection: socket.socket | None = None
        self._connected = False

    def watch(self, descriptor: int) -> None:
        """Let `poll` return also when the file `descriptor` can be read."""
        self._poll.register(descriptor, select.POLLIN)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`, when there is room for them; they are dropped if there is no connection."""
        while self._connection is not None:
            try:
                packets.send(self._connection, frames)
            except BlockingIOError:  # only a worker waits for the coordinator, never the reverse
                select.select([], [self._connection], [])
            except ConnectionError:  # which the next `poll` finds
                return
            else:
                return

    def connected(self) -> bool:
        """Return whether there is a new connection since the last call; the first one counts."""
        connected, self._connected = self._connected, False
        return connected

    def arriving(self) -> bool:
        """Return False: on one machine a message comes at once."""
        return False

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Wait at most `timeout` seconds for a message; None if none has come in."""
        if self._connection is None:
            if not self._connect():
                self._poll.poll(milliseconds(min(timeout, RETRY)))
            return None
        ready = self._poll.poll(milliseconds(timeout))
        if not any(descriptor == self._connection.fileno() for descriptor, _ in ready):
            return None
        try:
            frames = packets.receive(self._connection, self._largest)
        except BlockingIOError:
            return None
        except ProtocolError as error:
            logger.warning("%s: %s", self.address, error)
            frames = None
        if frames is None:
            self.close()
        return frames

    def _connect(self) -> bool:
        """Try to connect, and return whether there is a connection now."""
        connection = packets.packet_socket()
        try:
            connection.connect(self._path)
        except OSError:  # nobody listens there, or too many want to connect at once
            connection.close()
            return False
        self._connection, self._connected = connection, True
        self._poll.register(connection, select.POLLIN)
        logger.info("connected to %s", self.address)
        return True

    def close(self) -> None:
        """Close the connection; what was sent is still received."""
        if self._connection is not None:
            self._poll.unregister(self._connection)
            self._connection.close()
            self._connection = None
