"""Which rounds are exchanges, what members are sent, and when a round is given up."""

import logging
from collections.abc import Mapping, Sequence

from engine.compute.sums import Sums
from engine.compute.tree import Block
from engine.coordinator.active_round import ActiveRound
from engine.coordinator.exchange import MIN_MEMBERS
from engine.coordinator.exchange.deadline import OF_COORDINATOR, AdaptiveDeadline
from engine.coordinator.exchange.roster import RosterEntry
from engine.coordinator.exchange.round import ExchangeRound
from engine.coordinator.membership import Membership
from engine.coordinator.peers import Peers
from engine.coordinator.rounds import Assign
from engine.errors import ProtocolError
from engine.wire import exchange
from engine.wire import messages as m

logger = logging.getLogger("gradsum.coordinator")


class Exchanges:
    """Told by the dispatcher what happens in a round, it marks one as spoilt that must be done again."""

    def __init__(self, peers: Peers, members: Membership) -> None:
        self._peers = peers
        self._names = members
        self._roster = peers.links.roster
        self._made = 0  # rosters
        self._told: tuple[int, ...] = ()  # who is in the last one
        self._logged = 0  # members of the exchange that was logged last
        self._sent: dict[bytes, int] = {}  # the attempts of which members have not said that something arrived
        self._last: Mapping[bytes, int] = {}  # members of the last exchange
        self._sums = AdaptiveDeadline(OF_COORDINATOR)
        self._active: ActiveRound | None = None

    def form(self, active: ActiveRound, shares: Sequence[Assign], questioned: bool) -> None:
        """Make the round an exchange among those members that have a share at its beginning, if they are enough."""
        self._active = active
        self._sums.stop()
        self._roster.next_round()
        given = {assign.worker: assign for assign in shares}
        members = [one for one in self._roster.members() if one.peer in given]
        fits = MIN_MEMBERS <= len(members) <= active.parameters.size and active.work.total <= exchange.MOST_MICROBATCHES
        if not active.may_exchange or questioned or not fits:
            self._log(0)
            return
        self._log(len(members))
        self._tell(active.work.session, members)
        in_parts = all(given[one.peer].with_parameters for one in members)
        size = active.parameters.size
        active.exchange = ExchangeRound(self._made, members, active.work.total, size, in_parts)
        self._last = active.exchange.members
        self._sent = {one.peer: given[one.peer].attempt for one in members if given[one.peer].with_parameters}

    def _log(self, members: int) -> None:
        if members != self._logged:
            self._logged = members
            logger.debug("exchange among %d relays", members)

    def _tell(self, session: str, members: Sequence[RosterEntry]) -> None:
        """Tell members who they are, if that has changed."""
        numbers = tuple(one.number for one in members)
        if numbers != self._told:
            self._made += 1
            self._told = numbers
            payload = exchange.pack_members(numbers)
            for one in members:
                self._peers.send(one.peer, exchange.Roster(session, self._made), payload)

    def arrived(self, peer: bytes, attempt: int) -> bool:
        """Note that a member has what it was sent with an attempt; return whether it was sent anything."""
        expected = self._sent.get(peer) == attempt
        if expected:
            del self._sent[peer]
        return expected

    def answers_in_parts(self, peer: bytes, result: m.Result, payload: m.Frame | None) -> bool:
        """Return whether an answer in the round is that of a member whose vector others have in parts."""
        current = self._active.exchange if self._active else None
        return bool(current and peer in current.members and payload is None and result.slot == m.NO_SLOT)

    def count(self, block: Block, peer: bytes, sums: Sums) -> None:
        """Count the answer of a member for a block."""
        if going := self._going():
            going.count(block, peer, sums)

    def complete(self, active: ActiveRound, now: float) -> bool:
        """Return whether a round is over of which all blocks were answered; else ask for the sums."""
        going = self._going()
        if going is None:
            return not active.spoilt
        payload = going.ask()
        if payload is None:
            return True
        self._sums.begin(now)
        for peer in going.members:
            self._peers.send(peer, exchange.Add(active.work.session, active.work.round), payload)
        return False

    def sum(self, peer: bytes, message: exchange.Sum, payload: m.Frame | None, now: float) -> None:
        """Take a member's part of the sums; the last one completes the round. ProtocolError if that is not one."""
        active, going = self._active, self._going()
        if active is None or message.round > active.work.round:
            raise ProtocolError(f"SUM of round {message.round}, which has not begun")
        if going is None or message.round != active.work.round or peer not in going.members:
            return  # of a round that was given up
        going.take(peer, payload)
        if not going.unsummed:
            self._sums.end(now)
            for node, sums in going.sums():
                active.sums.put(node, sums)
            active.done = True

    def met(self, peer: bytes, met: exchange.Met) -> set[bytes]:
        """Note that a relay has a connection to another, or none; ProtocolError if it cannot know that.

        Returns as `fault` does.
        """
        self._roster.met(peer, met.number, bool(met.reached))
        return set() if met.reached else self._separate(peer, met.number, "cannot reach")

    def fault(self, peer: bytes, fault: exchange.Fault) -> set[bytes]:
        """Let two members be in no exchange together for some rounds; give up a round that needs both.

        Returns those that may be waiting for what belongs to an exchange that is over: others were quicker.
        ProtocolError for a relay's fault of its own.
        """
        if fault.number == self._roster.number(peer):
            raise ProtocolError("FAULT about the relay that sent it")
        return self._separate(peer, fault.number, "had nothing in time, or nothing that fits, from")

    def _separate(self, peer: bytes, number: int, verb: str) -> set[bytes]:
        """Do what `fault` says; `verb` is for the log."""
        other = self._roster.peer(number)
        if other is None:
            return {peer}
        reason = f"{self._names.name(peer)} {verb} {self._names.name(other)}"
        logger.debug("%s", reason)
        if not {peer, other} <= self._last.keys():
            return {peer}
        self._roster.leave_out(peer, other)
        if self._going():
            self.give_up(reason)
            return set()
        return {peer, other}

    def lose(self, peer: bytes, name: str) -> None:
        """Give the round up if a member has left."""
        self._sent.pop(peer, None)
        if (going := self._going()) and peer in going.members:
            self.give_up(f"{name} has left")

    def look(self, now: float) -> None:
        """Give the round up if a member has not sent its sums in time."""
        going = self._going()
        if going and self._sums.over(now):
            for peer in going.unsummed:
                self._roster.leave_out(peer)
            self.give_up(f"{', '.join(map(self._names.name, sorted(going.unsummed)))} sent no sums in time")

    def next_deadline(self) -> float | None:
        """Return when `look` may have something to do, at the earliest; None if never."""
        return self._sums.at if self._going() else None

    def expecting(self) -> bool:
        """Return whether members are expected to send sums."""
        going = self._going()
        return going is not None and bool(going.unsummed)

    def give_up(self, reason: str) -> None:
        """Let the round be done again, with whole vectors, if it is an exchange that is not over."""
        if self._active and self._going():
            self._active.spoilt = reason
            self._sums.stop()

    def _going(self) -> ExchangeRound | None:
        """Return the exchange that continues."""
        active = self._active
        return active.exchange if active and not active.done and not active.spoilt else None
