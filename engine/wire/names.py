"""What the names of a coordinator's hosts stand for, in numbers: each of their addresses, asked for again and again.

ZeroMQ tries one address of a name, and of one family. A name may also be unknown at first, and known later.
"""

from collections.abc import Sequence
from threading import Thread

from engine.errors import UsageError
from engine.system.clock import Clock
from engine.wire.address import Address

AGAIN = 5.0  # seconds between questions
AT_MOST = 16  # addresses of one name


class Names:
    """The addresses to try for those that were given: these themselves, where they are in numbers, or no tcp://.

    Asking is done in a thread of its own, since a name server may take its time.
    """

    def __init__(self, given: Sequence[str], clock: Clock) -> None:
        self._known: dict[str, list[str]] = {one: [] if _is_name(one) else [one] for one in given}
        self._names = [one for one in given if _is_name(one)]
        self._clock = clock
        self._asked = clock.now()
        self._thread: Thread | None = None
        if self._names:
            self._ask()

    @property
    def addresses(self) -> list[str]:
        """What is known; of a name that is not known any more what was known last."""
        return list(dict.fromkeys(address for found in list(self._known.values()) for address in found))

    def look(self) -> None:
        """Ask again if that is of use, and the last time is a while ago."""
        answered = self._thread is not None and not self._thread.is_alive()
        if answered and self._clock.now() - self._asked >= AGAIN:
            self._ask()

    def _ask(self) -> None:
        self._asked = self._clock.now()
        self._thread = Thread(target=self._find_out, name="names of the coordinator", daemon=True)
        self._thread.start()

    def _find_out(self) -> None:
        for name in self._names:
            try:
                found = Address.parse(name).all_numeric()
            except (UsageError, OSError):  # it may be known later, or its interface come back
                continue
            self._known[name] = [str(one) for one in found[:AT_MOST]]


def _is_name(address: str) -> bool:
    """Return whether the host of an address is a name. ZeroMQ refuses what is not an address at all."""
    try:
        return address.startswith("tcp://") and Address.parse(address).is_name()
    except UsageError:
        return False
