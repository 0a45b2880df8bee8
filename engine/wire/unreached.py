"""Why a worker reaches no coordinator: what a plain connection to each of its addresses comes to."""

import errno
import os
import select
import socket
from collections.abc import Callable, Sequence
from threading import Thread

from engine.errors import UsageError
from engine.system.clock import MONOTONIC, Clock
from engine.wire.address import Address, coordinator_addresses

PATIENCE = 5.0  # seconds without a connection before it is found out why
ANSWER = 4.0  # seconds that an address has to answer; what is said is said within 10 s of the start
REASONS = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.ENETUNREACH: "this machine has no route to it",
    errno.EHOSTUNREACH: "this machine has no route to it, or a firewall says no",
    errno.EACCES: "a firewall of this machine says no",
    errno.EPERM: "a firewall of this machine says no",
}
SILENT = "no answer: another network, or a firewall on the way"
OTHER_KEY = "it takes connections, but is not the coordinator of this key: is it the key of another run?"
NO_COORDINATOR = "it takes connections, but does not answer as a coordinator does"


class Unreached:
    """Says once why nobody is reached at `address`, if nobody is for a while after it was made.

    `tell` is called by `look`. It is found out in a thread of its own, since a name server may take its time.
    """

    def __init__(self, address: str, with_key: bool, tell: Callable[[str], None], clock: Clock) -> None:
        self._address = address
        self._connected = OTHER_KEY if with_key else NO_COORDINATOR
        self._tell = tell
        self._clock = clock
        self._since = clock.now()
        self._thread: Thread | None = None
        self._told = False
        self._said = ""

    def look(self) -> None:
        """Find out, or say, if it is time to."""
        if self._told:
            return
        if self._thread is None and self._clock.now() - self._since >= PATIENCE:
            self._thread = Thread(target=self._find_out, name="why nobody is reached", daemon=True)
            self._thread.start()
        if self._said:
            self._told = True
            self._tell(f"no coordinator was reached yet, and it is tried on: {self._said}")

    def _find_out(self) -> None:
        addresses = coordinator_addresses(self._address)
        reasons = reasons_of(addresses, self._connected)
        self._said = "; ".join(f"{address}: {reason}" for address, reason in zip(addresses, reasons, strict=True))


def reasons_of(addresses: Sequence[Address], connected: str, answer: float = ANSWER) -> list[str]:
    """Return what a plain TCP connection to each address comes to, within `answer` seconds together.

    `connected` is the text for one that succeeds.
    """
    found: dict[int, str] = {}
    pending: dict[socket.socket, int] = {}
    for number, address in enumerate(addresses):
        try:
            pending[_connecting(address.numeric())] = number
        except UsageError:
            found[number] = f"the name {address.host} is not known here"
        except OSError as error:
            found[number] = _reason(error.errno)
    until = MONOTONIC.now() + answer
    while pending and (left := until - MONOTONIC.now()) > 0:
        for ready in select.select([], list(pending), [], left)[1]:
            code = ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            found[pending.pop(ready)] = _reason(code) if code else connected
            ready.close()
    for late in pending:
        late.close()
    return [found.get(number, SILENT) for number in range(len(addresses))]


def _connecting(address: Address) -> socket.socket:
    """Return a socket that is connecting; OSError if that fails at once."""
    made = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET)
    made.setblocking(False)
    code = made.connect_ex((address.host, address.port))
    if code not in (0, errno.EINPROGRESS):
        made.close()
        raise OSError(code, os.strerror(code))
    return made


def _reason(code: int | None) -> str:
    return REASONS.get(code or 0) or os.strerror(code or 0)
