"""Limits on the connections of a listening socket, which ZeroMQ itself does not set.

ZeroMQ accepts as many connections as there are file descriptors, and keeps a message of any number of frames in memory
until its last one has come. Nor can it end a single connection. What it does tell is the file descriptor of each
connection; with that, the kernel knows how many bytes have come in, and can end it.
"""

import contextlib
import logging
import socket
from dataclasses import dataclass

from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import descriptor_limit, raise_descriptor_limit
from engine.wire.tcp import abort, bytes_received

logger = logging.getLogger("gradsum.wire")

SILENCE = 10.0  # seconds without a byte, heartbeats included, after which a TCP peer counts as gone
HANDSHAKE = 10.0  # seconds that a new connection has until its first message
STRANGERS = 1024  # connections without a message so far; beyond that the oldest is ended
STRANGER_BYTES = 1 << 16  # bytes from such a one: handshake and first message take less than 4 KiB
CONNECTIONS = 8192
QUEUED_MESSAGES = 4  # whole messages of a connection that may wait to be taken; the rest waits at the sender
READ_AHEAD = 1 << 16  # bytes that ZeroMQ may have read beyond these messages
BAD_MESSAGES = 3  # bad messages of a connection that are answered; the next one ends it
CHECK_EVERY = 0.1  # seconds between checks of how much has come in


@dataclass(slots=True)
class _Connection:
    socket: socket.socket  # borrowed from ZeroMQ: never closed here
    since: float
    peer: bytes | None = None
    heard: bool = False  # whether a message was taken since the last check
    received: int = 0  # bytes at the last check that found a message taken
    seen: int = 0  # bytes at the last check
    moved: float = 0.0  # when a check last found more bytes than the one before
    bad: int = 0  # bad messages
    ended: bool = False  # by us; ZeroMQ has not told us yet


class ConnectionLimits:
    """Keeps the connections of one listening socket within limits.

    `place` is the port, or the path of a Unix socket. `largest`: bytes of the largest message.
    """

    def __init__(self, place: int | str, largest: int, clock: Clock = MONOTONIC) -> None:
        self._place = place
        self._family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self._untaken = (QUEUED_MESSAGES + 1) * largest + READ_AHEAD  # bytes that may come before a message is taken
        self._clock = clock
        self._connections: dict[int, _Connection] = {}  # by descriptor
        self._strangers: dict[int, None] = {}  # descriptors of connections without a message so far, oldest first
        self._descriptors: dict[bytes, int] = {}  # by peer
        self._checked = clock.now()
        raise_descriptor_limit()

    def opened(self, descriptor: int) -> None:
        """Note a new connection; if there are too many, end one."""
        try:
            borrowed = socket.socket(self._family, socket.SOCK_STREAM, 0, fileno=descriptor)
        except OSError:  # it has ended already, which we shall be told
            return
        self._connections[descriptor] = _Connection(borrowed, self._clock.now())
        self._strangers[descriptor] = None
        most = descriptor_limit()
        if len(self._connections) > min(CONNECTIONS, most // 2):
            self._end(descriptor, "there are too many connections")
        elif len(self._strangers) > min(STRANGERS, most // 4):
            self._end(next(iter(self._strangers)), "too many connections have not sent a message yet")

    def closed(self, descriptor: int) -> bool:
        """Note that a connection has ended; return whether its peer had sent a message."""
        self._strangers.pop(descriptor, None)
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return False
        connection.socket.detach()
        return connection.peer is not None and self._descriptors.pop(connection.peer, None) is not None

    def heard(self, peer: bytes) -> bool:
        """Note that a message from `peer` was taken; return False if it is not known which connection it has."""
        descriptor = self._descriptors.get(peer)
        if descriptor is None:
            return False
        self._connections[descriptor].heard = True
        return True

    def introduce(self, peer: bytes, descriptor: int) -> None:
        """Note who is at the other end of a connection, unless it has ended meanwhile."""
        self._strangers.pop(descriptor, None)
        if connection := self._connections.get(descriptor):
            if connection.peer is not None:
                self._descriptors.pop(connection.peer, None)
            connection.peer, connection.heard = peer, True
            self._descriptors[peer] = descriptor

    def blame(self, peer: bytes) -> None:
        """Note a bad message of `peer`; after too many its connection ends."""
        descriptor = self._descriptors.get(peer)
        if descriptor is not None:
            self._connections[descriptor].bad += 1
            if self._connections[descriptor].bad > BAD_MESSAGES:
                self._end(descriptor, "it sent too many bad messages")

    def check(self) -> None:
        """End connections that are silent or have sent too much, if the last check was a while ago."""
        now = self._clock.now()
        if now - self._checked < CHECK_EVERY:
            return
        self._checked = now
        for descriptor, connection in self._connections.items():
            if not connection.ended and (reason := self._excess(connection, now)):
                self._end(descriptor, reason)

    def _excess(self, connection: _Connection, now: float) -> str | None:
        """Return which limit a connection exceeds, if any; `received` and `moved` are brought up to date."""
        received = bytes_received(connection.socket)
        if connection.peer is None:
            if received > STRANGER_BYTES:
                return "it sent too much before its first message"
            return "it sent no message in time" if now - connection.since > HANDSHAKE else None
        if received != connection.seen or not received:
            connection.seen, connection.moved = received, now
        if now - connection.moved > SILENCE:
            return "it was silent for too long"
        if connection.heard:
            connection.heard, connection.received = False, received
            return None
        return "its message is too large" if received - connection.received > self._untaken else None

    def close(self) -> None:
        """Let go of all connections; ZeroMQ closes them."""
        for descriptor in list(self._connections):
            self.closed(descriptor)

    def _end(self, descriptor: int, reason: str) -> None:
        """End a connection, upon which ZeroMQ closes it.

        ZeroMQ may have closed it already, and another file may have the number by now: only a connection of our own
        socket is ended. Should it be a wrong one, its worker connects again.
        """
        self._strangers.pop(descriptor, None)
        connection = self._connections[descriptor]
        connection.ended = True
        logger.info("connection %d of %s is ended: %s", descriptor, self._place, reason)
        with contextlib.suppress(OSError):
            name = connection.socket.getsockname()
            if (name if isinstance(name, str) else name[1]) == self._place:
                abort(connection.socket)
