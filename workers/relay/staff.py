"""The processes below a relay that are ready, and what they are called above."""

from dataclasses import dataclass, field

from engine.wire import relays
from workers.relay.events import ProcessJoined

GATHER = 10.0  # seconds that the first processes wait for the others


@dataclass
class Staff:
    """Those that are there, by name, relays that have joined and their processes included.

    `numbers`: what they are called above.
    """

    there: dict[str, ProcessJoined] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    since: float = 0.0  # when the first of these came
    given: int = 0  # numbers

    def add(self, one: ProcessJoined, now: float) -> None:
        """Take in one that is ready for work."""
        self.since = self.since if self.there else now
        self.given += 1
        self.there[one.name], self.numbers[one.name] = one, self.given

    def drop(self, name: str, session: str, reason: str) -> relays.Process:
        """Let one go, and return what is said of that above."""
        one, number = self.there.pop(name), self.numbers[name]
        return relays.Process(session, number, one.pid, reason, self.computing())

    def forget_gone(self) -> None:
        """Forget what those that are gone were called: there is nothing more to be said of them."""
        self.numbers = {name: self.numbers[name] for name in self.there}

    def enough(self, wanted: int, now: float) -> bool:
        """Return whether to begin: so many are there, or some have waited long enough for the others."""
        return len(self.there) >= wanted or (bool(self.there) and now - self.since >= GATHER)

    def computing(self) -> int:
        """Return how many compute: all but relays."""
        return len(self.there.keys() - {one.via for one in self.there.values()})

    def introduction(self, name: str, session: str) -> relays.Process:
        """Return how one that is there is made known above."""
        one = self.there[name]
        via = self.numbers.get(one.via, 0)
        return relays.Process(session, self.numbers[name], one.pid, "", self.computing(), one.host, via)
