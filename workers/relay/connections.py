"""The connections of a relay to the others in its exchange, as sockets: some it has made, others have come in.

Who comes in by TCP is another relay of the exchange. It says its number first, which counts if the coordinator has
told that a relay of that number, and with its key, would come. Who has connected repeats its own until it is answered:
the other may not have been told yet.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence

from engine.errors import ProtocolError
from engine.system.clock import Clock
from engine.wire import Endpoint, Received, exchange
from engine.wire import messages as m
from engine.wire.connections import Connections
from engine.wire.keys import Keys
from workers.relay.links import Dial, Expect, Forget, LinkAction, LinkEvent, Met, Present, Said, Tell, Unlink, Unsent
from workers.relay.uplink import ATTEMPT

AGAIN = 0.25  # seconds between two times that a relay says its number


class SharedListener:
    """The end at which a relay's processes come in, and, by TCP, others of its exchange: whose messages are `aside`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.aside: deque[Received] = deque()
        self.send, self.is_local, self.key = endpoint.send, endpoint.is_local, endpoint.key
        self.trust, self.floods, self.refuse = endpoint.trust, endpoint.floods, endpoint.refuse
        self.lost_connections = endpoint.lost_connections

    def poll(self, timeout: float) -> list[Received]:
        """Wait at most `timeout` seconds and return what has come in from the processes, perhaps nothing."""
        own = []
        for received in self._endpoint.poll(0.0 if self.aside else timeout):
            if self._endpoint.is_local(received.peer):
                own.append(received)
            else:
                self.aside.append(received)
        return own


class Sockets:
    """`Links` by the `connections` that are made, and those that come in at `listener`.

    `invited`: the keys of those that may come in, which is kept up to date; `insecure`: they have none.
    """

    def __init__(
        self, listener: SharedListener, connections: Connections, invited: set[str], insecure: bool, clock: Clock
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._invited = invited
        self._insecure = insecure
        self._clock = clock
        self._link = exchange.Link("", 0)
        self._expected: dict[int, str] = {}  # the keys of those that will connect to us
        self._came: dict[int, bytes] = {}  # those that have, as the listener knows them
        self._numbers: dict[bytes, int] = {}
        self._tried: dict[int, float] = {}  # those that have not answered yet: when they count as not reached
        self._said = 0.0  # when they were told our number
        self._happened: list[LinkEvent] = []

    def perform(self, action: LinkAction) -> None:
        """Carry out an action."""
        match action:
            case Present(link):
                self._link = link
            case Expect(number, key):
                self._expected[number] = key
                self._invited.add(key)
            case Dial(number, address, key):
                self._dial(number, address, key)
            case Forget(number):
                self._forget(number)
            case Tell(number, message, payload):
                if not self._send(number, m.encode(message, payload)):
                    self._happened.append(Unsent(number))
            case Unlink():
                for number in {*self._expected, *self._tried, *self._connections.numbers()}:
                    self._forget(number)
                self._happened.clear()
                self._listener.aside.clear()

    def _dial(self, number: int, address: str, key: str) -> None:
        keys = None if self._insecure else Keys(bytes.fromhex(key), b"")
        if self._connections.open(number, address, keys):
            self._tried[number] = self._clock.now() + ATTEMPT
        else:
            self._happened.append(Met(number, False))

    def _send(self, number: int, frames: Sequence[m.Frame]) -> bool:
        peer = self._came.get(number)
        return self._connections.send(number, frames) if peer is None else self._listener.send(peer, frames)

    def _forget(self, number: int) -> None:
        self._connections.close_one(number)
        self._tried.pop(number, None)
        key = self._expected.pop(number, "")
        if key not in self._expected.values():
            self._invited.discard(key)
        if peer := self._came.pop(number, None):
            del self._numbers[peer]

    def events(self) -> list[LinkEvent]:
        """Return what has happened since the last call."""
        while self._listener.aside:
            self._happened += self._from_listener(self._listener.aside.popleft())
        for one in self._connections.take():
            self._happened += self._from_connection(one.number, one.frames, one.there)
        self._look_after_attempts()
        found, self._happened = self._happened, []
        return found

    def _from_listener(self, received: Received) -> Iterator[LinkEvent]:
        """Yield what came in. Who sends a malformed message is refused; what comes before a number is ignored."""
        peer = received.peer
        try:
            message, payload = m.decode(received.frames)
        except ProtocolError:
            self._listener.refuse(peer)
            return
        if isinstance(message, exchange.Link):
            self._welcome(peer, message)
        elif peer in self._numbers:
            yield Said(self._numbers[peer], message, payload)

    def _welcome(self, peer: bytes, link: exchange.Link) -> None:
        """Take a number, if the one that has it may come, and answer."""
        key = self._expected.get(link.number)
        if link.session != self._link.session or key is None or (key and key != self._listener.key(peer)):
            return
        self._numbers.pop(self._came.get(link.number, b""), None)
        self._came[link.number], self._numbers[peer] = peer, link.number
        self._listener.trust(peer)
        self._listener.send(peer, m.encode(self._link))

    def _from_connection(self, number: int, frames: Sequence[m.Frame], there: bool) -> Iterator[LinkEvent]:
        if not frames:
            if there:
                self._tried[number] = self._clock.now() + ATTEMPT
                self._connections.send(number, m.encode(self._link))
            elif number not in self._tried:
                yield Met(number, False)
            return
        try:
            message, payload = m.decode(frames)
        except ProtocolError:
            self._forget(number)
            yield Met(number, False)
            return
        if not isinstance(message, exchange.Link):
            yield Said(number, message, payload)
        elif message.session == self._link.session and self._tried.pop(number, None) is not None:
            yield Met(number, True)

    def _look_after_attempts(self) -> None:
        now = self._clock.now()
        if not self._tried or now - self._said < AGAIN:
            return
        self._said = now
        for number, until in list(self._tried.items()):
            if now < until:
                self._connections.send(number, m.encode(self._link))
            elif until < math.inf:
                self._tried[number] = math.inf  # it is still welcome to answer
                self._happened.append(Met(number, False))

    def close(self) -> None:
        """Close what was made."""
        self._connections.close()
