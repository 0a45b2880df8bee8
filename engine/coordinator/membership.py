"""Who is there: greets workers, checks that they compute the same bits, and keeps count of what each has done."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from engine.compute.job import Job
from engine.coordinator.notices import STRANGER, Notice
from engine.coordinator.source import WorkerReport
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire.shared_memory import SLOTS, SharedMemory


@dataclass
class Member:
    """A worker that was welcomed; at work once `ready`. Totals are over training only."""

    name: str
    host: str
    pid: int
    ready: bool = False
    images: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    box: int | None = None  # its number in shared memory

    def report(self) -> WorkerReport:
        """Return what the worker has done so far."""
        return WorkerReport(self.name, self.host, self.pid, self.images, self.seconds, self.cpu)


class Membership:
    """The workers of one session, by their identity on the transport."""

    def __init__(
        self,
        job: Job,
        content: m.Frame,
        session: str,
        numerics: str,
        notice: Callable[[Notice], None],
        shared_memory: SharedMemory | None = None,
        known: Collection[str] = (),
    ) -> None:
        """`content`: the bytes of the data set, for workers that do not have it.

        `known`: names that workers had in earlier sessions of the run, and nobody gets again.
        """
        self.session = session
        self.shared_memory = shared_memory
        self._job = m.pack(job.describe())
        self._content = memoryview(content)
        self._schema = job.model.layout().digest
        self._numerics = numerics
        self._notice = notice
        self._members: dict[bytes, Member] = {}
        self._names: Counter[str] = Counter()
        self._known = frozenset(known)
        self._gone_cpu = 0.0

    def greet(self, peer: bytes, hello: m.Hello) -> list[m.Frame]:
        """Answer a HELLO: WELCOME with the job, or REFUSE if the worker would compute other bits."""
        name = f"{hello.host}:{hello.pid}"
        if hello.numerics != self._numerics:
            reason = f"its numbers depend on other software or hardware: {hello.numerics} (here: {self._numerics})"
            self._notice(Notice("refused", name, reason))
            return m.encode(m.Refuse(m.clip(reason, 600)))
        name = self._new_name(name)
        box = self.shared_memory.owner(hello.token) if self.shared_memory else None
        self._members[peer] = Member(name, hello.host, hello.pid, box=box)
        return m.encode(m.Welcome(self.session, name), self._job)

    def _new_name(self, plain: str) -> str:
        """Return a name that no worker of the run has had: the plain one, or with a number behind it."""
        while True:
            self._names[plain] += 1
            number = self._names[plain]
            name = f"{plain}#{number}" if number > 1 else plain
            if name not in self._known:
                return name

    def chunk(self, peer: bytes, fetch: m.Fetch) -> list[m.Frame]:
        """Answer a FETCH with the next piece of the data; ProtocolError if it was not to be asked for."""
        if self._members[peer].ready:
            raise ProtocolError("FETCH is for a worker that is not ready")
        total = len(self._content)
        if fetch.offset >= total:
            raise ProtocolError(f"data from byte {fetch.offset} on, where there are {total}")
        piece = self._content[fetch.offset : fetch.offset + m.CHUNK_LIMIT]
        return m.encode(m.Chunk(self.session, fetch.offset, total), piece)

    def admit(self, peer: bytes, ready: m.Ready) -> None:
        """Take a READY: the worker can now be given work. ProtocolError if it cannot."""
        member = self._members[peer]
        if member.ready:
            raise ProtocolError("READY is the answer to WELCOME, once")
        if ready.schema != self._schema:
            raise ProtocolError(f"its parameters have the layout {ready.schema}, here it is {self._schema}")
        member.ready = True
        self._notice(Notice("joined", member.name, f"pid {member.pid} on {member.host}", member.report()))

    def drop(self, peer: bytes, reason: str) -> None:
        """Forget a worker that is gone."""
        member = self._members.pop(peer, None)
        if member is not None:
            self._gone_cpu += member.cpu
            # One that never was ready did not join: as with those that are refused, the event is all there is of it.
            self._notice(Notice("left", member.name, reason, member.report() if member.ready else None))

    def credit(self, peer: bytes, result: m.Result, images: int) -> None:
        """Add an answer to what the worker has done."""
        member = self._members[peer]
        member.images += images
        member.seconds += result.seconds
        member.cpu = max(member.cpu, result.cpu)

    def mail(self, peer: bytes, slot: int) -> memoryview:
        """Return the bytes in slot `slot` (from 1) of the worker's shared memory; ProtocolError if it has none."""
        member = self._members[peer]
        if self.shared_memory is None or member.box is None or not 1 <= slot <= SLOTS:
            raise ProtocolError(f"slot {slot} of shared memory that the worker does not have")
        return self.shared_memory.read_only(member.box, slot - 1)

    def get(self, peer: bytes) -> Member | None:
        """Return the worker known as `peer`, if it was welcomed."""
        return self._members.get(peer)

    def peers(self) -> list[bytes]:
        """Return the identities of all who were welcomed."""
        return list(self._members)

    def name(self, peer: bytes) -> str:
        """Return what to call `peer` in the records."""
        member = self._members.get(peer)
        return member.name if member else f"{STRANGER} {peer.hex()}"

    def note(self, kind: str, peer: bytes, text: str) -> None:
        """Put something about `peer` on record."""
        self._notice(Notice(kind, self.name(peer), text))

    def announce(self, kind: str, text: str) -> None:
        """Put something that concerns no single worker on record."""
        self._notice(Notice(kind, "", text))

    def reports(self) -> list[WorkerReport]:
        """Return what each worker at work has done."""
        return [member.report() for member in self._members.values() if member.ready]

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers of the session, those that left included."""
        return self._gone_cpu + sum(member.cpu for member in self._members.values())
