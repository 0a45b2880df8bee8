"""Which relays are in exchanges: those of which each has a connection to each other.

A newcomer connects to every relay that is already there, and reports which it reached; it becomes a member once it has
reported on all of them. If two cannot reach each other, the one that fewer others can reach is left out, or the newer
if they are equal, so a port that cannot be reached keeps nobody else out. One that was at fault, too slow as a rule, is
left out for some rounds, and for twice as many each time; so is one of two if either heard nothing of the other.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from itertools import count

from engine.coordinator.seating import check_place
from engine.wire.address import Address
from engine.wire.relays import Place

OUT = 100  # rounds that a relay is left out of after its first fault
DOUBLINGS = 10


@dataclass
class Candidate:
    """A relay that others can reach at `address`. `unknown`: of whom it has not told; `apart`: whom it cannot reach."""

    number: int
    peer: bytes
    host: str
    address: str
    key: str
    unknown: set[int] = field(default_factory=set)
    apart: set[int] = field(default_factory=set)


class Roster:
    """Facts and rules, no socket."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._there: dict[int, Candidate] = {}
        self._of: dict[bytes, Candidate] = {}
        self._out: dict[frozenset[int], int] = {}  # a relay, or two of which one is left out, and for how many rounds
        self._faults: Counter[frozenset[int]] = Counter()
        self._members: tuple[Candidate, ...] | None = ()  # None: to be found out

    def enter(self, peer: bytes, host: str, key: str, place: Place) -> tuple[int, list[Candidate]]:
        """Take in a relay of the public `key`; return its number, and whom it is to connect to.

        The number is 0 if it can be in no exchange. ProtocolError if it can have no such address or key.
        """
        self.forget(peer)
        check_place(place)
        if bool(place.key) != bool(key):
            return 0, []
        made = Candidate(next(self._numbers), peer, host, place.address, place.key)
        near = [one for one in self._there.values() if one.host == host or not _is_loopback(one)]
        made.unknown = {one.number for one in near}
        for number in self._there.keys() - made.unknown:
            self._set_apart(made, self._there[number], True)
        self._there[made.number] = self._of[peer] = made
        self._members = None
        return made.number, near

    def met(self, peer: bytes, number: int, reached: bool) -> None:
        """Note that a relay has, or has not, a connection to another one, if both are still there."""
        one, other = self._of.get(peer), self._there.get(number)
        if one and other and one is not other:
            one.unknown.discard(number)
            other.unknown.discard(one.number)
            self._set_apart(one, other, not reached)
            self._out.pop(frozenset((one.number, number)), None)
            self._members = None

    def _set_apart(self, one: Candidate, other: Candidate, apart: bool) -> None:
        for a, b in ((one, other), (other, one)):
            if apart:
                a.apart.add(b.number)
            else:
                a.apart.discard(b.number)

    def leave_out(self, *peers: bytes) -> None:
        """Let a relay that was at fault, or one of two, be in no exchange for some rounds."""
        numbers = frozenset(self.number(peer) for peer in peers) - {0}
        if len(numbers) == len(peers) and numbers not in self._out:
            self._out[numbers] = OUT << min(self._faults[numbers], DOUBLINGS)
            self._faults[numbers] += 1
            self._members = None

    def next_round(self) -> None:
        """Count a round that those who are left out are left out of."""
        for numbers in list(self._out):
            self._out[numbers] -= 1
            if not self._out[numbers]:
                del self._out[numbers]
                self._members = None

    def forget(self, peer: bytes) -> tuple[int, list[bytes]]:
        """Forget a relay that is gone; return its number, 0 if it had none, and who is to be told."""
        gone = self._of.pop(peer, None)
        if gone is None:
            return 0, []
        del self._there[gone.number]
        for other in self._there.values():
            other.unknown.discard(gone.number)
            other.apart.discard(gone.number)
        for kept in (self._out, self._faults):
            for numbers in [numbers for numbers in kept if gone.number in numbers]:
                del kept[numbers]
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

    def members(self) -> tuple[Candidate, ...]:
        """Return those that can all reach each other, in the order of their numbers."""
        if self._members is None:
            self._members = self._find_members()
        return self._members

    def _find_members(self) -> tuple[Candidate, ...]:
        out = {numbers for numbers in self._out if len(numbers) == 1}
        there = {one.number: one for one in self._there.values() if not one.unknown and {one.number} not in out}
        apart = {number: one.apart & there.keys() for number, one in there.items()}
        for one, other in self._pairs_out(there.keys()):
            apart[one].add(other)
            apart[other].add(one)
        while apart and any(apart.values()):
            worst = max(apart, key=lambda number: (len(apart[number]), number))
            for other in apart.pop(worst):
                apart[other].discard(worst)
        return tuple(there[number] for number in sorted(apart))

    def _pairs_out(self, numbers: Set[int]) -> Iterator[tuple[int, int]]:
        """Yield the pairs among `numbers` of which one is left out."""
        for pair in self._out:
            if len(pair) == 2 and pair <= numbers:
                one, other = pair
                yield one, other


def _is_loopback(one: Candidate) -> bool:
    return ipaddress.ip_address(Address.parse(one.address).host).is_loopback
