"""What relays tell of their processes: who came and left, and which of them computed a block; and whom relays meet."""

from engine.coordinator.config import Environment
from engine.coordinator.exchange.roster import Roster
from engine.coordinator.membership import Member, Membership, Process
from engine.coordinator.notices import Notice, NoticeKind
from engine.coordinator.seating import Seating
from engine.errors import ProtocolError
from engine.wire import exchange, relays
from engine.wire import messages as m


class RelayProcesses:
    """Keeps the processes of relays in `members`, and gives notice of them."""

    def __init__(self, session: str, environment: Environment, members: Membership) -> None:
        self._session = session
        self._endpoint = environment.endpoint
        self._notice = environment.notice
        self._members = members
        self.seating = Seating()
        self.roster = Roster()

    def seat(self, peer: bytes, place: relays.Place) -> None:
        """Answer a PLACE: tell a relay, before it is ready, which other one to join, or which others to meet."""
        member = self._members.get(peer)
        if member is None or member.ready or member.seated:
            raise ProtocolError("PLACE from a worker that is ready, or twice")
        key = self._endpoint.key(peer)
        if not place.tree:
            self._introduce(peer, member.host, key, place)
            return
        above = self.seating.take(peer, member.host, key, place)
        if above and self._endpoint.send(above.peer, m.encode(relays.Invite(self._session, key))):
            member.seated = True
            seat = relays.Seat(self._session, above.address, above.key)
        else:
            seat = relays.Seat(self._session)
        self._endpoint.send(peer, m.encode(seat))

    def _introduce(self, peer: bytes, host: str, key: str, place: relays.Place) -> None:
        """Let a relay connect to those that exchange parts of vectors."""
        number, others = self.roster.enter(peer, host, key, place)
        self._endpoint.send(peer, m.encode(relays.Seat(self._session, number=number)))
        for other in others:
            self._endpoint.send(other.peer, m.encode(relays.Invite(self._session, key, number)))
            meet = exchange.Meet(self._session, other.number, other.address, other.key)
            self._endpoint.send(peer, m.encode(meet))

    def forget(self, peer: bytes) -> None:
        """Let others have the seat of a relay that has left, and know that it has."""
        self.seating.forget(peer)
        number, others = self.roster.forget(peer)
        for other in others:
            self._endpoint.send(other, m.encode(exchange.Meet(self._session, number)))

    def note(self, peer: bytes, message: relays.Process) -> bool:
        """Note that a process of a relay joined it, or left it; ProtocolError if that is impossible.

        Return whether one left that was its own: those of a relay behind it all leave at once.
        """
        member = self._members.get(peer)
        if member is None or not member.ready:
            raise ProtocolError("PROCESS from a worker that is not ready")
        if message.reason:
            if message.number not in member.processes:
                raise ProtocolError(f"process {message.number} left, which has not joined")
            process = self._members.drop_process(member, message.number)
            self._gone(member, process, NoticeKind.LOST, message.reason)
            return process.via == member.name
        if message.number in member.processes or len(member.processes) >= m.MOST_PROCESSES:
            raise ProtocolError(f"process {message.number} joined twice, or is one too many")
        process = self._members.add_process(member, message)
        text = f"pid {process.pid} on {process.host}, via {process.via}"
        self._notice(Notice(NoticeKind.JOINED, process.name, text, member.report_of(process)))
        return False

    def credit(self, peer: bytes, message: relays.Credit, payload: m.Frame | None) -> None:
        """Note which processes of a relay computed the block that it answers next."""
        member = self._members.get(peer)
        if member is not None:
            member.told = message, relays.credits_of(payload)

    def part(self, member: Member, kind: NoticeKind, reason: str) -> None:
        """Give notice that the processes of a relay are gone with it."""
        for process in member.processes.values():
            self._gone(member, process, kind, f"its relay {member.name}: {reason}")

    def _gone(self, member: Member, process: Process, kind: NoticeKind, reason: str) -> None:
        self._notice(Notice(kind, process.name, reason, member.report_of(process)))
