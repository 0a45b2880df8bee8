"""One address of a listener for processes of this machine: a Unix socket of packets, without threads of its own."""

import logging
import os
import select
import socket
import struct
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ProtocolError, WorkersError
from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import raise_descriptor_limit
from engine.wire import packets
from engine.wire.address import path_of_local
from engine.wire.connection_limits import PARTING, UNASKED
from engine.wire.endpoint import Received
from engine.wire.messages import Frame
from engine.wire.strangers import STRANGERS

logger = logging.getLogger("gradsum.wire")

AGAIN = 1.0  # seconds until others are admitted, after one could not be
MESSAGES_PER_POLL = 256  # one of each connection, so that none keeps the coordinator from the others
CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group
NUMBER = struct.Struct("<Q")


@dataclass(slots=True)
class LocalConnection:
    """A connection of process `pid`; `heard`: whether it has said anything."""

    socket: socket.socket
    peer: bytes
    pid: int
    heard: bool = False
    unasked: int = 0  # unrequested messages, less the answers that counted
    leave_by: float | None = None  # when it is ended, because its peer was told to leave


class LocalSocket:
    """A listening socket in a folder that only this user may open, with its connections.

    `mark`: a byte before the identity of each peer. `largest`: bytes of payload in the largest message. The kernel
    tells which process is at the other end, whose user must be among `users`, and at once when it has ended.
    WorkersError if the address cannot be bound.
    """

    local = True

    def __init__(
        self,
        mark: bytes,
        address: str,
        largest: int,
        clock: Clock = MONOTONIC,
        users: Collection[int] = (0, os.getuid()),
    ) -> None:
        raise_descriptor_limit()
        self._users = users
        self.address = address
        self.lost = False  # whether a connection of a known peer has ended; set back by the listener
        self._mark = mark
        self._path = path_of_local(address)
        self._largest = largest
        self._clock = clock
        self._made = 0  # connections
        self._deaf_until: float | None = None  # when nobody can be admitted: until then nobody is
        self._connections: dict[int, LocalConnection] = {}  # by descriptor
        self._peers: dict[bytes, LocalConnection] = {}
        self._leaving: dict[bytes, LocalConnection] = {}
        self._listening = packets.packet_socket()
        try:
            self._listening.bind(self._path)
            self._listening.listen(STRANGERS)
        except OSError as error:
            self._listening.close()
            raise WorkersError(f"cannot listen at {address}: {error.strerror or error}") from None
        self._epoll = select.epoll()
        self._epoll.register(self._listening, select.EPOLLIN)

    @property
    def descriptor(self) -> int:
        """The descriptor that can be read when something has happened."""
        return self._epoll.fileno()

    def receive(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds, and return what has come in: of each connection at most one message."""
        received: list[Received] = []
        for descriptor, _ in self._epoll.poll(max(0.0, timeout), MESSAGES_PER_POLL):
            connection = self._connections.get(descriptor)
            if connection is None:
                self._accept()
            elif frames := self._take(connection):
                received.append(Received(connection.peer, frames))
        return received

    def _accept(self) -> None:
        try:
            accepted, _ = self._listening.accept()
        except BlockingIOError:  # it has ended already
            return
        except OSError as error:  # too many files are open, for example
            logger.warning("a process of this machine cannot be admitted: %s; tried again in %g s", error, AGAIN)
            self._epoll.unregister(self._listening)
            self._deaf_until = self._clock.now() + AGAIN
            return
        accepted.setblocking(False)
        pid, user, _ = CREDENTIALS.unpack(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size))
        if user not in self._users:
            logger.warning("process %d of user %d is not admitted", pid, user)
            accepted.close()
            return
        self._made += 1
        connection = LocalConnection(accepted, self._mark + NUMBER.pack(self._made), pid)
        self._connections[accepted.fileno()] = self._peers[connection.peer] = connection
        self._epoll.register(accepted, select.EPOLLIN)

    def _take(self, connection: LocalConnection) -> Sequence[Frame] | None:
        """Return the next message of a connection; None if there is none, or it has ended."""
        try:
            frames = packets.receive(connection.socket, self._largest)
        except BlockingIOError:
            return None
        except ProtocolError as error:
            logger.info("the connection of process %d is ended: %s", connection.pid, error)
            frames = None
        if frames is None or connection.leave_by is not None:
            self._end(connection)
            return None
        connection.heard = True
        return frames

    def _end(self, connection: LocalConnection) -> None:
        self._epoll.unregister(connection.socket)
        del self._connections[connection.socket.fileno()], self._peers[connection.peer]
        self._leaving.pop(connection.peer, None)
        connection.socket.close()
        self.lost = self.lost or connection.heard

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send `frames` to `peer`; False if it is gone, or has not taken what it was sent before."""
        connection = self._peers.get(peer)
        if connection is None:
            return False
        try:
            packets.send(connection.socket, frames)
        except (BlockingIOError, ConnectionError):
            return False
        except OSError as error:  # no room for a payload: too many files are open, or memory is short
            logger.warning("process %d cannot be sent a message: %s", connection.pid, error)
            return False
        return True

    def key(self, peer: bytes) -> str:  # noqa: ARG002
        """Return "": peers of this machine have no key."""
        return ""

    def trust(self, peer: bytes) -> None:
        """Note that an answer of `peer` counted."""
        if connection := self._peers.get(peer):
            connection.unasked = max(0, connection.unasked - 1)

    def floods(self, peer: bytes) -> bool:
        """Note an unrequested message of `peer`; return whether these are too many."""
        connection = self._peers.get(peer)
        if connection is None:
            return False
        connection.unasked += 1
        return connection.unasked > UNASKED

    def refuse(self, peer: bytes, forever: bool) -> None:  # noqa: ARG002
        """End the connection of `peer`, which was told to leave, after a moment or when it says anything more."""
        connection = self._peers.get(peer)
        if connection and connection.leave_by is None:
            connection.leave_by = self._clock.now() + PARTING
            self._leaving[peer] = connection

    def check_limits(self) -> None:
        """End the connections of those that were told to leave, and have not in time; admit others again."""
        if self._deaf_until is not None and self._clock.now() >= self._deaf_until:
            self._deaf_until = None
            self._epoll.register(self._listening, select.EPOLLIN)
        for connection in list(self._leaving.values()):
            if connection.leave_by is not None and self._clock.now() > connection.leave_by:
                self._end(connection)

    def close(self) -> None:
        """Close the socket, with all connections; what was sent is still received."""
        for connection in list(self._connections.values()):
            self._end(connection)
        self._epoll.close()
        self._listening.close()
        Path(self._path).unlink(missing_ok=True)
