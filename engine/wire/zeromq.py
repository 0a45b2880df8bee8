"""What the sockets of a listener share that are ZeroMQ's: its threads, the gatekeeper, and one poll for all."""

from collections.abc import Container

import zmq

from engine.system.clock import Clock
from engine.wire.admission import Admission
from engine.wire.bound_socket import BoundSocket
from engine.wire.endpoint import Received
from engine.wire.keys import Keys
from engine.wire.sockets import end, milliseconds
from engine.wire.zap import Gatekeeper


class ZeroMQ:
    """A context with two I/O threads, and the sockets bound in it. `invited`: as in `Admission`."""

    def __init__(self, clock: Clock, invited: Container[str] | None = None) -> None:
        self._clock = clock
        self._context = zmq.Context(io_threads=2)
        self._poller = zmq.Poller()
        self._bound: list[BoundSocket] = []
        self._admission = Admission(clock, invited)
        self._gatekeeper = Gatekeeper(self._context, self._admission)
        self._poller.register(self._gatekeeper.socket, zmq.POLLIN)

    def bind(self, mark: bytes, address: str, largest: int, keys: Keys | None) -> BoundSocket:
        """Listen at `address`; WorkersError if that is impossible."""
        bound = BoundSocket(self._context, mark, address, largest, self._admission, keys, self._clock)
        self._bound.append(bound)
        self._poller.register(bound.socket, zmq.POLLIN)
        self._poller.register(bound.monitor, zmq.POLLIN)
        return bound

    @property
    def sources(self) -> "list[zmq.Socket[bytes]]":
        """What can be read when there is something for `receive`."""
        return [self._gatekeeper.socket, *(one for bound in self._bound for one in (bound.socket, bound.monitor))]

    def watch(self, descriptor: int) -> None:
        """Let `receive` return also when the file `descriptor` can be read."""
        self._poller.register(descriptor, zmq.POLLIN)

    def receive(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds until anything happens, and return what has come in from peers."""
        ready = dict(self._poller.poll(milliseconds(timeout)))
        if self._gatekeeper.socket in ready:
            self._gatekeeper.answer()
        received: list[Received] = []
        for bound in self._bound:
            if bound.monitor in ready:
                bound.take_events()
            if bound.socket in ready:
                received += bound.receive()
        return received

    def told(self) -> bool:
        """Return whether a peer is there that has said nothing since it was sent something."""
        return any(bound.told() for bound in self._bound)

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave, and end the I/O threads."""
        for bound in self._bound:
            bound.close()
        self._gatekeeper.close()
        end(self._context, self._hang_up)
        for bound in self._bound:
            bound.let_go()

    def _hang_up(self) -> None:
        for bound in self._bound:
            bound.hang_up()
