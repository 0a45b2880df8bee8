"""Machines on a switch: each has one link, whose bandwidth, each way, is shared by the messages that it carries."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.model import Costs

SMALL = 1024  # bytes of a message that takes no time but the latency


@dataclass(eq=False)
class Transfer:
    """A message that is on the way: how many bytes are left, at how many a second, since when."""

    path: "Path"
    size: int
    deliver: Callable[[], None]
    left: float
    rate: float = 0.0
    since: float = 0.0
    ends: float = 0.0


@dataclass(eq=False)
class Link:
    """A machine's link, and what it carries each way. `sent` and `received` in bytes.

    `io` sends, takes, encrypts and decrypts one message after the other.
    """

    io: Processor
    out: set[Transfer] = field(default_factory=set)
    into: set[Transfer] = field(default_factory=set)
    sent: int = 0
    received: int = 0


class Network:
    """Carries messages at `rate` bytes a second and link, with a delay.

    As connections do, messages on their way share a link: each has the lesser of its parts of the two that it takes.
    """

    def __init__(self, events: Events, rate: float, costs: Costs) -> None:
        self.events = events
        self.costs = costs
        self._rate = rate

    def link(self) -> Link:
        """Return the link of another machine."""
        return Link(Processor(self.events))

    def start(self, transfer: Transfer) -> None:
        """Let a message enter both links."""
        path = transfer.path
        path.here.out.add(transfer)
        path.there.into.add(transfer)
        transfer.since = self.events.now
        self._share(path)

    def _share(self, path: "Path") -> None:
        """Give everything that takes one of two links its new rate."""
        for transfer in path.here.out | path.there.into:
            here, there = transfer.path.here, transfer.path.there
            rate = self._rate / max(len(here.out), len(there.into))
            if rate != transfer.rate:
                now = self.events.now
                transfer.left -= transfer.rate * (now - transfer.since)
                transfer.rate, transfer.since = rate, now
                transfer.ends = now + max(0.0, transfer.left) / rate
                self.events.at(transfer.ends, self._end_of(transfer, transfer.ends))

    def arrive(self, transfer: Transfer) -> None:
        """Let all of a message be at the other end, where it is decrypted."""
        self.events.at(self.events.now + self.costs.latency, lambda: self._take(transfer))

    def _take(self, transfer: Transfer) -> None:
        self.events.at(transfer.path.there.io.work(self.handling(transfer.size)), transfer.deliver)

    def handling(self, size: int) -> float:
        """Return the seconds that either end's `io` is busy with a message."""
        return self.costs.carry + size * self.costs.byte

    def _end_of(self, transfer: Transfer, planned: float) -> Callable[[], None]:
        def end() -> None:
            path = transfer.path
            if transfer.ends == planned and transfer in path.here.out:
                path.here.out.remove(transfer)
                path.there.into.remove(transfer)
                self._share(path)
                self.arrive(transfer)
                path.next()

        return end


class Path:
    """A connection from one machine to another, on which one message follows the other."""

    def __init__(self, network: Network, here: Link, there: Link) -> None:
        self.here, self.there = here, there
        self._network = network
        self._waiting: deque[Transfer] = deque()
        self._busy = False

    def carry(self, size: int, when: float, deliver: Callable[[], None]) -> None:
        """Carry `size` bytes from `when` on, and call `deliver` when all has arrived."""
        self.here.sent += size
        self.there.received += size
        transfer = Transfer(self, size, deliver, left=size)
        self._network.events.at(when, lambda: self._leave(transfer))

    def _leave(self, transfer: Transfer) -> None:
        ready = self.here.io.work(self._network.handling(transfer.size))
        self._network.events.at(ready, lambda: self._enter(transfer))

    def _enter(self, transfer: Transfer) -> None:
        self._waiting.append(transfer)
        if not self._busy:
            self.next()

    def next(self) -> None:
        """Begin to carry the message that follows, if there is one."""
        self._busy = False
        network = self._network
        while self._waiting and not self._busy:
            transfer = self._waiting.popleft()
            if transfer.left <= SMALL:
                network.arrive(transfer)
            else:
                self._busy = True
                network.start(transfer)
