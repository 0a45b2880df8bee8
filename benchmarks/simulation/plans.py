"""A way that the program does not have: vectors in chunks through its tree of relays.

Only its messages are simulated, not state machines. Sending and receiving one cost what they cost the program.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

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
