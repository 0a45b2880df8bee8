"""Which relays are in exchanges: those of which each has a connection to each other.

A newcomer connects to every relay that is already there, and reports which it reached; it becomes a member once it has
reported on all of them. If two cannot reach each other, the one that fewer others can reach is left out, or the newer
if they are equal, so a port that cannot be reached keeps nobody else out. One that was at fault, too slow as a rule, is
left out for some rounds, and for twice as many if it is at fault again soon after; so is one of two that failed each
other.
"""

from dataclasses import dataclass, field
from itertools import count

from engine.coordinator.seating import check_place, may_reach
from engine.errors import ProtocolError
from engine.wire.relays import Place

OUT = 100  # rounds that a relay is left out of after its first fault
MOST_OUT = OUT << 10


@dataclass
class RosterEntry:
    """A relay that others can reach at `address`.

    `unknown`: relays of which it has yet to report whether it reaches them; `apart`: those it does not reach.
    """

    number: int
    peer: bytes
    host: str
    address: str
    key: str
    unknown: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Pause:
    """For `rounds`, before number `end`, a relay is left out, or one of two; it is remembered for as many after it."""

    rounds: int
    end: int


class Roster:
    """Which relays can be members of an exchange: what is known of them, and rules; no socket."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._there: dict[int, RosterEntry] = {}
        self._of: dict[bytes, RosterEntry] = {}
        self._pauses: dict[frozenset[int], _Pause] = {}
        self._round = 0
        self._members: tuple[RosterEntry, ...] | None = ()  # None: to be found out

    def enter(self, peer: bytes, host: str, key: str, place: Place) -> tuple[int, list[RosterEntry]]:
        """Take in a relay of the public `key`; return its number, and whom it is to connect to.

        The number is 0 if it can be in no exchange. ProtocolError if it can have no such address or key.
        """
        self.forget(peer)
        check_place(place)
        if bool(place.key) != bool(key):
            return 0, []
        made = RosterEntry(next(self._numbers), peer, host, place.address, place.key)
        near = [one for one in self._there.values() if may_reach(host, one.host, one.address)]
        made.unknown = {one.number for one in near}
        for number in self._there.keys() - made.unknown:
            self._set_apart(made, self._there[number], True)
        self._there[made.number] = self._of[peer] = made
        self._members = None
        return made.number, near

    def met(self, peer: bytes, number: int, reached: bool) -> None:
        """Note that a relay has, or has not, a connection to an older one, if both are still there.

        ProtocolError if it was not to connect to that one.
        """
        one, other = self._of.get(peer), self._there.get(number)
        if one and number >= one.number:
            raise ProtocolError(f"MET about relay {number} from relay {one.number}, which was not to connect to it")
        if one and other:
            one.unknown.discard(number)
            self._set_apart(one, other, not reached)
            self._members = None

    def _set_apart(self, one: RosterEntry, other: RosterEntry, apart: bool) -> None:
        for a, b in ((one, other), (other, one)):
            if apart:
                a.apart.add(b.number)
            else:
                a.apart.discard(b.number)

    def leave_out(self, *peers: bytes) -> None:
        """Let a relay that was at fault, or one of two, be in no exchange for some rounds."""
        numbers = frozenset(self.number(peer) for peer in peers)
        before = self._pauses.get(numbers)
        if 0 in numbers or (before and before.end > self._round):
            return
        rounds = min(2 * before.rounds, MOST_OUT) if before else OUT
        self._pauses[numbers] = _Pause(rounds, self._round + rounds)
        self._members = None

    def next_round(self) -> None:
        """Count a round that those who are left out are left out of."""
        self._round += 1
        for numbers, pause in list(self._pauses.items()):
            if pause.end == self._round:
                self._members = None
            elif pause.end + pause.rounds == self._round:
                del self._pauses[numbers]

    def forget(self, peer: bytes) -> tuple[int, list[bytes]]:
        """Forget a relay that has left; return its number, 0 if it had none, and who is to be told."""
        gone = self._of.pop(peer, None)
        if gone is None:
            return 0, []
        del self._there[gone.number]
        for other in self._there.values():
            other.unknown.discard(gone.number)
            other.apart.discard(gone.number)
        for numbers in [numbers for numbers in self._pauses if gone.number in numbers]:
            del self._pauses[numbers]
        self._members = None
        return gone.number, list(self._of)

    def number(self, peer: bytes) -> int:
        """Return the number of a relay; 0 if it has none."""
        one = self._of.get(peer)
        return one.number if one else 0

    def peer(self, number: int) -> bytes | None:
        """Return the relay that has a number."""
        one = self._there.get(number)
        return one.peer if one else None

    def members(self) -> tuple[RosterEntry, ...]:
        """Return those that can all reach each other, in the order of their numbers."""
        if self._members is None:
            self._members = self._find_members()
        return self._members

    def _find_members(self) -> tuple[RosterEntry, ...]:
        out = {numbers for numbers, pause in self._pauses.items() if pause.end > self._round}
        there = {one.number: one for one in self._there.values() if not one.unknown and {one.number} not in out}
        apart = {number: one.apart & there.keys() for number, one in there.items()}
        for numbers in out:
            if len(numbers) == 2 and numbers <= there.keys():
                for number in numbers:
                    apart[number] |= numbers - {number}
        while apart and any(apart.values()):
            worst = max(apart, key=lambda number: (len(apart[number]), number))
            for other in apart.pop(worst):
                apart[other].discard(worst)
        return tuple(there[number] for number in sorted(apart))
