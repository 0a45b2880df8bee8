"""The coordinator's end."""

import logging
from collections.abc import Callable, Container, Sequence
from typing import Self

import zmq

from engine.system.clock import MONOTONIC, Clock
from engine.wire.address import LOCAL_PACKETS
from engine.wire.bound_socket import BoundSocket
from engine.wire.connection_limits import PARTING
from engine.wire.endpoint import Received
from engine.wire.keys import Keys
from engine.wire.local_socket import LocalSocket
from engine.wire.messages import Frame
from engine.wire.sockets import milliseconds
from engine.wire.zeromq import ZeroMQ

logger = logging.getLogger("gradsum.wire")

LOSS_WINDOW = 0.05  # seconds in which several losses count as one: strangers may come and go as fast as they like
LOSS_DELAYS = (0.0, 0.01, 0.03, 0.1, 0.3)  # seconds after a loss: at first ZeroMQ may still take what is sent there


class Listener:
    """The coordinator's end: binds one or more addresses and talks to any number of peers.

    A message with more than `largest` bytes of payload ends its connection. With `keys`, only peers that know the
    public one are admitted. WorkersError if the address cannot be bound. See `admission` and `connection_limits` for
    further limits. `invited`: the public keys, in hex, of the only peers that may come in over TCP. ZeroMQ, with its
    threads, is there only once an address needs it.
    """

    def __init__(
        self,
        address: str,
        largest: int,
        keys: Keys | None = None,
        clock: Clock = MONOTONIC,
        invited: Container[str] | None = None,
    ) -> None:
        self._largest = largest
        self._invited = invited
        self._clock = clock
        self._sockets: list[BoundSocket | LocalSocket] = []
        self._local: LocalSocket | None = None
        self._zeromq: ZeroMQ | None = None
        self._last_loss: float | None = None
        self._announcements: list[float] = []  # when to say that a connection may have been lost
        self._sources: Callable[[], Sequence[zmq.Socket[bytes]]] | None = None
        self._watched: set[zmq.Socket[bytes]] = set()  # what others wait for
        self._poller: zmq.Poller | None = None  # for that and all that is ours
        try:
            self.address = self.bind(address, keys)
        except BaseException:
            self.close()
            raise

    def bind(self, address: str, keys: Keys | None = None) -> str:
        """Listen at `address` as well and return it with the port it got; one unix:// address is possible."""
        mark = bytes([len(self._sockets)])
        bound: BoundSocket | LocalSocket
        if address.startswith(LOCAL_PACKETS):
            bound = self._local = LocalSocket(mark, address, self._largest, self._clock)
        else:
            self._zeromq = self._zeromq or ZeroMQ(self._clock, self._invited)
            bound = self._zeromq.bind(mark, address, self._largest, keys)
        self._sockets.append(bound)
        if self._local and self._zeromq:
            self._zeromq.watch(self._local.descriptor)
        logger.info("listening at %s", bound.address)
        return bound.address

    def watch(self, sources: "Callable[[], Sequence[zmq.Socket[bytes]]]") -> None:
        """Let `poll` return also when one of what `sources` returns, asked each time, can be read."""
        self._sources = sources

    def _register(self, sources: "Sequence[zmq.Socket[bytes]]") -> zmq.Poller:
        self._watched, self._poller = set(sources), zmq.Poller()
        own = [*([self._local.descriptor] if self._local else []), *(self._zeromq.sources if self._zeromq else [])]
        for source in (*sources, *own):
            self._poller.register(source, zmq.POLLIN)
        return self._poller

    def send(self, peer: bytes, frames: Sequence[Frame]) -> bool:
        """Send `frames` to `peer`; False if it is gone, or has not taken what it was sent before."""
        return self._sockets[peer[0]].send(peer, frames)

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds, or until a connection may have been lost, and return what has come in."""
        deadline = self._clock.now() + timeout
        while True:
            until = min(deadline, self._announcements[0]) if self._announcements else deadline
            received, watched = self._poll_once(until - self._clock.now())
            if received or watched:
                return received
            now = self._clock.now()
            if now >= deadline or (self._announcements and now >= self._announcements[0]):
                return received

    def _poll_once(self, timeout: float) -> tuple[list[Received], bool]:
        """Wait until anything happens, and handle everything that is not for the coordinator.

        Return what is, and whether what else is watched can be read.
        """
        watched = False
        if self._sources:
            sources = self._sources()
            poller = self._poller if self._poller and self._watched == set(sources) else self._register(sources)
            watched = any(source in self._watched for source, _ in poller.poll(milliseconds(timeout)))
            timeout = 0.0
        received: list[Received] = []
        if self._zeromq:
            received = self._zeromq.receive(timeout)
            timeout = 0.0
        if self._local:
            received += self._local.receive(timeout)
        for bound in self._sockets:
            if bound.lost:
                bound.lost = False
                self._plan_announcements(LOSS_DELAYS[:1] if bound is self._local else LOSS_DELAYS)
            bound.check_limits()
        return received, watched

    def _plan_announcements(self, delays: Sequence[float]) -> None:
        """Plan to say that a connection was lost, unless that was planned a moment ago."""
        now = self._clock.now()
        if not self._announcements or self._last_loss is None or now - self._last_loss > LOSS_WINDOW:
            self._last_loss = now
            self._announcements = [now + delay for delay in delays]

    def see_off(self) -> None:
        """Wait, for a moment at most, until all peers elsewhere have answered their last words, or left.

        ZeroMQ drops what a worker has not taken yet when the connection ends. What comes in here is dropped as well.
        """
        self._sources = None
        until = self._clock.now() + PARTING
        while self._zeromq and self._zeromq.told() and (left := until - self._clock.now()) > 0:
            self._poll_once(left)

    def lost_connections(self) -> bool:
        """Return whether a connection may have been lost since the last call: True several times after each loss."""
        if not self._announcements:
            return False
        now = self._clock.now()
        before = len(self._announcements)
        self._announcements = [moment for moment in self._announcements if moment > now]
        return len(self._announcements) < before

    def accepted(self) -> int:
        """Return how many connections came in over TCP, whoever made them."""
        return sum(bound.accepted for bound in self._sockets if isinstance(bound, BoundSocket) and not bound.local)

    def is_local(self, peer: bytes) -> bool:
        """Return whether `peer` came by a socket file, in a folder that only this user may open."""
        return self._sockets[peer[0]].local

    def key(self, peer: bytes) -> str:
        """Return the public key of `peer`, in hex; "" if it has none."""
        return self._sockets[peer[0]].key(peer)

    def trust(self, peer: bytes) -> None:
        """Note that an answer of `peer` counted."""
        self._sockets[peer[0]].trust(peer)

    def floods(self, peer: bytes) -> bool:
        """Note an unrequested message of `peer`; return whether these are too many."""
        return self._sockets[peer[0]].floods(peer)

    def refuse(self, peer: bytes, forever: bool = False) -> None:
        """Let `peer`, which was told to leave, not come back at once, or never; its connection ends in a moment."""
        self._sockets[peer[0]].refuse(peer, forever)

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave, and end ZeroMQ's threads."""
        if self._local:
            self._local.close()
        if self._zeromq:
            self._zeromq.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
