"""What relays tell of their processes: who came and left, and which of them computed a block."""

from collections.abc import Callable

from engine.coordinator.membership import Member, Membership, Process
from engine.coordinator.notices import Notice, NoticeKind
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire import relays


class RelayProcesses:
    """Keeps the processes of relays in `members`, and gives notice of them."""

    def __init__(self, members: Membership, notice: Callable[[Notice], None]) -> None:
        self._members = members
        self._notice = notice

    def note(self, peer: bytes, message: relays.Process) -> None:
        """Note that a process of a relay joined it, or left it; ProtocolError if that is impossible."""
        member = self._members.get(peer)
        if member is None or not member.ready:
            raise ProtocolError("PROCESS from a worker that is not ready")
        if message.reason:
            if message.number not in member.processes:
                raise ProtocolError(f"process {message.number} left, which has not joined")
            self._gone(member, self._members.drop_process(member, message.number), NoticeKind.LOST, message.reason)
            return
        if message.number in member.processes or len(member.processes) >= 2 * member.expected:
            raise ProtocolError(f"process {message.number} joined twice, or is one too many")
        process = self._members.add_process(member, message.number, message.pid)
        text = f"pid {process.pid} on {member.host}, via {member.name}"
        self._notice(Notice(NoticeKind.JOINED, process.name, text, member.report_of(process)))

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
