"""The processes below a relay that are ready, and the numbers by which they are known above."""

from dataclasses import dataclass, field

from engine.wire import relays
from workers.relay.events import ProcessJoined

GATHER = 10.0  # seconds that the first processes wait for the others


@dataclass
class ReadyProcesses:
    """Those that are ready, by name, among them relays that have joined and the processes of these.

    `numbers`: by which each is known above, by name; of processes that have left, too, until `forget_gone`.
    """

    there: dict[str, ProcessJoined] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    since: float = 0.0  # when the first of these came
    given: int = 0  # the highest number so far

    def add(self, one: ProcessJoined, now: float) -> None:
        """Add one that is ready for work."""
        self.since = self.since if self.there else now
        self.given += 1
        self.there[one.name], self.numbers[one.name] = one, self.given

    def drop(self, name: str, session: str, reason: str) -> relays.Process:
        """Remove one, and return the message about it to those above."""
        one, number = self.there.pop(name), self.numbers[name]
        return relays.Process(session, number, one.pid, reason, self.computing())

    def forget_gone(self) -> None:
        """Forget the numbers of those that have left, when no message is about them any more."""
        self.numbers = {name: self.numbers[name] for name in self.there}

    def enough(self, wanted: int, now: float) -> bool:
        """Return whether to begin: `wanted` are there, or some have waited long enough for the others."""
        return len(self.there) >= wanted or (bool(self.there) and now - self.since >= GATHER)

    def computing(self) -> int:
        """Return how many compute: all but relays."""
        return len(self.there.keys() - {one.via for one in self.there.values()})

    def introduction(self, name: str, session: str) -> relays.Process:
        """Return the message that tells those above of one that is ready."""
        one = self.there[name]
        via = self.numbers.get(one.via, 0)
        return relays.Process(session, self.numbers[name], one.pid, "", self.computing(), one.host, via)
