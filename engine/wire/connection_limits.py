"""Limits on the connections of a listening socket, which ZeroMQ itself does not set.

ZeroMQ accepts as many connections as there are file descriptors, and keeps a message of any number of frames in memory
until its last one has come. Nor can it end a single connection. What it does tell is the file descriptor of each
connection; with that, the kernel knows how many bytes have come in, and can end it.
"""

import contextlib
import logging
import socket
from collections import Counter
from dataclasses import dataclass

from engine.system.clock import MONOTONIC, Clock
from engine.system.descriptors import descriptor_limit, raise_descriptor_limit
from engine.wire.address import network_of
from engine.wire.strangers import Strangers
from engine.wire.tcp import abort, bytes_received, place_of

logger = logging.getLogger("gradsum.wire")

SILENCE = 10.0  # seconds without a byte, heartbeats included, after which a TCP peer counts as gone
HANDSHAKE = 10.0  # seconds that a new connection has until its first message
STRANGER_BYTES = 1 << 16  # bytes from a stranger: handshake and first message take less than 4 KiB
CONNECTIONS = 8192
AT_ONE_ADDRESS = 1024
QUEUED_MESSAGES = 4  # whole messages of a connection that may wait to be taken; the rest waits at the sender
READ_AHEAD = 1 << 16  # bytes that ZeroMQ may have read beyond these messages
UNASKED = 64  # unrequested messages, less the answers that counted; one more is a flood
PARTING = 1.0  # seconds that a peer has to leave when it was told to
CHECK_EVERY = 0.1  # seconds between checks of how much has come in


@dataclass(slots=True)
class Connection:
    """What is known of a connection. Its peer is None until the first message; `key`: in hex, "" if it has none."""

    socket: socket.socket  # borrowed from ZeroMQ: never closed here
    address: str  # as `network_of` gives it; "" on this machine
    since: float
    peer: bytes | None = None
    key: str = ""
    proved: bool = False  # whether an answer of its peer counted
    unasked: int = 0  # unrequested messages, less the answers that counted
    leave_by: float | None = None  # when it is ended, because its peer was told to leave
    heard: bool = False  # whether a message was taken since the last check
    told: bool = False  # whether something was sent since a message was taken
    received: int = 0  # bytes at the last check that found a message taken
    seen: int = 0  # bytes at the last check
    moved: float = 0.0  # when a check last found more bytes than the one before
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
        self._connections: dict[int, Connection] = {}  # by descriptor, oldest first
        self._at: Counter[str] = Counter()  # connections by address
        self._descriptors: dict[bytes, int] = {}  # by peer
        self._checked = clock.now()
        raise_descriptor_limit()
        self._strangers = Strangers(descriptor_limit() // 4)

    def opened(self, descriptor: int) -> None:
        """Note a new connection; if there are too many, end one."""
        try:
            borrowed = socket.socket(self._family, socket.SOCK_STREAM, 0, fileno=descriptor)
        except OSError:  # it has ended already, which we shall be told
            return
        address = ""
        with contextlib.suppress(OSError):  # so has this one
            if self._family == socket.AF_INET:
                name = borrowed.getpeername()
                if not isinstance(name, tuple):  # it has ended, and the number is that of a local socket by now
                    borrowed.detach()
                    return
                address = network_of(name[0])
        self._connections[descriptor] = Connection(borrowed, address, self._clock.now())
        self._at[address] += 1
        self._strangers.add(descriptor, address)
        if len(self._connections) > min(CONNECTIONS, descriptor_limit() // 2):
            self._end(self._oldest_unproved(None), "there are too many connections")
        elif address and self._at[address] > AT_ONE_ADDRESS:
            self._end(self._oldest_unproved(address), "there are too many connections of its address")
        elif (excess := self._strangers.one_too_many(address)) is not None:
            self._end(excess, "too many connections have not sent a message yet")

    def _oldest_unproved(self, address: str | None) -> int:
        """Return a connection that is to make room, of any address if that is None: the new one is among them."""
        return next(
            descriptor
            for descriptor, one in self._connections.items()
            if not one.proved and not one.ended and address in (None, one.address)
        )

    def closed(self, descriptor: int) -> bool:
        """Note that a connection has ended; return whether its peer had sent a message."""
        self._strangers.discard(descriptor)
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return False
        self._at[connection.address] -= 1
        if not self._at[connection.address]:
            del self._at[connection.address]
        connection.socket.detach()
        return connection.peer is not None and self._descriptors.pop(connection.peer, None) is not None

    def of(self, peer: bytes) -> Connection | None:
        """Return the connection of `peer`, if it is known."""
        descriptor = self._descriptors.get(peer)
        return None if descriptor is None else self._connections[descriptor]

    def introduce(self, peer: bytes, descriptor: int, key: str) -> Connection | None:
        """Note who is at the other end of a connection and return it; None if it has ended meanwhile."""
        self._strangers.discard(descriptor)
        if connection := self._connections.get(descriptor):
            if connection.peer is not None:
                self._descriptors.pop(connection.peer, None)
            connection.peer, connection.key = peer, key
            self._descriptors[peer] = descriptor
        return connection

    def told(self) -> bool:
        """Return whether a connection is left whose peer has said nothing since it was sent something."""
        return any(connection.told and not connection.ended for connection in self._connections.values())

    def dismiss(self, peer: bytes) -> None:
        """End the connection of `peer`, which was told to leave, after a moment or when it says anything more."""
        if (connection := self.of(peer)) and connection.leave_by is None:
            connection.leave_by = self._clock.now() + PARTING

    def end(self, peer: bytes, reason: str) -> None:
        """End the connection of `peer` at once."""
        descriptor = self._descriptors.get(peer)
        if descriptor is not None and not self._connections[descriptor].ended:
            self._end(descriptor, reason)

    def check(self) -> None:
        """End connections that are silent or have sent too much, if the last check was a while ago."""
        now = self._clock.now()
        if now - self._checked < CHECK_EVERY:
            return
        self._checked = now
        for descriptor, connection in self._connections.items():
            if not connection.ended and (reason := self._excess(connection, now)):
                self._end(descriptor, reason)

    def _excess(self, connection: Connection, now: float) -> str | None:
        """Return which limit a connection exceeds, if any; `received` and `moved` are brought up to date."""
        if connection.leave_by is not None and now > connection.leave_by:
            return "it was told to leave"
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

    def hang_up(self) -> None:
        """End all connections."""
        for descriptor, connection in self._connections.items():
            if not connection.ended:
                self._end(descriptor, "the socket is closed")

    def close(self) -> None:
        """Let go of all connections; ZeroMQ closes them."""
        for descriptor in list(self._connections):
            self.closed(descriptor)

    def _end(self, descriptor: int, reason: str) -> None:
        """End a connection, upon which ZeroMQ closes it.

        ZeroMQ may have closed it already, and another file may have the number by now: only a connection of our own
        socket is ended. Should it be a wrong one, its worker connects again.
        """
        self._strangers.discard(descriptor)
        connection = self._connections[descriptor]
        connection.ended = True
        logger.info("connection %d of %s is ended: %s", descriptor, self._place, reason)
        with contextlib.suppress(OSError):
            if place_of(connection.socket.getsockname()) == self._place:
                abort(connection.socket)
