"""The workers of one session, by their identity on the transport, and what each has done."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.compute.tree import Block
from engine.coordinator.notices import STRANGER
from engine.coordinator.source import WorkerReport
from engine.wire import relays

REMEMBERED = 10_000  # plain names that were given: workers may come and go for weeks


class Done(NamedTuple):
    """What the worker or process of this name did for a block; `cpu` as in RESULT."""

    worker: str
    images: int
    seconds: float = 0.0
    cpu: float = 0.0


@dataclass
class Process:
    """A process of a relay, or of one that has joined it: of `via`. Totals are over training only."""

    name: str
    pid: int
    host: str
    via: str
    images: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def add(self, one: relays.Contribution, images: int) -> None:
        """Add what it did for a block, in which `images` are counted for the first time."""
        self.images += images
        self.seconds += one.seconds
        self.cpu = max(self.cpu, one.cpu)


@dataclass
class Member:
    """A worker that was welcomed; it gets work once `ready`. Totals are over training only.

    A relay has `processes`, by number. `told`: which of them computed the block that it answers next.
    """

    name: str
    host: str
    pid: int
    part: int | None = None  # the number of its part of shared memory
    key: str = ""  # the beginning of its public key, in hex; "" if it has none
    libraries: str = ""  # what its kernels are made by
    place: str = ""  # what a launcher calls the place where it runs
    fetched: int = 0  # bytes of the data set before the end of the last piece that it was given
    ready: bool = False
    seated: bool = False  # it was told which relay to join
    images: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    processes: dict[int, Process] = field(default_factory=dict)
    told: tuple[relays.Credit, list[relays.Contribution]] | None = None

    def all_cpu(self) -> float:
        """Return the processor seconds of the worker and its processes."""
        return self.cpu + sum(process.cpu for process in self.processes.values()) if self.processes else self.cpu

    def report(self) -> WorkerReport:
        """Return what the worker has done so far, without its processes."""
        done = self.images, self.seconds, self.cpu
        return WorkerReport(self.name, self.host, self.pid, *done, self.key, self.libraries, self.place)

    def report_of(self, process: Process) -> WorkerReport:
        """Return what one of its processes has done so far."""
        did = process.images, process.seconds, process.cpu
        return WorkerReport(process.name, process.host, process.pid, *did, libraries=self.libraries, via=process.via)

    def reports(self) -> list[WorkerReport]:
        """Return what the worker has done so far, and what each of its processes has."""
        return [self.report(), *map(self.report_of, self.processes.values())]


class Membership:
    """Facts only: nothing is sent or received here. `known`: names of earlier sessions, which are not given again."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self._members: dict[bytes, Member] = {}
        self._names: Counter[str] = Counter()
        self._known = frozenset(known)
        self._given = 0
        self._gone_cpu = 0.0

    def add(
        self,
        peer: bytes,
        host: str,
        pid: int,
        part: int | None = None,
        key: str = "",
        libraries: str = "",
        place: str = "",
    ) -> Member:
        """Add a worker, under a name that no other has had."""
        member = Member(self._new_name(f"{host}:{pid}"), host, pid, part, key, libraries, place)
        self._members[peer] = member
        return member

    def _new_name(self, plain: str) -> str:
        """Return a name that no worker of the run has had: the plain one, or with a number behind it.

        Where no more plain names can be remembered, that is the number of names that were given so far.
        """
        remembered = plain in self._names or len(self._names) < REMEMBERED
        while True:
            self._given += 1
            number = self._given
            if remembered:
                self._names[plain] += 1
                number = self._names[plain]
            name = f"{plain}#{number}" if number > 1 else plain
            if name not in self._known:
                return name

    def drop(self, peer: bytes) -> Member | None:
        """Forget a worker, and return what was known of it; if it joins elsewhere, it keeps its name there."""
        member = self._members.pop(peer, None)
        if member is not None:
            self._gone_cpu += member.all_cpu()
            if member.seated and not member.ready and (plain := f"{member.host}:{member.pid}") in self._names:
                self._names[plain] -= 1
        return member

    def add_process(self, member: Member, told: relays.Process) -> Process:
        """Add a process of a relay, under a name that no other worker has had."""
        host = told.host or member.host
        via = member.processes[told.via].name if told.via in member.processes else member.name
        process = Process(self._new_name(f"{host}:{told.pid}"), told.pid, host, via)
        member.processes[told.number] = process
        return process

    def drop_process(self, member: Member, number: int) -> Process:
        """Forget a process of a relay, and return what was known of it."""
        process = member.processes.pop(number)
        self._gone_cpu += process.cpu
        return process

    def credit(
        self, peer: bytes, images: int, seconds: float, cpu: float, told: Iterable[relays.Contribution] = ()
    ) -> list[Done]:
        """Add an answer to what the worker has done, and return what was added; `cpu` is the total of its stay.

        `told`: which of a relay's processes have done it.
        """
        member = self._members[peer]
        member.cpu = max(member.cpu, cpu)
        done = []
        for one in told:
            seconds = 0.0
            if process := member.processes.get(one.number):
                counted = min(one.images, images)
                process.add(one, counted)
                images -= counted
                done.append(Done(process.name, counted, one.seconds, one.cpu))
        member.images += images
        member.seconds += seconds
        return [*done, Done(member.name, images, seconds, cpu)]

    def told(self, peer: bytes, round_: int, block: Block) -> Sequence[relays.Contribution]:
        """Return which processes of a relay computed `block`, as it told before its answer; empty for a worker."""
        told = self._members[peer].told
        if told and (told[0].round, told[0].start, told[0].stop) == (round_, *block):
            return told[1]
        return ()

    def get(self, peer: bytes) -> Member | None:
        """Return the worker known as `peer`, if it was welcomed."""
        return self._members.get(peer)

    def peers(self) -> list[bytes]:
        """Return the identities of all that were welcomed."""
        return list(self._members)

    def name(self, peer: bytes) -> str:
        """Return what to call `peer` in the records."""
        member = self._members.get(peer)
        return member.name if member else f"{STRANGER} {peer.hex()}"

    def reports(self) -> list[WorkerReport]:
        """Return what each worker that is ready has done."""
        return [report for member in self._members.values() if member.ready for report in member.reports()]

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers of the session, including those that left."""
        return self._gone_cpu + sum(member.all_cpu() for member in self._members.values())
