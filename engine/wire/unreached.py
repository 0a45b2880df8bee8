"""Why a worker reaches no coordinator: what a plain connection to each of its addresses comes to."""

from collections.abc import Callable, Sequence
from threading import Thread

from engine.system.clock import Clock
from engine.wire.address import coordinator_addresses
from engine.wire.look import CURVE, NO_KEYS, Look, look_at

PATIENCE = 5.0  # seconds without a connection before it is found out why
OTHER_KEY = "it takes connections, but is not the coordinator of this key: is it the key of another run?"
NO_COORDINATOR = "it takes connections, but does not answer as a coordinator does"
INSECURE = "takes no keys: give --insecure in place of --key here, or start it without --insecure"
NO_KEY = "wants a key: give --key FILE here, a copy of its key file, or start it with --insecure"


def unwelcome(looks: Sequence[Look], with_key: bool) -> str:
    """Return why a worker with or without a key will never be admitted by who was looked at; "" if it may be."""
    other, text = (NO_KEYS, INSECURE) if with_key else (CURVE, NO_KEY)
    return text if all(look.mechanism == other for look in looks) else ""


class Unreached:
    """Says once why nobody is reached at `address`, if nobody is for a while after it was made.

    `tell`, if there is one, is called by `look`. It is found out in a thread of its own, since a name server may take
    its time. `unwelcome`: what `unwelcome` returns, once that is known.
    """

    def __init__(self, address: str, with_key: bool, tell: Callable[[str], None] | None, clock: Clock) -> None:
        self.unwelcome = ""
        self._address = address
        self._with_key = with_key
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
            if self._tell:
                self._tell(f"no coordinator was reached yet, and it is tried on: {self._said}")

    def _find_out(self) -> None:
        addresses = coordinator_addresses(self._address)
        looks = look_at(addresses)
        if text := unwelcome(looks, self._with_key):
            self.unwelcome = text
            return
        reasons = (look.failed or self._why(look.mechanism) for look in looks)
        self._said = "; ".join(f"{address}: {reason}" for address, reason in zip(addresses, reasons, strict=True))

    def _why(self, mechanism: str) -> str:
        """Return why one that takes connections, and greets with this mechanism, was not reached all the same."""
        if self._with_key:
            return {CURVE: OTHER_KEY, NO_KEYS: f"it {INSECURE}"}.get(mechanism, NO_COORDINATOR)
        return f"it {NO_KEY}" if mechanism == CURVE else NO_COORDINATOR
