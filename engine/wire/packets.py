"""Messages as packets of a Unix socket of the kind SEQPACKET: reliable, in order, and each is received as it was sent.

A packet is a byte that tells where the payload is, the length of the header in two bytes, and the header; behind it
comes the payload, unless that is large: then it is in a file in memory, whose descriptor comes with the packet. So a
message of any size takes one call, and the queue of a socket, which the kernel limits to some 200 KB, holds many.
"""

import array
import os
import socket
import stat
import struct
import sys
from collections.abc import Sequence

from engine.errors import ProtocolError
from engine.wire.messages import HEADER_LIMIT, Frame

HEAD = struct.Struct("<BH")
NO_PAYLOAD, BEHIND, IN_FILE = range(3)  # where the payload is
LARGEST_BEHIND = 1 << 16  # bytes of a payload that travels in the packet
SIZE = HEAD.size + HEADER_LIMIT + LARGEST_BEHIND
# As plain numbers: an operation on those of the enumeration takes as long as receiving a message.
CLOSE_ON_EXEC, TRUNCATED = (int(getattr(socket, name, 0)) for name in ("MSG_CMSG_CLOEXEC", "MSG_TRUNC"))
ANCILLARY = socket.CMSG_SPACE(struct.calcsize("i")) if hasattr(socket, "CMSG_SPACE") else 0  # for one descriptor


def has_packets() -> bool:
    """Return whether this system has sockets of packets, and files in memory."""
    return sys.platform == "linux" and hasattr(os, "memfd_create")


def packet_socket() -> socket.socket:
    """Return a new socket of packets, which never blocks."""
    return socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)


def send(connection: socket.socket, frames: Sequence[Frame]) -> None:
    """Send a message of one or two frames.

    Raises BlockingIOError if the queue is full, ConnectionError if the connection has ended, and OSError if no file can
    be made for the payload.
    """
    header = frames[0]
    if len(frames) == 1:
        connection.send(HEAD.pack(NO_PAYLOAD, len(header)) + header)
        return
    payload = frames[1]
    if len(payload) <= LARGEST_BEHIND:
        connection.sendmsg([HEAD.pack(BEHIND, len(header)), header, payload])
        return
    file = os.memfd_create("gradsum message")
    try:
        view, done = memoryview(payload).cast("B"), 0
        while done < len(view):
            done += os.write(file, view[done:])
        socket.send_fds(connection, [HEAD.pack(IN_FILE, len(header)), header], [file])
    finally:
        os.close(file)


def receive(connection: socket.socket, largest: int) -> list[Frame] | None:
    """Return the frames of a message, read-only; None if the connection has ended, or BlockingIOError if none is there.

    ProtocolError if that is no message, or has more than `largest` bytes of payload.
    """
    while True:
        try:
            data, ancillary, flags, _ = connection.recvmsg(SIZE, ANCILLARY, CLOSE_ON_EXEC)
        except ConnectionResetError:  # the other end left without reading all; what it said before comes next
            continue
        break
    files = _descriptors(ancillary) if ancillary else []
    try:
        if not data:
            return None
        if len(data) < HEAD.size or flags & TRUNCATED:
            raise ProtocolError("a packet is too short or too large")
        place, length = HEAD.unpack_from(data)
        view = memoryview(data)
        header, rest = view[HEAD.size : HEAD.size + length], view[HEAD.size + length :]
        if place == NO_PAYLOAD and not rest:
            return [header]
        if place == BEHIND and len(rest) <= largest:
            return [header, rest]
        if place == IN_FILE and files:
            return [header, _content(files[0], largest)]
        raise ProtocolError("a packet is malformed, or its payload too large")
    finally:
        for file in files:
            os.close(file)


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    """Return the descriptors that came with a packet; where there is room for one, the kernel may put two."""
    numbers = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return list(numbers)


def _content(file: int, largest: int) -> memoryview:
    """Copy a file that came with a packet: its sender may change it, or make it shorter, at any time."""
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_size > largest:
        raise ProtocolError(f"a payload of {status.st_size} bytes, at most {largest} are allowed")
    view, done = memoryview(bytearray(status.st_size)), 0
    while done < len(view):
        taken = os.preadv(file, [view[done:]], done)
        if not taken:
            raise ProtocolError("a payload is shorter than it was")
        done += taken
    return view.toreadonly()
