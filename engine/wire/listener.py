"""The coordinator's end."""

import errno
import time
from collections.abc import Sequence
from typing import Self

import zmq

from engine.errors import WorkersError
from engine.wire.bound_socket import BoundSocket
from engine.wire.endpoint import Received
from engine.wire.keys import Keys
from engine.wire.messages import Frame
from engine.wire.sockets import end, milliseconds
from engine.wire.zap import Gatekeeper

TOGETHER = 0.05  # seconds in which several losses count as one: strangers come and go as fast as they like
SETTLING = (0.0, 0.01, 0.03, 0.1, 0.3)  # seconds after a loss: a send may still succeed when ZeroMQ tells of it


class Listener:
    """The coordinator's end: binds one or more addresses and talks to any number of peers.

    A message with more than `largest` bytes of payload ends its connection. With `keys`, only peers whose keys are
    listed are let in. WorkersError if the address cannot be bound. See `guard` for the limits on connections.
    """

    def __init__(self, address: str, largest: int, keys: Keys | None = None) -> None:
        self._largest = largest
        self._context = zmq.Context(io_threads=2)
        self._poller = zmq.Poller()
        self._doors: list[BoundSocket] = []
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
        door = BoundSocket(self._context, bytes([len(self._doors)]), self._largest)
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
        ready = dict(self._poller.poll(milliseconds(timeout)))
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

    def is_local(self, peer: bytes) -> bool:
        """Tell whether `peer` came by a socket file, in a folder that only this user may open."""
        return self._doors[peer[0]].local

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
        end(self._context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
