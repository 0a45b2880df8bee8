"""A simulated cluster: a coordinator, and machines whose processes are behind a relay or each for itself."""

from collections import Counter
from random import Random
from typing import Literal

import numpy as np

from benchmarks.simulation import model
from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.linked import SimulatedLinks
from benchmarks.simulation.model import Arbiter, Costs
from benchmarks.simulation.network import Network, Path
from benchmarks.simulation.processes import Process, Socket, size_of
from benchmarks.simulation.relayed import Nobody, RelayedMachine, carried
from engine.compute.fingerprint import fingerprint
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.notices import Notice
from engine.coordinator.policy import Policy
from engine.coordinator.rounds import Event, Instruction, Scheduler
from engine.data import cache
from engine.wire import messages as m

Shape = Literal["singles", "star", "tree", "exchange"]


class CountingScheduler(Scheduler):
    """Counts what it was told and what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: Counter[str] = Counter()

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Handle an event as any scheduler, and count."""
        out = super().handle(event, now)
        self.kinds.update(type(one).__name__ for one in (event, *out))
        return out


class Cluster:
    """`machines` of `processes` each, at `rate` bytes a second; with a relay each, unless the shape is "singles"."""

    def __init__(self, machines: int, processes: int, rate: float, shape: Shape, costs: Costs, seed: int = 1) -> None:
        self.events, self.costs, self.rng = Events(), costs, Random(seed)
        self.network = Network(self.events, rate, costs)
        self.link, self.processor = self.network.link(), Processor(self.events)
        self.socket = Socket(self.events, self.processor, costs.remote, local=False, costs=costs)
        self.relays: list[RelayedMachine] = []
        self.places: dict[str, RelayedMachine] = {}  # by the address at which it can be joined
        self.links: dict[str, SimulatedLinks] = {}  # by the same, of those in an exchange
        self.notices: list[Notice] = []
        self._made = 0
        self._images = machines * processes * 64
        job = model.job(self._images)
        config = Config(job, job.batch_size, model.TEST, cache.content(job.data), "s", fingerprint(), Policy(twice=0))
        environment = Environment(self.socket, Nobody(), self.processor, self.notices.append, lambda: False, Arbiter())
        self.scheduler = CountingScheduler()
        self.coordinator = Coordinator(config, environment, self.scheduler)
        self._processes, self._shape = processes, shape
        for _ in range(machines):
            self.grow()
        self.coordinator.gather(machines * processes)

    def grow(self, reachable: bool = True) -> None:
        """Add a machine; one that is not `reachable` can be in no exchange."""
        number, self._made = self._made, self._made + 1
        if self._shape == "singles":
            self._single(number, self._processes)
        else:
            machine = RelayedMachine(self, number, self._processes, self._shape)
            if isinstance(machine.links, SimulatedLinks):
                machine.links.unreachable = not reachable
            self.relays.append(machine)

    def _single(self, number: int, processes: int) -> None:
        link, paths = self.network.link(), dict[bytes, Path]()

        def say(name: bytes, frames: list[m.Frame]) -> None:
            when, size = self.events.now, size_of(frames, self.costs.vector)
            paths[name].carry(size, when, lambda: self.socket.arrive(name, frames))

        for one in range(processes):
            name = b"%d.%d" % (number, one)
            paths[name] = Path(self.network, link, self.link)
            process = Process(name, self.events, self.costs, self.rng, say)
            self.socket.peers[name] = (carried(self.network, self.link, link), process.receive)

    def step(self, step: int) -> float:
        """Take a step, compare its sums with what they must be, and return how long it took."""
        parameters = np.full(model.SIZE, step % 97, np.float32)
        out = np.zeros(model.SIZE, np.float32)
        began = self.processor.work(self.costs.step)
        found = self.coordinator.start(step, parameters, out).result()
        total = self._images // model.MICROBATCH
        expected = model.sums(step, (0, total), parameters)
        if (found.loss, model.bytes_of(found)) != (expected.loss, model.bytes_of(expected)):
            raise AssertionError(f"step {step}: the sums are wrong")
        return self.processor.now() - began + self.costs.step
