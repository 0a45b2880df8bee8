"""What the kernel knows of a connection, and how it ends one; ZeroMQ, whose connections they are, tells neither."""

import ctypes
import fcntl
import functools
import socket
import struct
import sys
import termios
from dataclasses import dataclass
from typing import Any

SOCKADDR = 16  # bytes of struct sockaddr
BYTES_ACKED, BYTES_RECEIVED = 120, 128  # offsets of such fields in struct tcp_info, <linux/tcp.h>


@dataclass(frozen=True)
class Traffic:
    """Bytes of a connection: read from it, acknowledged by the other end, and still waiting to be."""

    received: int
    delivered: int
    waiting: int


def traffic(connection: socket.socket) -> Traffic | None:
    """Return what has moved by a TCP connection; None if the kernel does not say."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED + 8)
        waiting = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
        delivered = struct.unpack_from("=Q", info, BYTES_ACKED)[0]
    except (OSError, struct.error):  # it has ended, or the kernel is older than 4.1
        return None
    return Traffic(bytes_received(connection), int(delivered), int(struct.unpack("=i", waiting)[0]))


@functools.cache
def counted() -> bool:
    """Return whether the kernel says how many bytes have come, which one that emulates Linux, as gVisor, may not do."""
    if sys.platform != "linux":
        return False
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as one,
            server.accept()[0] as other,
        ):
            one.sendall(b"x")
            other.recv(1)
            return (seen := traffic(other)) is not None and seen.received == 1
    except OSError:
        return False


def bytes_received(connection: socket.socket) -> int:
    """Return how many bytes ZeroMQ has read from a connection; 0 where the kernel does not say."""
    if connection.family == socket.AF_UNIX or sys.platform != "linux":
        return 0
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_RECEIVED + 8)
        unread = fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4))
        return int(struct.unpack_from("=Q", info, BYTES_RECEIVED)[0] - struct.unpack("=i", unread)[0])
    except (OSError, struct.error):  # it has ended, or the kernel is older than 4.1
        return 0


def place_of(name: Any) -> int | str:
    """Return the port in the name of a socket, as Python gives it, or the path of a Unix socket."""
    return name if isinstance(name, str) else int(name[1])


def own_host(towards: str) -> str:
    """Return the address in numbers by which this machine reaches the host `towards`; OSError if it does not."""
    family, kind, protocol, _, name = socket.getaddrinfo(towards, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as asking:  # nothing is sent
        asking.connect(name)
        return str(asking.getsockname()[0])


def abort(connection: socket.socket) -> None:
    """End a connection at once; OSError if it has ended already.

    Shutting TCP down is not enough: a peer that never stops sending would still be read for ever. Linux aborts a TCP
    connection that is told to connect to nowhere, and forgets what was not read.
    """
    if connection.family == socket.AF_INET and sys.platform == "linux":
        nowhere = bytes(SOCKADDR)  # of the family AF_UNSPEC
        ctypes.CDLL(None).connect(connection.fileno(), nowhere, SOCKADDR)
    connection.shutdown(socket.SHUT_RDWR)
