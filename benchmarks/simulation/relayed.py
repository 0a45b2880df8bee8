"""A simulated machine with a relay, as the program has it."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.linked import SimulatedLinks
from benchmarks.simulation.model import Arbiter, Costs
from benchmarks.simulation.network import Link, Network, Path
from benchmarks.simulation.processes import OPCODE, Process, Socket, size_of
from engine.wire import messages as m
from workers.relay.events import Connected, Told, Tried
from workers.relay.group import OpenGroup
from workers.relay.links import Links, NoLinks, Unlink
from workers.relay.worker import RelayWorker

TURN = 0.25  # seconds between a relay's turns while nothing happens
LATE = 5.0  # seconds for which a relay is frozen: longer than others wait for it in an exchange
DEAF = 0.001  # between its turns while its processes say something that it does not take


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


class World(Protocol):
    """What a machine needs of its cluster: see `Cluster`."""

    events: Events
    costs: Costs
    rng: Random
    network: Network
    link: Link
    socket: Socket
    places: "dict[str, RelayedMachine]"
    links: dict[str, SimulatedLinks]


class RelayedMachine:
    """A machine with a relay, and its processes; `topology`: as the option of the relay."""

    def __init__(self, cluster: World, number: int, processes: int, topology: str) -> None:
        self._cluster, self.name, self.count = cluster, b"m%d" % number, processes
        events, costs = cluster.events, cluster.costs
        self.link, self.processor = cluster.network.link(), Processor(events)
        self.socket = Socket(events, self.processor, costs.local, local=True, costs=costs)
        self.processes: list[Process] = []
        self._made = 0
        self._due = False
        self._came: deque[Sequence[m.Frame]] = deque()
        self._told: deque[Sequence[m.Frame]] = deque()  # by the coordinator, while another is above
        self._happened: list[Connected | Tried | Told] = []
        self.above: RelayedMachine | None = None
        self._tried: RelayedMachine | None = None
        self.ended = False
        self.tree = topology == "tree"
        self._place = "" if topology == "star" else f"tcp://10.0.{number // 200}.{number % 200 + 1}:1"
        if self.tree:
            cluster.places[self._place] = self
        self.links: Links = NoLinks()
        if topology == "exchange":
            own = cluster.network, costs, events, cluster.links, self._place
            self.links = SimulatedLinks(self, *own)
        self._frozen = 0.0  # until when
        self._freezes_at: int | None = None  # the opcode of a message
        self.plug_in()
        self.relay = RelayWorker(self, 1e9, self, None, self.processor, lambda: 0.0, arbiter_for=Arbiter)
        self._tick()

    # What a group is to the relay.
    def open(self, size: int) -> OpenGroup:
        self.fill()
        return OpenGroup(self.socket, self.links, Nobody(self.fill), None, self._place)

    def fill(self) -> None:
        """Start the processes that are missing."""
        while len(self.processes) < self.count:
            self._made += 1
            name = b"%s.%d" % (self.name, self._made)
            world = self._cluster
            process = Process(name, world.events, world.costs, world.rng, self._from_below, of_relay=True)
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
        """End the relay with its processes, unless it is the last one."""
        if self.plugged() and len(self._cluster.socket.peers) < 2:
            return
        self.ended = True
        for process in self.processes:
            process.ended = True
        if isinstance(self.links, SimulatedLinks):
            self.links.perform(Unlink())
        self.unplug()

    def unplug(self) -> None:
        """Cut its connections upwards."""
        self.back()
        self._cluster.socket.hang_up(self.name)
        self._happened.clear()

    def cut(self, seconds: float) -> None:
        """Cut its connections upwards for a while; those behind it notice nothing."""
        if not self.ended:
            self.unplug()
            self._cluster.events.at(self._cluster.events.now + seconds, self.plug_in)

    def freeze_at(self, opcode: int) -> None:
        """Let the relay do nothing for a while when such a message comes from the coordinator."""
        self._freezes_at = opcode

    def slow_down(self, times: float, everyone: bool) -> None:
        """Let one process compute more slowly, or `everyone`."""
        for process in self.processes if everyone else self.processes[:1]:
            process.slowness = times

    def plugged(self) -> bool:
        """Return whether it has a connection to the coordinator."""
        return self.name in self._cluster.socket.peers

    def plug_in(self) -> None:
        """Connect to the coordinator."""
        if not self.ended and self.name not in self._cluster.socket.peers:
            self._came.clear()
            cluster = self._cluster
            self._up = Path(cluster.network, self.link, cluster.link)
            cluster.socket.peers[self.name] = (
                carried(cluster.network, cluster.link, self.link),
                self._receive_from(None),
            )
            self._happened.append(Connected())
            self._turn_soon(0.0)

    def _to_below(self, peer: bytes, size: int, when: float, deliver: Callable[[], None]) -> None:
        self._cluster.events.at(when + self._cluster.costs.wake, deliver)

    def _from_below(self, name: bytes, frames: list[m.Frame]) -> None:
        def arrive() -> None:
            self.socket.arrive(name, frames)
            self._turn_soon(0.0)

        self._cluster.events.at(self._cluster.events.now + self._cluster.costs.wake, arrive)

    # What a connection is to the relay.
    address, unwelcome, key = "simulated", "", ""

    def watch(self, descriptor: int) -> None:
        pass

    def connected(self) -> bool:
        raise AssertionError("a relay asks for events")

    def arriving(self) -> bool:
        return False

    def events(self) -> list[Connected | Tried | Told]:
        if self.above is not None and (self.above.ended or self.name not in self.above.socket.peers):
            self.back()
        found, self._happened = self._happened, []
        while self._told:
            found.append(Told(m.decode(self._told.popleft())[0]))
        return found

    def attempt(self, address: str, key: str) -> None:
        other = self._cluster.places[address]
        self._tried = None if other.ended or other is self else other
        self._happened.append(Tried(self._tried is not None))
        self._turn_soon(self._cluster.costs.latency)

    def join(self) -> None:
        other = self.above = self._tried
        if other is not None:
            network = self._cluster.network
            self._aside = Path(network, self.link, other.link)
            carry = carried(network, other.link, self.link)
            other.socket.peers[self.name] = (carry, self._receive_from(other))
            other.socket.remote.add(self.name)
            self._came.clear()
            self._happened.append(Connected(home=False))
            self._turn_soon(self._cluster.costs.latency)

    def back(self) -> None:
        if self.above is not None:
            self.above.socket.hang_up(self.name)
            self.above.nudge()
            self.above = None
            self._came.clear()
            joined = Connected(home=False)  # of which the relay has not been told yet, and is not to be any more
            self._happened = [*(one for one in self._happened if one != joined), Connected()]

    def nudge(self) -> None:
        """Let the relay look at what has happened."""
        self._turn_soon(0.0)

    def poll(self, timeout: float) -> Sequence[m.Frame] | None:
        if not self._came:
            return None
        self.processor.work(self._cluster.costs.remote)
        return self._came.popleft()

    def send(self, frames: Sequence[m.Frame]) -> None:
        copied = [bytes(frame) for frame in frames]
        cluster, above = self._cluster, self.above
        socket, path = (above.socket, self._aside) if above else (cluster.socket, self._up)

        def arrive() -> None:
            socket.arrive(self.name, copied)
            if above:
                above._turn_soon(cluster.costs.wake)

        size, when = size_of(copied, cluster.costs.vector), self.processor.work(cluster.costs.remote)
        path.carry(size, when, arrive)

    def close(self) -> None:
        pass

    def _receive_from(self, source: "RelayedMachine | None") -> Callable[[Sequence[m.Frame]], None]:
        def receive(frames: Sequence[m.Frame]) -> None:
            if frames[0][OPCODE] == self._freezes_at:
                self._freezes_at = None
                self._frozen = self._cluster.events.now + LATE
            if source is self.above:
                self._came.append(frames)
            elif source is None:
                self._told.append(frames)
            self._turn_soon(self._cluster.costs.wake)

        return receive

    def _turn_soon(self, delay: float) -> None:
        if not self._due:
            self._due = True
            self._cluster.events.at(max(self._cluster.events.now, self.processor.now()) + delay, self._turn)

    def _turn(self) -> None:
        self._due = False
        if self.ended:
            return
        if self._cluster.events.now < self._frozen:
            self._due = True
            self._cluster.events.at(self._frozen, self._turn)
            return
        taken = self.socket.taken
        if self.relay.turn():
            raise AssertionError("a relay ended by itself")
        if self._came or (self.socket.waiting() and self.socket.taken > taken):
            self._turn_soon(0.0)
        elif self.socket.waiting():  # between two sessions it does not listen to its processes
            self._turn_soon(DEAF)

    def _tick(self) -> None:
        self._turn_soon(0.0)
        if not self.ended:
            self._cluster.events.at(self._cluster.events.now + TURN, self._tick)


def carried(network: Network, here: Link, there: Link) -> Callable[..., object]:
    """Return what carries messages from one machine to another, by one connection."""
    path = Path(network, here, there)
    return lambda _, size, when, deliver: path.carry(size, when, deliver)
