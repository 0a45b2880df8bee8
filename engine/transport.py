"""Sockets: a listener for the coordinator, a dialer for a worker. The only file that knows ZeroMQ.

ROUTER to DEALER, lists of frames. A send never blocks: the protocol itself is the flow control, since a worker has at
most one share in hand. Time-outs are in seconds.
"""

import contextlib
import errno
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import zmq

from engine.errors import SettingsError, WorkersError
from engine.messages import HEADER_LIMIT, Frame
from engine.params import Vector

HEARTBEAT = 2.0  # seconds between heartbeats of a connection
SILENCE = 10.0  # seconds without one after which the peer counts as gone
PARTING = 500  # milliseconds that messages have to leave when a socket is closed
AT_ONCE = 256  # messages taken in one poll: no flood of them may keep the coordinator from its other duties
SETTLING = (0.0, 0.01, 0.03, 0.1, 0.3)  # seconds after a loss: a send may still succeed when ZeroMQ tells of it


@dataclass(frozen=True)
class Received:
    """A message as it came in; the frames can be read only."""

    peer: bytes
    frames: Sequence[Frame]


class Endpoint(Protocol):
    """What the coordinator needs of a listener; tests have one in memory."""

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send to `peer`; False if it is gone."""

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds and return what has come, perhaps nothing."""

    def lost_connections(self) -> bool:
        """Tell whether a connection may have been lost since the last call; whose, a send to each peer will show."""

    def close(self) -> None:
        """Close; nothing is left to be sent."""


def snapshot(vector: Vector) -> Frame:
    """Copy `vector` once into a frame that can be sent to any number of peers without further copies."""
    return zmq.Frame(vector.data.cast("B"), copy=True)


def _milliseconds(timeout: float) -> int:
    """Round up: a poll that ends a little too early would be repeated at once, again and again."""
    return math.ceil(max(0.0, timeout) * 1000)


def _configure(socket: "zmq.Socket[bytes]", largest: int) -> None:
    socket.sndhwm = socket.rcvhwm = 0
    socket.setsockopt(zmq.MAXMSGSIZE, largest + HEADER_LIMIT)
    socket.setsockopt(zmq.HEARTBEAT_IVL, int(HEARTBEAT * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, int(SILENCE * 1000))


class Listener:
    """The coordinator's end: binds `address` and talks to any number of peers.

    A message with more than `largest` bytes of payload ends its connection. WorkersError if the
    address cannot be bound.
    """

    def __init__(self, address: str, largest: int) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        _configure(self._socket, largest)
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._suspicions: list[float] = []  # when to say that a connection may have been lost
        try:
            self._socket.bind(address)
        except zmq.ZMQError as error:
            self.close()
            raise WorkersError(f"cannot listen at {address}: {error}") from None

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send `frames` to `peer`; False if it is gone."""
        try:
            self._socket.send_multipart([peer, *frames], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno in (errno.EHOSTUNREACH, errno.EAGAIN):
                return False
            raise
        return True

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds and return what has come."""
        if self._suspicions:
            timeout = min(timeout, self._suspicions[0] - time.monotonic())
        ready = dict(self._poller.poll(_milliseconds(timeout)))
        if self._monitor in ready:
            self._note_losses()
        received: list[Received] = []
        while self._socket in ready and len(received) < AT_ONCE:
            try:
                peer, *frames = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            received.append(Received(peer.bytes, [frame.buffer.toreadonly() for frame in frames]))
        return received

    def lost_connections(self) -> bool:
        """Tell whether a connection may have been lost since the last call: several times after each loss."""
        if not self._suspicions:
            return False
        now = time.monotonic()
        before = len(self._suspicions)
        self._suspicions = [moment for moment in self._suspicions if moment > now]
        return len(self._suspicions) < before

    def _note_losses(self) -> None:
        """Take what ZeroMQ says of lost connections; each is a reason to look now, and a few times more."""
        while self._monitor.poll(0):
            self._monitor.recv_multipart()
        now = time.monotonic()
        self._suspicions = [now + delay for delay in SETTLING]

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave, and end the I/O thread."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger=PARTING)
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Dialer:
    """A worker's end: connects to one coordinator."""

    def __init__(self, address: str, largest: int) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        _configure(self._socket, largest)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing said to one coordinator may reach the next
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        self._connected = False
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise SettingsError(f"{address!r} is no address to connect to ({error}); try tcp://host:port") from None

    def watch(self, descriptor: int) -> None:
        """Let `poll` return, too, when the file `descriptor` can be read."""
        self._poller.register(descriptor, zmq.POLLIN)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`; they are dropped if there is no connection."""
        with contextlib.suppress(zmq.Again):
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def connected(self) -> bool:
        """Tell whether there is a new connection since the last call, the first one included."""
        connected, self._connected = self._connected, False
        return connected

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Wait at most `timeout` seconds for a message; None if none came."""
        ready = dict(self._poller.poll(_milliseconds(timeout)))
        if self._monitor in ready:
            self._monitor.recv_multipart()
            self._connected = True
        if self._socket not in ready:
            return None
        return [frame.buffer.toreadonly() for frame in self._socket.recv_multipart(copy=False)]

    def close(self) -> None:
        """Close the socket, after a moment for the last messages to leave, and end the I/O thread."""
        self._socket.disable_monitor()
        self._monitor.close()
        self._socket.close(linger=PARTING)
        self._context.term()
