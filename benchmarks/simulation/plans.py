"""Ways that the program does not have: vectors in chunks through its tree of relays, and an exchange among relays.

Only their messages are simulated, not state machines. Sending and receiving one cost what they cost the program.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.model import Costs
from benchmarks.simulation.network import Network, Path
from engine.coordinator.seating import above

CHUNKS = 16
TOP = 0  # the number of the coordinator, as machines are numbered from 1 on


def busy(processes: int, costs: Costs) -> float:
    """Return the seconds from the parameters' arrival at a machine to its sums."""
    return 4 * costs.microbatch + 2 * processes * costs.local + 2 * costs.wake


@dataclass
class _Machine:
    processor: Processor  # of the relay, or coordinator
    below: list[int] = field(default_factory=list)  # who joined it, those for most machines first
    has: int = 0  # chunks of the parameters
    sent: dict[int, int] = field(default_factory=dict)  # chunks of these, by who is below
    computed: bool = False
    came: dict[int, int] = field(default_factory=dict)  # chunks of sums, by who is below
    up: int = 0  # chunks of the sums that were sent up


class Tree:
    """A step in which relays pass on chunks at once, to one below after the other, and chunks of sums upwards."""

    def __init__(self, machines: int, processes: int, rate: float, costs: Costs, chunks: int = CHUNKS) -> None:
        self._events, self._costs, self._chunks = Events(), costs, chunks
        self._busy = busy(processes, costs)
        network = Network(self._events, rate, costs)
        links = [network.link() for _ in range(machines + 1)]
        self._machines = [_Machine(Processor(self._events)) for _ in links]
        for number in range(machines, 0, -1):
            self._machines[above(number)].below.append(number)
        self._down = {n: Path(network, links[above(n)], links[n]) for n in range(1, machines + 1)}
        self._up = {n: Path(network, links[n], links[above(n)]) for n in range(1, machines + 1)}
        self._done = False

    def seconds(self) -> float:
        """Return how long it takes."""
        top = self._machines[TOP]
        top.has, top.computed = self._chunks, True
        self._events.at(self._costs.step, lambda: self._pass_down(TOP))
        while not self._done:
            self._events.next()
        return self._events.now

    def _carry(self, path: Path, ends: tuple[int, int], then: Callable[[], None]) -> None:
        costs, (here, there) = self._costs, (self._machines[number].processor for number in ends)

        def take() -> None:
            self._events.at(there.work(costs.wake / self._chunks + costs.remote), then)

        path.carry(costs.vector // self._chunks, here.work(costs.remote), take)

    def _pass_down(self, number: int) -> None:
        """Let the chunks that are there leave, for the first of those below that have not got all."""
        machine = self._machines[number]
        to = next((one for one in machine.below if self._machines[one].has < self._chunks), None)
        while to is not None and machine.sent.get(to, 0) < machine.has:
            machine.sent[to] = machine.sent.get(to, 0) + 1
            self._carry(self._down[to], (number, to), lambda: self._came_down(to))

    def _came_down(self, number: int) -> None:
        machine = self._machines[number]
        machine.has += 1
        if machine.has == self._chunks:
            self._events.at(self._events.now + self._busy, lambda: self._computed(number))
        self._pass_down(above(number))
        self._pass_down(number)

    def _computed(self, number: int) -> None:
        self._machines[number].computed = True
        self._pass_up(number)

    def _pass_up(self, number: int) -> None:
        machine = self._machines[number]
        there = min((machine.came.get(one, 0) for one in machine.below), default=self._chunks)
        if number == TOP:
            self._done = there == self._chunks
        while number != TOP and machine.computed and machine.up < there:
            machine.up += 1
            self._carry(self._up[number], (number, above(number)), lambda: self._came_up(number))

    def _came_up(self, number: int) -> None:
        to = self._machines[above(number)]
        to.came[number] = to.came.get(number, 0) + 1
        wait = self._costs.add / self._chunks
        self._events.at(self._events.now + wait, lambda: self._pass_up(above(number)))


@dataclass
class _Member:
    """A machine of an exchange, or the coordinator. Its link carries one message after the other, each way."""

    processor: Processor
    io: Processor
    out: Processor
    into: Processor
    parameters: int = 0  # parts that it has
    sums: int = 0  # of its part that have come, its own included

    @classmethod
    def new(cls, events: Events) -> Self:
        return cls(Processor(events), Processor(events), Processor(events), Processor(events))


class Exchange:
    """A step in which each machine adds one part of the vector for all, and passes its part of the parameters on.

    The coordinator sends each machine a part of the parameters, which sends it to all others. Of its sums a machine
    sends each of the others a part. Who has one part of all sums adds it up and sends it to the coordinator. Each link
    then carries two vectors each way, the coordinator's one. A link is used as well as it can be.
    """

    def __init__(self, machines: int, processes: int, rate: float, costs: Costs) -> None:
        self._events, self._costs, self._rate = Events(), costs, rate
        self._busy = busy(processes, costs)
        self._machines = range(1, machines + 1)
        self._size = costs.vector / machines
        self._members = [_Member.new(self._events) for _ in (TOP, *self._machines)]

    def seconds(self) -> float:
        """Return how long it takes."""
        top = self._members[TOP]
        top.processor.work(self._costs.step)
        for number in self._machines:
            self._carry(TOP, number, self._part_came(number, own=True))
        while top.sums < len(self._machines):
            self._events.next()
        return self._events.now

    def _carry(self, here: int, there: int, then: Callable[[], None], besides: float = 0.0) -> None:
        """Let a part go from one to another; it takes the other `besides` seconds to deal with."""
        costs, at, sender, receiver = self._costs, self._events.at, self._members[here], self._members[there]
        handling, wire = costs.carry + self._size * costs.byte, self._size / self._rate
        ready = sender.processor.work(costs.remote)
        at(ready, lambda: at(sender.io.work(handling), leave))

        def leave() -> None:
            begins = sender.out.work(wire) - wire + costs.latency
            at(begins, lambda: at(receiver.into.work(wire), decrypt))

        def decrypt() -> None:
            at(receiver.io.work(handling), lambda: at(receiver.processor.work(costs.remote + besides), then))

    def _others(self, number: int) -> list[int]:
        """Return the others, each beginning with another one."""
        return [*self._machines[number:], *self._machines[: number - 1]]

    def _part_came(self, number: int, own: bool) -> Callable[[], None]:
        def act() -> None:
            member = self._members[number]
            member.parameters += 1
            for other in self._others(number) if own else ():
                self._carry(number, other, self._part_came(other, own=False))
            if member.parameters == len(self._machines):
                self._events.at(self._events.now + self._busy, lambda: self._computed(number))

        return act

    def _computed(self, number: int) -> None:
        for other in self._others(number):
            self._carry(number, other, partial(self._sum_came, other), self._costs.add / len(self._machines))
        self._sum_came(number)

    def _sum_came(self, number: int) -> None:
        member = self._members[number]
        member.sums += 1
        if member.sums == len(self._machines):
            self._carry(number, TOP, self._sum_taken)

    def _sum_taken(self) -> None:
        self._members[TOP].sums += 1
