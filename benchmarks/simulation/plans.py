"""Ways that the program does not have: vectors in chunks through its tree of relays, and an exchange among relays.

Only the network is simulated, with the same links and costs; what the program's own state machines would add is not
known.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.simulation.events import Events
from benchmarks.simulation.model import Costs
from benchmarks.simulation.network import Link, Network, Path
from engine.coordinator.seating import above

CHUNKS = 16
TOP = 0  # the number of the coordinator, as machines are numbered from 1 on


def busy(processes: int, costs: Costs) -> float:
    """Return the seconds from the parameters' arrival at a machine to its sums."""
    return 4 * costs.microbatch + 2 * processes * costs.local + 2 * costs.wake


@dataclass
class _Machine:
    below: list[int] = field(default_factory=list)  # who joined it, those for most machines first
    has: int = 0  # chunks of the parameters
    sent: dict[int, int] = field(default_factory=dict)  # chunks of these, by who is below
    computed: bool = False
    came: dict[int, int] = field(default_factory=dict)  # chunks of sums, by who is below
    up: int = 0  # chunks of the sums that were sent up
    sending: bool = False


class Tree:
    """A step in which relays pass on chunks at once, to one below after the other, and chunks of sums upwards."""

    def __init__(self, machines: int, processes: int, rate: float, costs: Costs, chunks: int = CHUNKS) -> None:
        self._events, self._costs, self._chunks = Events(), costs, chunks
        self._busy = busy(processes, costs)
        network, links = Network(self._events, rate, costs.latency), [Link() for _ in range(machines + 1)]
        self._machines = [_Machine() for _ in links]
        for number in range(machines, 0, -1):
            self._machines[above(number)].below.append(number)
        self._down = {n: Path(network, links[above(n)], links[n]) for n in range(1, machines + 1)}
        self._up = {n: Path(network, links[n], links[above(n)]) for n in range(1, machines + 1)}
        self._done = False

    def seconds(self) -> float:
        """Return how long it takes."""
        top = self._machines[TOP]
        top.has, top.computed = self._chunks, True
        self._events.at(self._costs.step + self._costs.remote, lambda: self._pass_down(TOP))
        while not self._done:
            self._events.next()
        return self._events.now

    def _carry(self, path: Path, then: Callable[[], None]) -> None:
        costs, events = self._costs, self._events
        path.carry(
            costs.vector // self._chunks,
            events.now + costs.remote / self._chunks,
            lambda: events.at(events.now + costs.wake / self._chunks, then),
        )

    def _pass_down(self, number: int) -> None:
        """Let the next chunk leave, for the first of those below that have not had all."""
        machine = self._machines[number]
        to = next((one for one in machine.below if machine.sent.get(one, 0) < self._chunks), None)
        if to is None or machine.sent.get(to, 0) != self._machines[to].has or self._machines[to].has >= machine.has:
            return
        machine.sent[to] = machine.sent.get(to, 0) + 1
        self._carry(self._down[to], lambda: self._came_down(to))

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
        elif machine.computed and not machine.sending and machine.up < there:
            machine.sending = True
            machine.up += 1
            self._carry(self._up[number], lambda: self._came_up(number))

    def _came_up(self, number: int) -> None:
        to = self._machines[above(number)]
        to.came[number] = to.came.get(number, 0) + 1
        self._machines[number].sending = False
        self._pass_up(number)
        wait = self._costs.add / self._chunks
        self._events.at(self._events.now + wait, lambda: self._pass_up(above(number)))


def exchange(machines: int, processes: int, rate: float, costs: Costs) -> float:
    """Return the seconds of a step where each machine adds one part of the vector for all, and passes its part on.

    Every link then carries two vectors each way, all the time, but for the coordinator's, which carries one.
    """
    part, others = costs.vector / machines, (machines - 1) / machines * costs.vector
    began = costs.step + machines * costs.remote
    messages = (machines - 1) * (costs.local + costs.remote)  # one sent, and one taken, to and from each of the others
    each_way = part / rate + others / rate + messages + 2 * costs.latency
    adding = costs.add + machines * costs.remote
    return began + each_way + busy(processes, costs) + each_way + adding + costs.vector / rate
