"""A relay's connections to others that listen, each known by a number; all have one I/O thread."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import zmq

from engine.errors import SettingsError
from engine.system.clock import MONOTONIC, Clock
from engine.wire.candidate import Candidate
from engine.wire.dialer import Sources
from engine.wire.keys import Keys, Pair
from engine.wire.messages import Frame
from engine.wire.sockets import end

AT_ONCE = 4  # messages


@dataclass(frozen=True)
class Happened:
    """A message came by connection `number`; without frames it is there from now on, or was lost."""

    number: int
    frames: Sequence[Frame] = ()
    there: bool = True


class Connections:
    """Connections under the key of `pair`; one that is lost is made again until it is closed.

    A message with more than `largest` bytes of payload ends its connection.
    """

    def __init__(self, largest: int, pair: Pair, clock: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._largest = largest
        self._pair = pair
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None  # there is none before it is needed
        self._poller = zmq.Poller()
        self._there: dict[int, Candidate] = {}
        self._numbers: dict[object, int] = {}  # by socket or monitor

    def open(self, number: int, address: str, keys: Keys | None) -> bool:
        """Connect to `address`, with `keys` only to the one that has them; False if there can be no such address."""
        self.close_one(number)
        self._context = self._context or zmq.Context()
        try:
            made = Candidate(self._context, address, self._largest, keys, self._pair, self._clock)
        except SettingsError:
            return False
        self._there[number] = made
        for source in (made.socket, made.monitor):
            self._poller.register(source, zmq.POLLIN)
            self._numbers[source] = number
        return True

    def numbers(self) -> list[int]:
        """Return which connections there are."""
        return list(self._there)

    @property
    def sources(self) -> Sources:
        """What can be read when there is something for `take`."""
        return [source for one in self._there.values() for source in (one.socket, one.monitor)]

    def send(self, number: int, frames: Sequence[Frame]) -> bool:
        """Send `frames`; False if there is no such connection."""
        if number in self._there:
            with contextlib.suppress(zmq.Again):
                self._there[number].socket.send_multipart(frames, zmq.NOBLOCK, copy=False)
                return True
        return False

    def take(self) -> list[Happened]:
        """Return what has happened, of each connection at most a few messages."""
        found: list[Happened] = []
        for _ in range(AT_ONCE if self._there else 0):
            ready = {source for source, _ in self._poller.poll(0)}
            if not ready:
                break
            for number in {self._numbers[source] for source in ready}:
                one = self._there[number]
                if one.monitor in ready:
                    there = one.take_events()
                    found += [Happened(number, there=there)] if there or one.lost else []
                if one.socket in ready:
                    found.append(Happened(number, one.receive()))
        for one in self._there.values():
            one.look()
        return found

    def close_one(self, number: int) -> None:
        """Close a connection, if there is one; the last messages leave in the background."""
        if one := self._there.pop(number, None):
            for source in (one.socket, one.monitor):
                self._poller.unregister(source)
                del self._numbers[source]
            one.close()

    def close(self) -> None:
        """Close all, after a moment for the last messages to leave, and end the I/O thread."""
        left = list(self._there.values())
        for number in list(self._there):
            self.close_one(number)
        if self._context:
            end(self._context, lambda: _hang_up(left))
            self._context = None


def _hang_up(left: list[Candidate]) -> None:
    for one in left:
        one.hang_up()
