"""Peers that speak ZMTP by hand, so that they can break its rules; and what it takes to watch them fail."""

import socket
from collections.abc import Callable

from engine.wire import Listener, Received

PATIENCE = 20.0  # seconds for what should take milliseconds
GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)  # ZMTP 3.1
READY = b"\x05READY" + b"\x0bSocket-Type\x00\x00\x00\x06DEALER" + b"\x08Identity\x00\x00\x00\x00"
MORE, LONG, COMMAND = 1, 2, 4  # flags of a frame


def frame(content: bytes, flags: int = 0) -> bytes:
    """Return a frame as it is on the wire."""
    if len(content) < 256:
        return bytes([flags, len(content)]) + content
    return bytes([flags | LONG]) + len(content).to_bytes(8, "big") + content


HANDSHAKE = GREETING + frame(READY, COMMAND)


def dial(address: str) -> socket.socket:
    """Connect to tcp://127.0.0.1:PORT, and say nothing yet."""
    return socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), PATIENCE)


def enter(listener: Listener) -> socket.socket:
    """Connect and shake hands as a peer without keys does."""
    peer = dial(listener.address)
    peer.sendall(HANDSHAKE)
    said = b""
    while b"READY" not in said:
        assert listener.poll(0) == []
        peer.settimeout(0.02)
        try:
            more = peer.recv(1000)
        except TimeoutError:
            continue
        if not more:
            peer.close()
            raise ConnectionError("there is no room")
        said += more
    peer.settimeout(PATIENCE)
    return peer


def ended(peer: socket.socket) -> bool:
    """Tell whether the other end has hung up; what it says before is thrown away."""
    peer.setblocking(False)
    try:
        while peer.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def until(listener: Listener, happened: Callable[[], bool]) -> list[Received]:
    """Let `listener` work until something has happened, and return what it received."""
    received: list[Received] = []
    for _ in range(round(PATIENCE / 0.02)):
        received += listener.poll(0.02)
        listener.lost_connections()
        if happened():
            return received
    raise AssertionError("it did not happen")
