"""What is above a relay: the coordinator, or another relay that it was told to join."""

import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

from engine.system.clock import MONOTONIC, Clock
from engine.wire import Dialer, WorkerEndpoint
from engine.wire import messages as m
from engine.wire.address import Address
from engine.wire.dialer import Sources
from engine.wire.keys import Keys, Pair
from engine.wire.tcp import own_host
from workers.relay.events import Connected, Told, Tried

logger = logging.getLogger("gradsum.workers")

ATTEMPT = 3.0  # seconds to reach another relay


class Uplink(WorkerEndpoint, Protocol):
    """A connection to what is above. That to the coordinator is kept while another relay is above."""

    @property
    def key(self) -> str:
        """The public key of this end, in hex; "" without keys."""

    def events(self) -> Sequence[Connected | Tried | Told]:
        """Return what has happened to connections since the last call."""

    def attempt(self, address: str, key: str) -> None:
        """Try to reach the relay at `address`, which has the public key `key`, in hex."""

    def join(self) -> None:
        """Let the relay that was reached be above."""

    def back(self) -> None:
        """Let go of the relay that is tried or above; the coordinator is above."""


class Uplinks:
    """The connections of a relay, whose `home` is the coordinator; `insecure`: it takes no keys."""

    def __init__(self, home: Dialer, largest: int, insecure: bool, clock: Clock = MONOTONIC) -> None:
        self._home = home
        self._largest = largest
        self._insecure = insecure
        self._clock = clock
        self._other: Dialer | None = None  # a relay that is tried, or above
        self._above = home
        self._until = 0.0  # when an attempt has failed
        self._returned = False

    @property
    def address(self) -> str:
        """Where the coordinator or relay above listens."""
        return self._above.address

    @property
    def unwelcome(self) -> str:
        """Why the coordinator will never admit us; "" as long as it may."""
        return self._home.unwelcome

    @property
    def key(self) -> str:
        """The public key of this end, in hex; "" without keys."""
        return "" if self._insecure else self._home.pair.public_hex

    @property
    def pair(self) -> Pair:
        """The key pair of this end."""
        return self._home.pair

    @property
    def sources(self) -> Sources:
        """What can be read when there is something for `poll` or `events`."""
        return [*self._home.sources, *(self._other.sources if self._other else [])]

    def host(self) -> str:
        """Return the address of this machine on the way to the coordinator; "" if there is none yet."""
        with contextlib.suppress(OSError):
            return own_host(Address.parse(self._home.reached).host) if self._home.reached else ""
        return ""

    def watch(self, descriptor: int) -> None:
        """Let `poll` return also when the file `descriptor` can be read, as long as the coordinator is above."""
        self._home.watch(descriptor)

    def send(self, frames: Sequence[m.Frame]) -> None:
        """Send `frames` to what is above; they are dropped if there is no connection."""
        self._above.send(frames)

    def poll(self, timeout: float) -> Sequence[m.Frame] | None:
        """Wait at most `timeout` seconds for a message from above; None if none has come in."""
        return self._above.poll(timeout)

    def connected(self) -> bool:
        """Return whether there is a new connection to what is above since the last call."""
        return self._above.connected()

    def arriving(self) -> bool:
        """Return whether a message from above, or a part of one, has come in since the last call."""
        return self._above.arriving()

    def events(self) -> "list[Connected | Tried | Told]":
        """Return what has happened to connections since the last call."""
        found: list[Connected | Tried | Told] = []
        if self._other is not None and self._other is not self._above:
            found += self._attempted(self._other)
        elif self._other is not None:
            while (frames := self._home.poll(0.0)) is not None:
                found.append(Told(m.decode(frames)[0]))
            if self._other.lost() or self._other.unwelcome:
                logger.info("the relay at %s has left", self._other.address)
                self.back()
        if self._above.connected() or self._returned:
            found.append(Connected(self._above is self._home))
        self._returned = False
        return found

    def _attempted(self, other: Dialer) -> list[Connected | Tried | Told]:
        """Return what has become of an attempt, if that is known."""
        other.poll(0.0)
        if other.reached:
            return [Tried(True)]
        if self._clock.now() < self._until and not other.unwelcome:
            return []
        logger.info("the relay at %s cannot be reached", other.address)
        self.back()
        return [Tried(False)]

    def attempt(self, address: str, key: str) -> None:
        """Try to reach the relay at `address`, which has the public key `key`, in hex."""
        self.back()
        keys = None if self._insecure else Keys(bytes.fromhex(key), b"")
        self._other = Dialer(address, self._largest, keys, pair=self._home.pair)
        self._until = self._clock.now() + ATTEMPT

    def join(self) -> None:
        """Let the relay that was reached be above."""
        if self._other is not None:
            self._above = self._other

    def back(self) -> None:
        """Let go of the relay that is tried or above; the coordinator is above."""
        if self._other is None:
            return
        self._returned = self._above is self._other and bool(self._home.reached)
        self._other.close()
        self._other, self._above = None, self._home

    def close(self) -> None:
        """Close the connections, after a moment for the last messages to leave."""
        self.back()
        self._home.close()
