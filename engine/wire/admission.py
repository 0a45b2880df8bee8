"""Whom the gatekeeper lets in, and when.

A key that was expelled never, one that was refused after a while, and connections of one address at a rate. The last
holds for those that have keys, too, since anybody who knows the way in can make a new pair: that cannot be prevented,
only slowed.
"""

from collections.abc import Container
from dataclasses import dataclass

from engine.system.clock import MONOTONIC, Clock

CONNECTIONS_AT_ONCE = 512.0  # of one address
CONNECTIONS_A_SECOND = 16.0  # of one address, in the long run
COST_OF_REFUSAL = 32.0  # connections that an address may make less when a peer at it is refused
COST_OF_EXPULSION = 480.0  # and when one is expelled: nobody new for half a minute, once it has used up its others
FIRST_WAIT = 1.0  # seconds that a key waits after its first refusal; after each further one twice as long
LONGEST_WAIT = 300.0  # seconds
REMEMBERED = 4096  # addresses, and keys that were refused


@dataclass(slots=True)
class _Allowance:
    """Connections that an address may still make, at the time `since`."""

    left: float
    since: float

    def at(self, now: float) -> float:
        """Bring it up to date, and return it."""
        self.left = min(CONNECTIONS_AT_ONCE, self.left + CONNECTIONS_A_SECOND * (now - self.since))
        self.since = now
        return self.left


@dataclass(slots=True)
class _Refusals:
    count: int
    until: float  # when the key may come back


class Admission:
    """Facts and rules, no socket. `key`: a public key in hex, "" for a peer without one. `address`: an IP network.

    `invited`: nobody else may come in; None if there is no such list.
    """

    def __init__(self, clock: Clock = MONOTONIC, invited: Container[str] | None = None) -> None:
        self._clock = clock
        self._invited = invited
        self._addresses: dict[str, _Allowance] = {}
        self._refused: dict[str, _Refusals] = {}
        self._expelled: set[str] = set()  # each one costs its address half a minute, so these are not many

    def expelled(self, key: str) -> bool:
        """Return whether `key` is to stay out for good."""
        return key in self._expelled

    def enter(self, address: str, key: str) -> bool:
        """Return whether a peer may come in now, and count it if it may."""
        now = self._clock.now()
        if self._invited is not None and key not in self._invited:
            return False
        if key in self._expelled or (key in self._refused and now < self._refused[key].until):
            return False
        allowance = self._allowance(address, now)
        if allowance.at(now) < 1.0:
            return False
        allowance.left -= 1.0
        return True

    def refuse(self, address: str, key: str) -> None:
        """Note that a peer was refused: its key waits, and fewer peers of its address come in."""
        now = self._clock.now()
        self._charge(address, COST_OF_REFUSAL, now)
        if key:
            refusals = self._refused.pop(key, _Refusals(0, now))  # the one that was refused last goes to the end
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(refusals.count, 16))
            self._refused[key] = _Refusals(refusals.count + 1, now + wait)
            if len(self._refused) > REMEMBERED:
                del self._refused[next(iter(self._refused))]

    def expel(self, address: str, key: str) -> None:
        """Note that a peer was expelled: its key stays out."""
        self._charge(address, COST_OF_EXPULSION, self._clock.now())
        if key:
            self._expelled.add(key)

    def _charge(self, address: str, cost: float, now: float) -> None:
        allowance = self._allowance(address, now)
        allowance.left = max(-CONNECTIONS_AT_ONCE, allowance.at(now) - cost)

    def _allowance(self, address: str, now: float) -> _Allowance:
        found = self._addresses.pop(address, None) or _Allowance(CONNECTIONS_AT_ONCE, now)
        self._addresses[address] = found  # the one that was looked up last is at the end
        if len(self._addresses) > REMEMBERED:
            del self._addresses[next(iter(self._addresses))]
        return found
