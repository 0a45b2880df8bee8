"""Simulated connections between the relays of an exchange."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.model import Costs
from benchmarks.simulation.network import Link, Network, Path
from benchmarks.simulation.processes import size_of
from engine.wire import exchange
from engine.wire import messages as m
from workers.relay.links import Dial, Forget, LinkAction, LinkEvent, Met, Present, Said, Tell, Unlink, Unsent


class Host(Protocol):
    """The machine of a relay."""

    processor: Processor
    link: Link

    def nudge(self) -> None:
        """Let the relay look at what has happened."""


class SimulatedLinks:
    """Those of one relay, which others find at `address` among `others`, unless it is `unreachable`."""

    def __init__(
        self,
        host: Host,
        network: Network,
        costs: Costs,
        events: Events,
        others: "dict[str, SimulatedLinks]",
        address: str,
    ) -> None:
        self._host, self._network, self._costs, self._events, self._others = host, network, costs, events, others
        self.number = 0
        self.unreachable = False
        self.to: dict[int, tuple[SimulatedLinks, Path]] = {}
        self._happened: deque[LinkEvent] = deque()
        others[address] = self

    def events(self) -> list[LinkEvent]:
        """Return what has happened; taking a message, and adding up what it has, take their time."""
        found = list(self._happened)
        self._happened.clear()
        for event in found:
            if isinstance(event, Said):
                adding = self._costs.add / max(1, len(self.to)) if isinstance(event.message, exchange.Piece) else 0.0
                self._host.processor.work(self._costs.remote + adding)
        return found

    def perform(self, action: LinkAction) -> None:
        match action:
            case Present(link):
                self.number = link.number
            case Dial(number, address):
                other = self._others.get(address)
                if other is None or other.unreachable or other.number != number:
                    self._later(3.0, lambda: self._say(Met(number, False)))
                else:
                    self._later(self._costs.latency, lambda: self.connect(number, other))
            case Forget(number):
                self.to.pop(number, None)
            case Tell(number, message, payload):
                self._tell(number, message, payload)
            case Unlink():
                self.cut(*self.to)
                self.number = 0
                self._happened.clear()

    def connect(self, number: int, other: "SimulatedLinks") -> None:
        """Have a connection with another, if both are still there."""
        if self.number and other.number == number:
            self.to[number] = other, Path(self._network, self._host.link, other._host.link)
            other.to[self.number] = self, Path(self._network, other._host.link, self._host.link)
            self._say(Met(number, True))

    def cut(self, *numbers: int, seconds: float | None = None) -> None:
        """End connections, which the ends that made them notice; after `seconds` they are there again."""
        for number in numbers:
            other, _ = self.to.pop(number)
            other.to.pop(self.number, None)
            dialer, dialled = (self, other) if number < self.number else (other, self)
            dialer._lose(number if dialled is other else self.number, dialled, seconds)

    def _lose(self, number: int, other: "SimulatedLinks", seconds: float | None) -> None:
        """Have no connection any more to the one that was dialled, for so many seconds."""
        own = self.number

        def reconnect() -> None:
            if self.number == own:
                self.connect(number, other)

        self._say(Met(number, False))
        if seconds is not None:
            self._later(seconds, reconnect)

    def _tell(self, number: int, message: m.Message, payload: m.Frame) -> None:
        if number not in self.to:
            self._say(Unsent(number))
            return
        other, path = self.to[number]
        own, frames = self.number, [bytes(frame) for frame in m.encode(message, payload)]

        def arrive() -> None:
            if number in self.to and other.number == number:
                other._say(Said(own, *m.decode(frames)))

        when = self._host.processor.work(self._costs.remote)
        path.carry(size_of(frames, self._costs.vector), when, arrive)

    def _say(self, event: LinkEvent) -> None:
        self._happened.append(event)
        self._host.nudge()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self._events.at(self._events.now + seconds, act)
