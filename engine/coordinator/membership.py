"""The workers of one session, by their identity on the transport, and what each has done."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from engine.coordinator.notices import STRANGER
from engine.coordinator.source import WorkerReport

REMEMBERED = 10_000  # plain names that were given: workers may come and go for weeks


@dataclass
class Member:
    """A worker that was welcomed; it gets work once `ready`. Totals are over training only."""

    name: str
    host: str
    pid: int
    part: int | None = None  # the number of its part of shared memory
    key: str = ""  # the beginning of its public key, in hex; "" if it has none
    libraries: str = ""  # what its kernels are made by
    fetched: int = 0  # bytes of the data set before the end of the last piece that it was given
    ready: bool = False
    images: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    def report(self) -> WorkerReport:
        """Return what the worker has done so far."""
        done = self.images, self.seconds, self.cpu
        return WorkerReport(self.name, self.host, self.pid, *done, self.key, self.libraries)


class Membership:
    """Facts only: nothing is sent or received here. `known`: names of earlier sessions, which are not given again."""

    def __init__(self, known: Collection[str] = ()) -> None:
        self._members: dict[bytes, Member] = {}
        self._names: Counter[str] = Counter()
        self._known = frozenset(known)
        self._given = 0
        self._gone_cpu = 0.0

    def add(
        self, peer: bytes, host: str, pid: int, part: int | None = None, key: str = "", libraries: str = ""
    ) -> Member:
        """Add a worker, under a name that no other has had."""
        member = Member(self._new_name(f"{host}:{pid}"), host, pid, part, key, libraries)
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
        """Forget a worker, and return what was known of it."""
        member = self._members.pop(peer, None)
        if member is not None:
            self._gone_cpu += member.cpu
        return member

    def credit(self, peer: bytes, images: int, seconds: float, cpu: float) -> None:
        """Add an answer to what the worker has done; `cpu` is the total of its stay."""
        member = self._members[peer]
        member.images += images
        member.seconds += seconds
        member.cpu = max(member.cpu, cpu)

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
        return [member.report() for member in self._members.values() if member.ready]

    def cpu_seconds(self) -> float:
        """Return the processor seconds used by all workers of the session, including those that left."""
        return self._gone_cpu + sum(member.cpu for member in self._members.values())
