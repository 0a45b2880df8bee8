"""A simulated cluster: a coordinator, and machines whose processes are behind a relay or each for itself."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from benchmarks.simulation import model
from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.model import Arbiter, Costs
from benchmarks.simulation.network import Link, Network
from benchmarks.simulation.processes import Process, Socket, size_of
from engine.compute.fingerprint import fingerprint
from engine.coordinator.config import Config, Environment
from engine.coordinator.coordinator import Coordinator
from engine.coordinator.policy import Policy
from engine.data import cache
from engine.wire import messages as m
from workers.relay.group import Workplace
from workers.relay.worker import RelayWorker

TURN = 0.25  # seconds between a relay's turns while nothing happens


class Nobody:
    """A supervisor; `replace` is called at every look."""

    def __init__(self, replace: Callable[[], None] = lambda: None) -> None:
        self._replace = replace

    def look(self) -> list[int]:
        self._replace()
        return []

    def useful(self, pid: int) -> None:
        pass

    def suspect(self, host: str, pid: int) -> None:
        pass

    def trust(self, host: str, pid: int) -> None:
        pass


class Cluster:
    """`machines` of `processes` each, at `rate` bytes a second; with a relay each, if `relays`."""

    def __init__(self, machines: int, processes: int, rate: float, relays: bool, costs: Costs, seed: int = 1) -> None:
        self.events, self.costs, self.rng = Events(), costs, Random(seed)
        self.network = Network(self.events, rate, costs.latency)
        self.link, self.processor = Link(), Processor(self.events)
        self.socket = Socket(self.events, self.processor, costs.remote, local=False, vector=costs.vector)
        self.relays: list[RelayedMachine] = []
        self._images = machines * processes * 64
        job = model.job(self._images)
        config = Config(job, job.batch_size, model.TEST, cache.content(job.data), "s", fingerprint(), Policy(twice=0))
        environment = Environment(self.socket, Nobody(), self.processor, lambda _: None, lambda: False, Arbiter())
        self.coordinator = Coordinator(config, environment)
        for number in range(machines):
            if relays:
                self.relays.append(RelayedMachine(self, number, processes))
            else:
                self._single(number, processes)
        self.coordinator.gather(machines * processes)

    def _single(self, number: int, processes: int) -> None:
        link = Link()

        def say(name: bytes, frames: list[m.Frame]) -> None:
            when, size = self.events.now, size_of(frames, self.costs.vector)
            self.network.carry(link, self.link, size, when, lambda: self.socket.arrive(name, frames))

        for one in range(processes):
            name = b"%d.%d" % (number, one)
            process = Process(name, self.events, self.costs, self.rng, say)
            self.socket.peers[name] = (self.carry_to(link), process.receive)

    def carry_to(self, link: Link) -> Callable[..., object]:
        return lambda _, size, when, deliver: self.network.carry(self.link, link, size, when, deliver)

    def step(self, step: int) -> float:
        """Take a step, compare its sums with what they must be, and return how long it took."""
        parameters = np.full(model.SIZE, step % 97, np.float32)
        out = np.zeros(model.SIZE, np.float32)
        began = self.processor.work(self.costs.step)
        found = self.coordinator.start(step, parameters, out).result()
        total = self._images // model.MICROBATCH
        expected = model.sums(step, (0, total), parameters)
        if (found.loss, out.tobytes()) != (expected.loss, model.bytes_of(expected)):
            raise AssertionError(f"step {step}: the sums are wrong")
        return self.processor.now() - began + self.costs.step


class RelayedMachine:
    """A machine with a relay, as the program has it, and its processes."""

    def __init__(self, cluster: Cluster, number: int, processes: int) -> None:
        self._cluster, self.name, self.count = cluster, b"m%d" % number, processes
        events, costs = cluster.events, cluster.costs
        self.link, self.processor = Link(), Processor(events)
        self.socket = Socket(events, self.processor, costs.local, local=True, vector=costs.vector)
        self.processes: list[Process] = []
        self._made = 0
        self._due = False
        self._came: deque[Sequence[m.Frame]] = deque()
        self._new, self.ended = True, False
        cluster.socket.peers[self.name] = (cluster.carry_to(self.link), self._receive)
        self.relay = RelayWorker(self, 1e9, self, None, self.processor, lambda: 0.0, arbiter_for=Arbiter)
        self._tick()

    # What a group is to the relay.
    def open(self, size: int) -> Workplace:
        self.fill()
        return Workplace(self.socket, Nobody(self.fill), None)

    def fill(self) -> None:
        """Start the processes that are missing."""
        while len(self.processes) < self.count:
            self._made += 1
            name = b"%s.%d" % (self.name, self._made)
            process = Process(name, self._cluster.events, self._cluster.costs, self._cluster.rng, self._from_below)
            self.processes.append(process)
            self.socket.peers[name] = (self._to_below, process.receive)

    def lose(self) -> None:
        """End a process, if there is one."""
        if self.ended or not self.processes:
            return
        process = self.processes.pop(0)
        process.ended = True
        self.socket.hang_up(process.name)
        self._turn_soon(0.0)

    def end(self) -> None:
        """End the relay with its processes."""
        self.ended = True
        for process in self.processes:
            process.ended = True
        self._cluster.socket.hang_up(self.name)

    def _to_below(self, peer: bytes, size: int, when: float, deliver: Callable[[], None]) -> None:
        self._cluster.events.at(when + self._cluster.costs.wake, deliver)

    def _from_below(self, name: bytes, frames: list[m.Frame]) -> None:
        def arrive() -> None:
            self.socket.arrive(name, frames)
            self._turn_soon(0.0)

        self._cluster.events.at(self._cluster.events.now + self._cluster.costs.wake, arrive)

    # What a connection is to the relay.
    address, unwelcome = "simulated", ""

    def watch(self, descriptor: int) -> None:
        pass

    def connected(self) -> bool:
        new, self._new = self._new, False
        return new

    def poll(self, timeout: float) -> Sequence[m.Frame] | None:
        return self._came.popleft() if self._came else None

    def send(self, frames: Sequence[m.Frame]) -> None:
        copied = [bytes(frame) for frame in frames]
        cluster = self._cluster
        size, when = size_of(copied, cluster.costs.vector), self.processor.work(cluster.costs.local)
        cluster.network.carry(self.link, cluster.link, size, when, lambda: cluster.socket.arrive(self.name, copied))

    def close(self) -> None:
        pass

    def _receive(self, frames: Sequence[m.Frame]) -> None:
        self._came.append(frames)
        self._turn_soon(self._cluster.costs.wake)

    def _turn_soon(self, delay: float) -> None:
        if not self._due:
            self._due = True
            self._cluster.events.at(max(self._cluster.events.now, self.processor.now()) + delay, self._turn)

    def _turn(self) -> None:
        self._due = False
        if not self.ended and self.relay.turn():
            raise AssertionError("a relay ended by itself")
        if self.socket.waiting() or self._came:
            self._turn_soon(0.0)

    def _tick(self) -> None:
        self._turn_soon(0.0)
        if not self.ended:
            self._cluster.events.at(self._cluster.events.now + TURN, self._tick)
