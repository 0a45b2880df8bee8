"""Connections that have sent no message so far: how many there may be, and which of them has to go."""

from collections import defaultdict

STRANGERS = 512  # in all
AT_ONE_ADDRESS = 256


class Strangers:
    """Descriptors of connections, oldest first, in all and at each address, "" being this machine; at most `most`."""

    def __init__(self, most: int = STRANGERS) -> None:
        self._most = min(STRANGERS, most)
        self._addresses: dict[int, str] = {}  # by descriptor
        self._at: defaultdict[str, dict[int, None]] = defaultdict(dict)

    def add(self, descriptor: int, address: str) -> None:
        """Note a connection of `address`."""
        self._addresses[descriptor] = address
        self._at[address][descriptor] = None

    def discard(self, descriptor: int) -> None:
        """Forget a connection: it has ended, or is no stranger any more."""
        address = self._addresses.pop(descriptor, None)
        if address is not None:
            del self._at[address][descriptor]
            if not self._at[address]:
                del self._at[address]

    def one_too_many(self, address: str) -> int | None:
        """Return which connection has to go, now that one of `address` has come; None if there is room."""
        here = self._at.get(address, {})
        if address and len(here) > AT_ONE_ADDRESS:
            return next(iter(here))
        return next(iter(self._addresses)) if len(self._addresses) > self._most else None
