"""Sockets: a listener for the coordinator, a dialer for a worker. Besides `curve`, the only file that knows ZeroMQ.

ROUTER to DEALER, lists of frames. A send never blocks: the protocol itself is the flow control, since a worker has at
most one share in hand. Time-outs are in seconds.
"""

import contextlib
import errno
import math
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import zmq

from engine.curve import OPEN, Gatekeeper, Keys
from engine.errors import SettingsError, WorkersError
from engine.guard import HANDSHAKE, SILENCE, STRANGERS, WAITING, Guard
from engine.messages import HEADER_LIMIT, Frame
from engine.params import Vector

HEARTBEAT = 2.0  # seconds between heartbeats of a connection
PARTING = 500  # milliseconds that messages have to leave when a socket is closed
AT_ONCE = 256  # messages taken in one poll: no flood of them may keep the coordinator from its other duties
BYTES_AT_ONCE = 1 << 26  # and about so many bytes
MOST_FRAMES = 3  # frames kept of a message: one more than any may have, so that it can be told
UNSENT = 64  # messages to a peer that may wait; one that lets more of them wait counts as gone
EVENT = struct.Struct("=Hi")  # what a monitor says: the event and, of those we ask for, a file descriptor
TOGETHER = 0.05  # seconds in which several losses count as one: strangers come and go as fast as they like
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

    def blame(self, peer: bytes) -> None:
        """Take note that `peer` sent a bad message; one that sends many is cut off."""

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


