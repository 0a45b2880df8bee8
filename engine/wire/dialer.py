"""A worker's end."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

import zmq

from engine.system.clock import MONOTONIC, Clock
from engine.wire.address import coordinator_addresses
from engine.wire.candidate import Candidate
from engine.wire.keys import Keys, Pair, new_pair
from engine.wire.messages import Frame
from engine.wire.names import Names
from engine.wire.sockets import end, milliseconds
from engine.wire.unreached import INSECURE, NO_KEY, Unreached

logger = logging.getLogger("gradsum.wire")

Sources: TypeAlias = "list[zmq.Socket[bytes]]"  # what can be polled
EXPELLED = "has expelled this worker"


class Dialer:
    """A worker's end of the connection to one coordinator; with `keys`, to one that proves that it has them.

    Its own key is that of `pair`, or a new one.

    `address` may name several hosts of the coordinator, and a name may have several addresses, or get them later. All
    are tried at once, and the first that answers, and with `keys` proves itself, is the one; when its connection is
    lost, all are tried again. `tell` is told why nobody was reached for a while, at the start and whenever a connection
    was lost. A message with more than `largest` bytes of payload ends the connection. SettingsError if there can be no
    such address.
    """

    def __init__(
        self,
        address: str,
        largest: int,
        keys: Keys | None = None,
        tell: Callable[[str], None] | None = None,
        clock: Clock = MONOTONIC,
        pair: Pair | None = None,
    ) -> None:
        self.address = address
        several = address.startswith("tcp://") and "," in address
        given = [str(one) for one in coordinator_addresses(address)] if several else [address]
        self._names = Names(given, clock)
        self._largest = largest
        self._keys = keys
        self.pair = pair or new_pair()
        if keys:
            logger.info("this worker has the key %s", self.pair.public_hex)
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._candidates: list[Candidate] = []
        self._chosen: Candidate | None = None  # the one that has answered
        self._there = self._connected = self._lost = False
        away = address.startswith("tcp://")
        self._clock = clock
        self._tell = tell
        self._unreached = Unreached(address, bool(keys), tell, clock) if away else None
        try:
            self._try_all()
        except BaseException:
            self.close()
            raise

    @property
    def unwelcome(self) -> str:
        """Why the other end will never admit us; "" as long as it may."""
        if any(candidate.expelled for candidate in self._candidates):
            return EXPELLED
        if self._candidates and all(candidate.other_mechanism for candidate in self._candidates):
            return INSECURE if self._keys else NO_KEY
        return self._unreached.unwelcome if self._unreached else ""

    @property
    def sources(self) -> Sources:
        """What can be read when there is something for `poll`."""
        return [source for one in self._candidates for source in (one.socket, one.monitor)]

    @property
    def reached(self) -> str:
        """The address of the coordinator that has answered; "" as long as none has."""
        return self._chosen.address if self._chosen else ""

    def lost(self) -> bool:
        """Return whether the connection that there was has ended since the last call."""
        lost, self._lost = self._lost, False
        return lost

    def watch(self, descriptor: int) -> None:
        """Let `poll` return also when the file `descriptor` can be read."""
        self._poller.register(descriptor, zmq.POLLIN)

    def send(self, frames: Sequence[Frame]) -> None:
        """Send `frames`; they are dropped if there is no connection."""
        if self._chosen:
            with contextlib.suppress(zmq.Again):
                self._chosen.socket.send_multipart(frames, zmq.NOBLOCK, copy=False)

    def connected(self) -> bool:
        """Return whether there is a new connection since the last call; the first one counts."""
        connected, self._connected = self._connected, False
        return connected

    def arriving(self) -> bool:
        """Return whether a message, or a part of one, has come in since the last call."""
        return self._chosen is not None and self._chosen.arriving()

    def poll(self, timeout: float) -> Sequence[Frame] | None:
        """Wait at most `timeout` seconds for a message; None if none has come in."""
        ready = dict(self._poller.poll(milliseconds(timeout)))
        for candidate in list(self._candidates):
            if candidate.monitor in ready and candidate in self._candidates:
                self._take_events(candidate)
        for candidate in self._candidates:
            candidate.look()
        if not self._there:
            self._names.look()
            self._try_all()
        if self._unreached:
            self._unreached.look()
        if self._chosen is None or self._chosen.socket not in ready:
            return None
        return self._chosen.receive()

    def _take_events(self, candidate: Candidate) -> None:
        """Learn what has happened to the connections of a candidate."""
        succeeded = candidate.take_events()
        if succeeded and not candidate.lost:
            self._there = self._connected = True
            self._unreached = None
            logger.info("connected to %s", candidate.address)
            self._choose(candidate)
        elif candidate.lost and candidate is self._chosen:
            self._there, self._lost = False, True
            logger.info("the connection to %s was lost", candidate.address)
            if self.address.startswith("tcp://"):
                self._unreached = Unreached(self.address, bool(self._keys), self._tell, self._clock, lost=True)
            self._try_all()

    def _choose(self, chosen: Candidate) -> None:
        """Give up the others."""
        self._chosen = chosen
        for other in [candidate for candidate in self._candidates if candidate is not chosen]:
            self._drop(other)

    def _try_all(self) -> None:
        """Connect to every address that is known now; to one that was lost ZeroMQ connects again by itself."""
        addresses = self._names.addresses
        for candidate in list(self._candidates):
            if candidate.address not in addresses and candidate is not self._chosen:
                self._drop(candidate)
        there = [candidate.address for candidate in self._candidates]
        for address in addresses:
            if address not in there:
                candidate = Candidate(self._context, address, self._largest, self._keys, self.pair, self._clock)
                self._candidates.append(candidate)
                self._poller.register(candidate.socket, zmq.POLLIN)
                self._poller.register(candidate.monitor, zmq.POLLIN)

    def _drop(self, candidate: Candidate) -> None:
        self._poller.unregister(candidate.socket)
        self._poller.unregister(candidate.monitor)
        candidate.close()
        self._candidates.remove(candidate)

    def close(self) -> None:
        """Close the sockets, after a moment for the last messages to leave, and end the I/O thread."""
        for candidate in self._candidates:
            candidate.close()
        end(self._context, self._hang_up)

    def _hang_up(self) -> None:
        for candidate in self._candidates:
            candidate.hang_up()
