"""The connection to every peer: greets and refuses them, feeds them data, finds out which cannot be reached."""

from collections.abc import Sequence

import numpy as np

from engine.compute.fingerprint import differences, own_difference
from engine.coordinator.config import Config, Environment
from engine.coordinator.membership import Member, Membership
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.relay_links import RelayLinks
from engine.coordinator.relay_processes import RelayProcesses
from engine.coordinator.vain import LOST, Vain
from engine.errors import ProtocolError
from engine.nn.parameters import Vector
from engine.wire import Received, relays
from engine.wire import messages as m
from engine.wire.shared_memory import FLOAT, PLACES, SLOTS

LOOK = 0.25  # seconds between looks at the local workers while nothing comes in
PING = 5.0  # seconds between messages that tell idle workers that the coordinator is alive
KEY_SHOWN = 16  # characters of a public key by which a worker is known to people

OfSession = m.Fetch | m.Ready | relays.FromRelay | m.Result | m.Arrived | m.Failed | m.Goodbye  # what a worker says


class Peers:
    """With `RelayLinks`, the only part of the coordinator that uses the endpoint, the supervisor and shared memory.

    A remote peer is not trusted. A process on this machine is known by the socket that it came by, so the supervisor is
    told of such a one only: that it is to be suspected, or trusted again.
    """

    def __init__(self, config: Config, environment: Environment, members: Membership) -> None:
        self._session = config.session
        self._numerics, self._libraries = config.numerics, config.libraries
        self._nonce, self._proof = config.nonce, config.proof
        self._job, self._schema = m.pack(config.job.describe()), config.job.model.layout().digest
        self._content = memoryview(config.content)
        self._endpoint, self._supervisor = environment.endpoint, environment.supervisor
        self._clock = environment.clock
        self._notice = environment.notice
        self._shared_memory = environment.shared_memory
        self._members = members
        self.links = RelayLinks(config.session, environment, members)
        self.processes = RelayProcesses(environment, members)
        self._vain = Vain(environment.clock)
        self._in_memory: int | None = None  # version of the parameters in shared memory
        if self._shared_memory:
            self._shared_memory.words()[:] = 0  # what an earlier session said there
        self._looked = self._pinged = self._clock.now()

    def poll(self, timeout: float) -> Sequence[Received]:
        """Wait at most `timeout` seconds and return what has come in, perhaps nothing."""
        return self._endpoint.poll(timeout)

    def send(self, peer: bytes, message: m.Message, payload: m.Frame | None = None) -> bool:
        """Send a message; False if the peer cannot be reached."""
        return self._endpoint.send(peer, m.encode(message, payload))

    def has_joined(self, peer: bytes, session: str) -> bool:
        """Return whether a message of `session` is from a worker that was welcomed to this one."""
        return session == self._session and self._members.get(peer) is not None

    def greet(self, peer: bytes, hello: m.Hello) -> None:
        """Answer a HELLO: WELCOME with the job, or REFUSE if the worker would compute other bits."""
        if self._endpoint.is_local(peer):
            self._supervisor.trust(hello.host, hello.pid)
        if hello.numerics != self._numerics:
            theirs, ours = differences(hello.numerics, self._numerics)
            more = differences(hello.libraries, self._libraries)
            reason = f"it would compute different bits, with {_and(theirs, more[0])} (here: {_and(ours, more[1])})"
            reason = own_difference(hello.numerics, self._numerics) or reason
            self._differs(peer, f"{hello.host}:{hello.pid}", reason)
            return
        part = self._shared_memory.owner(hello.token) if self._shared_memory else None
        key = self._endpoint.key(peer)[:KEY_SHOWN]
        member = self._members.add(peer, hello.host, hello.pid, part, key, hello.libraries, hello.place)
        self.send(peer, m.Welcome(self._session, member.name, self._nonce), self._job)

    def feed(self, peer: bytes, fetch: m.Fetch) -> bool:
        """Answer a FETCH with the next piece of the data, and return whether it is a new one to the worker.

        ProtocolError if the worker may not ask for it.
        """
        member = self._members.get(peer)
        if member is None or member.ready:
            raise ProtocolError("FETCH from a worker that is ready")
        total = len(self._content)
        if fetch.offset >= total:
            raise ProtocolError(f"FETCH from byte {fetch.offset}, of a data set of {total}")
        piece = self._content[fetch.offset : fetch.offset + m.CHUNK_LIMIT]
        self.send(peer, m.Chunk(self._session, fetch.offset, total), piece)
        new = fetch.offset >= member.fetched
        member.fetched = fetch.offset + len(piece)
        return new

    def admit(self, peer: bytes, ready: m.Ready) -> Member | None:
        """Take a READY: the worker is a member; None if it computes other bits. ProtocolError if it may not."""
        member = self._members.get(peer)
        if member is None or member.ready:
            raise ProtocolError("READY came twice")
        if ready.schema != self._schema:
            raise ProtocolError(f"its parameters have layout {ready.schema}, expected {self._schema}")
        if ready.proof != self._proof:
            theirs, ours = differences(member.libraries, self._libraries)
            with_ = f", with {theirs} (here: {ours})" if theirs or ours else ", with the same libraries and processor"
            self._differs(peer, member.name, f"it computes different bits of this job{with_}")
            return None
        member.ready = True
        text = f"pid {member.pid} on {member.host}" + (f", {member.place}" if member.place else "")
        text += f", a relay with {ready.processes} processes" if ready.processes > 1 else ""
        self._notice(Notice(NoticeKind.JOINED, member.name, text, member.report()))
        return member

    def redirect(self, peer: bytes, message: OfSession) -> None:
        """Answer a message of an earlier session or connection: its sender has not noticed that this is over."""
        text = f"{type(message).__name__} of a peer that has not joined this session"
        self._notice(Notice(NoticeKind.UNASKED, self._members.name(peer), text))
        if self._members.get(peer) is None:  # it may have missed the end
            self.send(peer, m.Stop(message.session, "that session is over"))

    def refuse(self, peer: bytes, reason: str) -> None:
        """Answer a bad message: the peer is to leave, and to come back later, if at all."""
        self._notice(Notice(NoticeKind.BAD_MESSAGE, self._members.name(peer), reason))
        self._turn_away(peer, reason)

    def expel(self, peer: bytes, kind: NoticeKind, reason: str) -> None:
        """Tell a worker to leave; its key stays out for as long as the listener lives."""
        self._notice(Notice(kind, self._members.name(peer), reason))
        self._turn_away(peer, reason, forever=True)

    def _differs(self, peer: bytes, name: str, reason: str) -> None:
        """Refuse a worker that does not compute as this process does."""
        self._notice(Notice(NoticeKind.REFUSED, name, reason))
        self._turn_away(peer, reason)

    def _turn_away(self, peer: bytes, reason: str, forever: bool = False) -> None:
        self.send(peer, m.Refuse(m.clip(reason, m.REFUSAL_LIMIT)))
        self._endpoint.refuse(peer, forever)

    def floods(self, peer: bytes) -> bool:
        """Note an unrequested message; return whether there are too many of these."""
        return self._endpoint.floods(peer)

    def trust(self, peer: bytes) -> None:
        """Note that an answer of a worker counted."""
        self._endpoint.trust(peer)

    def part(self, peer: bytes, kind: NoticeKind, reason: str, detail: str | None = None) -> None:
        """Forget a worker that LEFT or is LOST; one on this machine is suspected until it ends, or comes back."""
        self.suspect(peer)
        member = self._members.drop(peer)
        if member and member.seated and not member.ready and kind is NoticeKind.LEFT:
            return  # to join another relay
        self.links.forget(peer)
        if member:
            self.processes.part(member, kind, reason)
            reason += self._vain.hint(member) if reason == LOST and not self._endpoint.is_local(peer) else ""
            # A worker that was never ready did not join: it gets no row, only this event.
            self._notice(Notice(kind, member.name, reason, member.report() if member.ready else None, detail))

    def local(self, peer: bytes) -> Member | None:
        """Return the worker known as `peer` if it was welcomed and is on this machine."""
        return self._members.get(peer) if self._endpoint.is_local(peer) else None

    def useful(self, peer: bytes) -> None:
        """Tell the supervisor that a worker gives answers."""
        if member := self.local(peer):
            self._supervisor.useful(member.pid)

    def suspect(self, peer: bytes) -> None:
        """Tell the supervisor that a worker should have answered, or is no longer connected."""
        if member := self.local(peer):
            self._supervisor.suspect(member.host, member.pid)

    def look(self, idle: bool) -> bool:
        """Let the supervisor replace unresponsive workers, if we are `idle` or it is time; return whether it looked."""
        now = self._clock.now()
        if not idle and now - self._looked <= LOOK:
            return False
        self._looked = now
        for pid in self._supervisor.look():
            self._notice(Notice(NoticeKind.KILLED, None, f"process {pid} was unresponsive and was replaced"))
        return True

    def unreachable(self) -> list[bytes]:
        """Return the peers that cannot be reached, if it is time to find out or a connection may have been lost."""
        now = self._clock.now()
        if not self._endpoint.lost_connections() and now - self._pinged <= PING:
            return []
        self._pinged = now
        ping = m.Ping(self._session)
        peers = dict.fromkeys([*self._members.peers(), *self.links.seating.peers()])
        return [peer for peer in peers if not self.send(peer, ping)]

    def publish(self, version: int, parameters: Vector) -> None:
        """Put parameters into shared memory, if there is any, unless they are there, or are the vector there."""
        if self._shared_memory and self._in_memory != version:
            if parameters is not (place := self._shared_memory.parameters(version)):
                np.copyto(place, parameters)
            self._in_memory = version

    def gradient(self, peer: bytes, result: m.Result, payload: m.Frame | None) -> m.Frame | None:
        """Return the gradient of an answer: its payload, or a slot of the worker's part of shared memory."""
        if result.slot == m.NO_SLOT:
            return payload
        return self._places(peer, result.slot, 1, SLOTS)[0]

    def formed(self, peer: bytes, result: m.Result) -> list[Vector]:
        """Return the gradients that a worker added up besides its answer, read-only."""
        if result.sums <= SLOTS:
            raise ProtocolError(f"slot {result.sums} of shared memory is not for sums")
        return [np.frombuffer(sums, FLOAT) for sums in self._places(peer, result.sums, result.formed, PLACES)]

    def _places(self, peer: bytes, first: int, count: int, last: int) -> list[memoryview]:
        """Return what is in `count` slots of a worker, from `first` to at most `last`; ProtocolError if it has none."""
        member = self._members.get(peer)
        if self._shared_memory is None or member is None or member.part is None or not first + count - 1 <= last:
            raise ProtocolError(f"slot {first} of shared memory does not belong to the worker")
        return [self._shared_memory.read_only(member.part, slot - 1) for slot in range(first, first + count)]

    def close(self) -> None:
        """Tell all workers that the run is over."""
        for peer in self._members.peers():
            self.send(peer, m.Stop(self._session, "the run is over"))


def _and(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
