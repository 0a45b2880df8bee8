"""What relays tell of their processes: which came and left, and which of them computed a block."""

from engine.coordinator.config import Environment
from engine.coordinator.membership import Member, Membership, Process
from engine.coordinator.notices import Notice, NoticeKind
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire import relays


class RelayProcesses:
    """Keeps the processes of relays in `members`, and gives notice of them."""

    def __init__(self, environment: Environment, members: Membership) -> None:
        self._notice = environment.notice
        self._members = members

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
