"""Limits on the connections of a listening socket, which ZeroMQ itself does not set.

ZeroMQ accepts as many connections as there are file descriptors, and a message of any number of frames is kept in
memory until its last one has come. Nor can it end a single connection. What it does tell is the file descriptor of
each connection; with that, the kernel knows how many bytes have come in, and can end it.
"""

import contextlib
import ctypes
import fcntl
import resource
import socket
import struct
import sys
import termios
import time
from dataclasses import dataclass

SILENCE = 10.0  # seconds without a byte, heartbeats included, after which a TCP peer counts as gone
HANDSHAKE = 10.0  # seconds that a new connection has until its first message
STRANGERS = 1024  # connections from which no message has come yet; the oldest has to go
STRANGERS_BYTES = 1 << 16  # bytes from such a one: handshake and first message take less than 4 KiB
CONNECTIONS = 8192
WAITING = 4  # whole messages of a connection that may wait to be taken; the rest waits at the sender
SLACK = 1 << 16  # bytes that ZeroMQ has read besides
BAD = 3  # bad messages of a connection that are answered; with the next it ends
LOOK = 0.1  # seconds between looks at how much has come
DESCRIPTORS = 1 << 16  # file descriptors to ask for
SOCKADDR = 16  # bytes of struct sockaddr
BYTES_RECEIVED = 128  # offset of tcpi_bytes_received in struct tcp_info, <linux/tcp.h>


@dataclass(slots=True)
class _Connection:
    """`received`: bytes when it was last seen that a message had come."""

    socket: socket.socket  # borrowed: never to be closed here
    since: float
    peer: bytes | None = None
    heard: bool = False
    received: int = 0
    seen: int = 0  # bytes at the last look, and when they were last more than before
    moved: float = 0.0
    bad: int = 0
    ended: bool = False  # by us; ZeroMQ has not told yet


class ConnectionLimits:
    """Keeps the connections of one listening socket within limits.

    `place` is the port, or the path of a Unix socket. At most `WAITING` messages of `largest` bytes should be waiting.
    """

    def __init__(self, place: int | str, largest: int) -> None:
        self._place = place
        self._family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
        self._most = (WAITING + 1) * largest + SLACK
        self._connections: dict[int, _Connection] = {}
        self._strangers: dict[int, None] = {}  # oldest first
        self._descriptors: dict[bytes, int] = {}  # of peers
        self._looked = time.monotonic()
        _raise_limit()

    def opened(self, descriptor: int) -> None:
        """Take note of a new connection; if there are too many, one has to go."""
        try:
            borrowed = socket.socket(self._family, socket.SOCK_STREAM, 0, fileno=descriptor)
        except OSError:  # it has ended already, of which we shall be told
            return
        self._connections[descriptor] = _Connection(borrowed, time.monotonic())
        self._strangers[descriptor] = None
        most = _limit()  # it may be lowered from outside
        if len(self._connections) > min(CONNECTIONS, most // 2):
            self._end(descriptor)
        elif len(self._strangers) > min(STRANGERS, most // 4):
            self._end(next(iter(self._strangers)))

    def closed(self, descriptor: int) -> bool:
        """Take note that a connection has ended; return whether it was that of a peer who has said something."""
        self._strangers.pop(descriptor, None)
        connection = self._connections.pop(descriptor, None)
        if connection is None:
            return False
        connection.socket.detach()
        return connection.peer is not None and self._descriptors.pop(connection.peer, None) is not None

    def knows(self, peer: bytes) -> bool:
        """Tell whether it is known which connection `peer` has; if so, take note that a message has come from it."""
        descriptor = self._descriptors.get(peer)
        if descriptor is None:
            return False
        self._connections[descriptor].heard = True
        return True

    def introduce(self, peer: bytes, descriptor: int) -> None:
        """Take note of who is at the other end of a connection, unless it has ended meanwhile."""
        self._strangers.pop(descriptor, None)
        if connection := self._connections.get(descriptor):
            if connection.peer is not None:
                self._descriptors.pop(connection.peer, None)
            connection.peer, connection.heard = peer, True
            self._descriptors[peer] = descriptor

    def blame(self, peer: bytes) -> None:
        """Take note of a bad message of `peer`; if there were too many, its connection ends."""
        descriptor = self._descriptors.get(peer)
        if descriptor is not None:
            self._connections[descriptor].bad += 1
            if self._connections[descriptor].bad > BAD:
                self._end(descriptor)

    def look(self) -> None:
        """End connections that have sent too much without a message that could be taken, if it is time to look."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        for descriptor, connection in self._connections.items():
            if connection.ended:
                continue
            received = _received(connection.socket)
            if connection.peer is None:
                if received > STRANGERS_BYTES or now - connection.since > HANDSHAKE:
                    self._end(descriptor)
                continue
            if received != connection.seen or not received:
                connection.seen, connection.moved = received, now
            if now - connection.moved > SILENCE:
                self._end(descriptor)
            elif connection.heard:
                connection.heard, connection.received = False, received
            elif received - connection.received > self._most:
                self._end(descriptor)

    def close(self) -> None:
        """Let go of all connections; ZeroMQ closes them."""
        for descriptor in list(self._connections):
            self.closed(descriptor)

    def _end(self, descriptor: int) -> None:
        """End a connection, upon which ZeroMQ closes it.

        It may have done so already, and another file may have the number by now: only a connection of our own is
        ended. Should it be a wrong one, its worker will connect again.
        """
        self._strangers.pop(descriptor, None)
        connection = self._connections[descriptor]
        connection.ended = True
        with contextlib.suppress(OSError):
            name = connection.socket.getsockname()
            if (name if isinstance(name, str) else name[1]) == self._place:
                _abort(connection.socket)


def _abort(connection: socket.socket) -> None:
    """Break a connection off.

    To shut TCP down would not do: what comes in is read all the same, for ever from one that sends for ever. Linux
    aborts a TCP connection that is told to connect to nowhere, and forgets what was not read.
    """
    if connection.family == socket.AF_INET and sys.platform == "linux":
        nowhere = bytes(SOCKADDR)  # of the family AF_UNSPEC
        ctypes.CDLL(None).connect(connection.fileno(), nowhere, SOCKADDR)
    connection.shutdown(socket.SHUT_RDWR)


def _received(connection: socket.socket) -> int:
    """Return how many bytes ZeroMQ has read; 0 where the kernel does not say."""
    if connection.family == socket.AF_UNIX or sys.platform != "linux":
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED + 8)
        unread = fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4))
        return int(struct.unpack_from("=Q", info, BYTES_RECEIVED)[0] - struct.unpack("=i", unread)[0])
    except (OSError, struct.error):  # it has ended, or the kernel is older than 4.1
        return 0


def _limit() -> int:
    """Return how many file descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def _raise_limit() -> None:
    """Let this process have as many file descriptors as it may, within reason."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if _limit() < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
