"""Connections between relays of an exchange, in memory."""

from collections.abc import Callable

from engine.wire import messages as m
from workers.relay.links import Dial, Expect, Forget, LinkAction, LinkEvent, Met, Present, Said, Tell, Unlink, Unsent


class ToyLinks:
    """Those of one relay, which others find at `address`, if any; `others` are all that can be found.

    `faulty`: whether a message that the relay of a number is told gets lost. `unreachable`: nobody can connect to it.
    """

    def __init__(self, others: "dict[str, ToyLinks]", address: str) -> None:
        self._others = others
        self.number = 0
        self.to: dict[int, ToyLinks] = {}
        self.told: list[tuple[int, m.Message]] = []
        self.unreachable = False
        self.faulty: Callable[[int, m.Message], bool] = lambda _, __: False
        self._happened: list[LinkEvent] = []
        if address:
            others[address] = self

    def events(self) -> list[LinkEvent]:
        found, self._happened = self._happened, []
        return found

    def perform(self, action: LinkAction) -> None:
        match action:
            case Present(link):
                self.number = link.number
            case Expect():
                pass
            case Dial(number, address):
                other = self._others.get(address)
                reached = other is not None and not other.unreachable and other.number == number
                if other is not None and reached:
                    self.connect(number, other)
                else:
                    self.say(Met(number, False))
            case Forget(number):
                self.to.pop(number, None)
            case Tell(number, message, payload):
                self._tell(number, message, payload)
            case Unlink():
                self.cut(*self.to)
                self.number = 0
                self._happened.clear()

    def connect(self, number: int, other: "ToyLinks") -> None:
        """Have a connection with another."""
        self.to[number], other.to[self.number] = other, self
        self.say(Met(number, True))

    def _tell(self, number: int, message: m.Message, payload: m.Frame) -> None:
        self.told.append((number, message))
        if number not in self.to:
            self._happened.append(Unsent(number))
        elif not self.faulty(number, message):
            said = m.decode([bytes(frame) for frame in m.encode(message, payload)])
            self.to[number].say(Said(self.number, *said))

    def say(self, said: LinkEvent) -> None:
        """Let the relay know."""
        self._happened.append(said)

    def cut(self, *numbers: int) -> None:
        """End connections; the ends that made them notice."""
        for number in numbers:
            other = self.to.pop(number)
            other.to.pop(self.number, None)
            dialer, dialled = (self, number) if number < self.number else (other, self.number)
            dialer.say(Met(dialled, False))
