"""The ends of simulated connections, and the processes that compute."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import cache, partial
from random import Random

from benchmarks.simulation import model
from benchmarks.simulation.events import Events, Processor
from benchmarks.simulation.model import Costs
from engine.compute.fingerprint import fingerprint
from engine.compute.tree import cover
from engine.nn.parameters import Vector
from engine.wire import Received, exchange
from engine.wire import messages as m
from workers.session import Compute, Prepare, Send, Session

numerics = cache(fingerprint)  # of this process, for all that it stands for
Carry = Callable[[bytes, int, float, Callable[[], None]], object]  # to whom, bytes, from when on, and what then
HEADER = 60  # bytes around the frames of a message


VECTORS = {kind.opcode for kind in (m.Work, m.Result, exchange.Part, exchange.Piece, exchange.Sum)}
OPCODE = 2  # where it is in a header


def size_of(frames: Sequence[m.Frame], vector: int) -> int:
    """Return the bytes of a message, in which a toy's vector stands for a real one, and a part of it for a part."""
    payload = sum(len(frame) for frame in frames[1:])
    if frames[0][OPCODE] in VECTORS:
        payload = payload * vector // (4 * model.SIZE)
    return HEADER + len(frames[0]) + payload


class Socket:
    """The end of a coordinator, or of a relay for its processes (an `Endpoint`)."""

    def __init__(self, events: Events, processor: Processor, cost: float, local: bool, costs: Costs) -> None:
        self.peers: dict[bytes, tuple[Carry, Callable[[Sequence[m.Frame]], None]]] = {}
        self.remote: set[bytes] = set()  # those of a relay's peers that are on other machines
        self.kinds: Counter[str] = Counter()  # of messages that came
        self._events = events
        self._processor = processor
        self._cost = cost
        self._local = local
        self._costs = costs
        self._came: deque[Received] = deque()
        self.taken = 0  # messages
        self._lost = False

    def send(self, peer: bytes, frames: Sequence[m.Frame]) -> bool:
        if peer not in self.peers:
            return False
        carry, receive = self.peers[peer]
        copied = [bytes(frame) for frame in frames]
        carry(
            peer, size_of(copied, self._costs.vector), self._processor.work(self._price(peer)), lambda: receive(copied)
        )
        return True

    def _price(self, peer: bytes) -> float:
        return self._costs.remote if peer in self.remote else self._cost

    def arrive(self, peer: bytes, frames: Sequence[m.Frame]) -> None:
        if peer in self.peers:
            self._came.append(Received(peer, frames))

    def poll(self, timeout: float) -> list[Received]:
        """Return the next message; the coordinator lets the world go on until there is one."""
        if not self._local:
            end = self._processor.now() + timeout
            while not self._came and self._events.next_time() <= end:
                self._events.next()
            if not self._came:
                self._events.now = max(self._events.now, end)
        if not self._came:
            return []
        received = self._came.popleft()
        self.taken += 1
        self._processor.work(self._price(received.peer))
        self.kinds[type(m.decode(received.frames)[0]).__name__] += 1
        return [received]

    def waiting(self) -> bool:
        return bool(self._came)

    def hang_up(self, peer: bytes) -> None:
        self.peers.pop(peer, None)
        self._lost = True

    def lost_connections(self) -> bool:
        lost, self._lost = self._lost, False
        return lost

    def is_local(self, peer: bytes) -> bool:
        return self._local and peer not in self.remote

    def key(self, peer: bytes) -> str:
        return ""

    def trust(self, peer: bytes) -> None:
        pass

    def floods(self, peer: bytes) -> bool:
        return False

    def refuse(self, peer: bytes, forever: bool = False) -> None:
        raise AssertionError("nobody misbehaves here")


class Process:
    """Computes what it is told, in `costs.microbatch` seconds a micro-batch; the protocol is that of any worker.

    One of a relay stands for one that shares memory with it: the parameters take no time to arrive.
    """

    def __init__(
        self,
        name: bytes,
        events: Events,
        costs: Costs,
        rng: Random,
        say: Callable[[bytes, list[m.Frame]], None],
        of_relay: bool = False,
    ) -> None:
        self.name = name
        self._of_relay = of_relay
        self.ended = False
        self.slowness = 1.0
        self._events, self._costs, self._rng, self._say = events, costs, rng, say
        self._session = Session()
        self._free = 0.0
        self._parameters: Vector = model.MODEL.layout().zeros()
        say(name, m.encode(m.Hello("simulated", 1, numerics())))

    def receive(self, frames: Sequence[m.Frame]) -> None:
        if self.ended:
            return
        for action in self._session.handle(*m.decode(frames)):
            match action:
                case Prepare():
                    layout = model.MODEL.layout()
                    for answer in self._session.prepared(layout.digest, layout.size, ""):
                        if isinstance(answer, Send):
                            self._say(self.name, m.encode(answer.message))
                case Send(message) if not self._of_relay:
                    self._say(self.name, m.encode(message))
                case Compute(work, parameters):
                    self._parameters = self._parameters if parameters is None else parameters
                    self._compute(work)

    def _compute(self, work: m.Work) -> None:
        self._free = max(self._free, self._events.now)
        for block in cover(work.start, work.stop, work.total):
            took = (block[1] - block[0]) * self._costs.microbatch * self.slowness
            took *= max(0.2, self._rng.gauss(1.0, self._costs.noise))
            self._free += took
            found = model.sums(work.step, block, self._parameters)
            result = m.Result(work.session, work.round, work.attempt, *block, found.loss, 0, took, 0.0)
            training = work.kind is m.WorkKind.TRAIN and found.gradient is not None
            frames = m.encode(result, model.bytes_of(found) if training else None)
            self._events.at(self._free, partial(self._answer, frames))

    def _answer(self, frames: list[m.Frame]) -> None:
        if not self.ended:
            self._say(self.name, frames)
