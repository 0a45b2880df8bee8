"""Which relay joins which: where there are many, they form a tree, so that no machine's link carries all vectors.

The batch is cut along a binary tree, so the sums of 1, 2, 4 or 8 neighbouring machines are one vector each, and those
of any other number are several. So seats are numbered, and who is above a seat is found by clearing the lowest bit of
its number, as in a binomial tree: seat 8 has below it 9, 10 and 12, and these 11, 13 and 14, whose last is 15. Each of
them stands for a power of two of machines, and of n machines no link carries more than about log2(n) vectors each way,
in a star n.

A relay keeps its seat for as long as its connection to the coordinator lasts. One that had others below it and has come
back stays with the coordinator: only one without any is told to join another, so none can come to be above itself.
"""

import ipaddress
import re
from dataclasses import dataclass
from itertools import count

from engine.errors import ProtocolError, UsageError
from engine.wire.address import Address
from engine.wire.relays import KEY, Place


@dataclass(frozen=True)
class Taken:
    """Who has a seat, and where others can join it; `address`: "" if nowhere."""

    peer: bytes
    host: str
    address: str
    key: str


def above(seat: int) -> int:
    """Return the number of the seat above; 0: the coordinator."""
    return seat & (seat - 1)


class Seating:
    """Facts and rules, no socket."""

    def __init__(self) -> None:
        self._seats: dict[int, Taken] = {}
        self._of: dict[bytes, int] = {}

    def take(self, peer: bytes, host: str, key: str, place: Place) -> Taken | None:
        """Give a relay of the public `key` the first free seat, and return which other one it is to join, if any.

        ProtocolError if it can have no such address or key.
        """
        self.forget(peer)
        check_place(place)
        seat = next(number for number in count(1) if number not in self._seats)
        secure = bool(place.key) == bool(key)
        self._seats[seat] = Taken(peer, host, place.address if secure else "", place.key)
        self._of[peer] = seat
        found = self._seats.get(above(seat))
        if found is None or place.joined or not found.address:
            return None
        return found if may_reach(host, found.host, found.address) else None

    def forget(self, peer: bytes) -> None:
        """Let others have the seat of a relay that has left."""
        seat = self._of.pop(peer, None)
        if seat is not None:
            del self._seats[seat]

    def peers(self) -> list[bytes]:
        """Return all that have a seat."""
        return list(self._of)


def check_place(place: Place) -> None:
    """Raise ProtocolError if there can be no such address or key."""
    if not re.fullmatch(f"([0-9a-f]{{{KEY}}})?", place.key):
        raise ProtocolError(f"the key in PLACE is not a public key ({KEY} hex digits), got {place.key!r:.80}")
    try:
        ipaddress.ip_address(Address.parse(place.address).host)
    except (UsageError, ValueError):
        raise ProtocolError(f"{place.address!r} in PLACE is not an address in numbers") from None


def may_reach(host: str, other: str, address: str) -> bool:
    """Return whether a relay on `host` may reach the `address` of one on `other`: a loopback one is for one host."""
    return host == other or not Address.parse(address).is_loopback()