def _beat(socket: "zmq.Socket[bytes]") -> None:
    socket.setsockopt(zmq.HEARTBEAT_IVL, int(HEARTBEAT * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, int(SILENCE * 1000))


class _Door:
    """One address of a listener: a ROUTER socket, what ZeroMQ tells of its connections, and the guard over them.

    `mark` is put before the identity of each peer, since identities are unique at one socket only.
    """

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", mark: bytes, largest: int) -> None:
        self.mark = mark
        self._largest = largest + HEADER_LIMIT
        self.socket = context.socket(zmq.ROUTER)
        _configure(self.socket, largest)
        self.socket.sndhwm = UNSENT
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.BACKLOG, STRANGERS)  # who comes when it is full tries again after a second
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, int(HANDSHAKE * 1000))
        self.monitor = context.socket(zmq.PAIR)
        self.monitor.rcvhwm = 0  # the I/O thread would wait for us if it were full; it holds what descriptors allow
        self.guard: Guard | None = None
        self.lost = False  # whether a connection was

    def bind(self, address: str, keys: Keys | None) -> str:
        """Listen at `address`, only to those whose keys are listed if there are `keys`; return it, with its port."""
        tcp = address.startswith("tcp://")
        # Strangers keep only the I/O thread of TCP connections busy.
        self.socket.setsockopt(zmq.AFFINITY, 2 if tcp else 1)
        # With heartbeats of its own and a full queue, ZeroMQ 4.3.5 aborts the process when the peer leaves (assertion
        # !_io_error in stream_engine_base.cpp). So over TCP only workers send them, and the guard sees that they come;
        # local peers are our own, and their queues are not limited.
        if tcp:
            self.socket.rcvhwm = WAITING
        else:
            _beat(self.socket)
        if keys:
            keys.serve(self.socket)
        else:  # with a domain, ZeroMQ takes nobody who speaks ZMTP 1 or 2, which it can be made to abort with
            self.socket.setsockopt(zmq.ZAP_DOMAIN, OPEN)
        if address.startswith("tcp://["):
            self.socket.setsockopt(zmq.IPV6, 1)
        events = f"inproc://events-{self.mark[0]}"
        self.socket.monitor(events, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        self.monitor.connect(events)
        self.socket.bind(address)
        bound = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.guard = Guard(int(bound.rpartition(":")[2]) if tcp else bound.removeprefix("ipc://"), self._largest)
        return bound

    def take_events(self) -> None:
        """Tell the guard of connections that came and went; take note if a known one did."""
        while self.guard:
            try:
                event, descriptor = EVENT.unpack(self.monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                break
            if event == zmq.EVENT_ACCEPTED:
                self.guard.opened(descriptor)
            elif self.guard.closed(descriptor):
                self.lost = True

    def receive(self) -> list[Received]:
        """Return messages that have come, not too many; ROUTER takes them from one peer after the other."""
        received: list[Received] = []
        size = 0
        while len(received) < AT_ONCE and size <= max(self._largest, BYTES_AT_ONCE):
            try:
                first = self.socket.recv(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                break
            frames: list[Frame] = []
            frame = first
            while frame.more:
                frame = self.socket.recv(zmq.NOBLOCK, copy=False)
                if len(frames) < MOST_FRAMES:
                    frames.append(frame.buffer.toreadonly())
                    size += len(frame)
            peer = self.mark + first.bytes
            if self.guard and not self.guard.knows(peer):
                self.take_events()
                self.guard.introduce(peer, int(first.get("__fd")))
            received.append(Received(peer, frames))
        return received

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave."""
        if self.guard:
            self.guard.close()
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=PARTING)


class Listener:
    """The coordinator's end: binds one or more addresses and talks to any number of peers.

    A message with more than `largest` bytes of payload ends its connection. With `keys`, only peers whose keys are
    listed are let in. WorkersError if the address cannot be bound. See `guard` for the limits on connections.
    """

    def __init__(self, address: str, largest: int, keys: Keys | None = None) -> None:
        self._largest = largest
        self._context = zmq.Context(io_threads=2)
        self._poller = zmq.Poller()
        self._doors: list[_Door] = []
        self._gatekeeper: Gatekeeper | None = None
        self._suspected = 0.0
        self._suspicions: list[float] = []  # when to say that a connection may have been lost
        try:
            self.address = self.bind(address, keys)
        except BaseException:
            self.close()
            raise

    def bind(self, address: str, keys: Keys | None = None) -> str:
        """Listen at `address`, too, and return it with the port it got. One address may have keys."""
        if keys:
            self._gatekeeper = Gatekeeper(self._context, keys.listed())
            self._poller.register(self._gatekeeper.socket, zmq.POLLIN)
        door = _Door(self._context, bytes([len(self._doors)]), self._largest)
        self._doors.append(door)
        self._poller.register(door.socket, zmq.POLLIN)
        self._poller.register(door.monitor, zmq.POLLIN)
        try:
            return door.bind(address, keys)
        except zmq.ZMQError as error:
            raise WorkersError(f"cannot listen at {address}: {error}") from None

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send `frames` to `peer`; False if it is gone, or does not take what it was sent before."""
        try:
            self._doors[peer[0]].socket.send_multipart([peer[1:], *frames], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno in (errno.EHOSTUNREACH, errno.EAGAIN):
                return False
            raise
        return True

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds, or until a connection may have been lost, and return what has come."""
        deadline = time.monotonic() + timeout
        while True:
            until = min(deadline, self._suspicions[0]) if self._suspicions else deadline
            received = self._poll_once(until - time.monotonic())
            now = time.monotonic()
            if received or now >= deadline or (self._suspicions and now >= self._suspicions[0]):
                return received

    def _poll_once(self, timeout: float) -> list[Received]:
        """Wait until anything happens, and deal with what is not for the coordinator."""
        ready = dict(self._poller.poll(_milliseconds(timeout)))
        if self._gatekeeper and self._gatekeeper.socket in ready:
            self._gatekeeper.answer()
        received: list[Received] = []
        for door in self._doors:
            if door.monitor in ready:
                door.take_events()
            if door.socket in ready:
                received += door.receive()
            if door.lost:
                door.lost = False
                self._suspect()
            if door.guard:
                door.guard.look()
        return received

    def _suspect(self) -> None:
        """Plan to say that a connection was lost; others that are lost soon afterwards are part of the same story."""
        now = time.monotonic()
        if not self._suspicions or now - self._suspected > TOGETHER:
            self._suspected = now
            self._suspicions = [now + delay for delay in SETTLING]

    def lost_connections(self) -> bool:
        """Tell whether a connection may have been lost since the last call: several times after each loss."""
        if not self._suspicions:
            return False
        now = time.monotonic()
        before = len(self._suspicions)
        self._suspicions = [moment for moment in self._suspicions if moment > now]
        return len(self._suspicions) < before

    def blame(self, peer: bytes) -> None:
        """Take note that `peer` sent a bad message; after some its connection ends."""
        guard = self._doors[peer[0]].guard
        if guard:
            guard.blame(peer)

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave, and end the I/O threads."""
        for door in self._doors:
            door.close()
        if self._gatekeeper:
            self._gatekeeper.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Dialer:
    """A worker's end: connects to one coordinator, the one that has the `keys` if there are any."""

    def __init__(self, address: str, largest: int, keys: Keys | None = None) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        _configure(self._socket, largest)
        _beat(self._socket)
        if keys:
            keys.join(self._socket)
        if address.startswith("tcp://["):
            self._socket.setsockopt(zmq.IPV6, 1)
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
