"""Why a worker reaches no coordinator: what a plain connection to each of its addresses comes to."""

from collections.abc import Callable, Sequence
from threading import Thread

from engine.system.clock import Clock
from engine.wire.address import coordinator_addresses
from engine.wire.look import CURVE, NO_KEYS, Look, look_at

PATIENCE = 5.0  # seconds without a connection before it is found out why
AGAIN = 30.0  # seconds until the next look while nothing takes connections
NEVER = "no coordinator has been reached yet; still trying"
LOST = "the connection was lost; trying again"
OTHER_KEY = "it takes connections, but is not the coordinator of this key: is it the key of another run?"
NO_COORDINATOR = "it takes connections, but does not answer as a coordinator does"
INSECURE = "takes no keys: give --insecure in place of --key here, or start it without --insecure"
NO_KEY = "wants a key: give --key FILE here, a copy of its key file, or start it with --insecure"


def unwelcome(looks: Sequence[Look], with_key: bool) -> str:
    """Return why a worker with or without a key will never be admitted by who was looked at; "" if it may be."""
    other, text = (NO_KEYS, INSECURE) if with_key else (CURVE, NO_KEY)
    return text if all(look.mechanism == other for look in looks) else ""


class Unreached:
    """Says why nobody is reached at `address`, if nobody is for a while after it was made.

    `lost`: there was a connection until now. `tell`, if there is one, is called by `look`: once, and once more if
    something takes connections there later, and is not the coordinator. It is found out in a thread of its own, since a
    name server may take its time. `unwelcome`: what `unwelcome` returns, once that is known.
    """

    def __init__(
        self, address: str, with_key: bool, tell: Callable[[str], None] | None, clock: Clock, lost: bool = False
    ) -> None:
        self.unwelcome = ""
        self._address = address
        self._with_key = with_key
        self._tell = tell
        self._clock = clock
        self._begins = LOST if lost else NEVER
        self._due: float | None = clock.now() + PATIENCE  # the next look; None if there is none
        self._thread: Thread | None = None
        self._found: tuple[str, bool] | None = None  # what to say, and whether something takes connections
        self._told = False

    def look(self) -> None:
        """Find out, or say, if it is time to."""
        if self._found:
            (text, taken), self._found, self._thread = self._found, None, None
            self._due = None if taken else self._clock.now() + AGAIN
            if self._tell and (taken or not self._told):
                self._tell(f"{self._begins}: {text}")
            self._told = True
        elif self._thread is None and self._due is not None and self._clock.now() >= self._due:
            self._thread = Thread(target=self._find_out, name="why nobody is reached", daemon=True)
            self._thread.start()

    def _find_out(self) -> None:
        addresses = coordinator_addresses(self._address)
        looks = look_at(addresses)
        if text := unwelcome(looks, self._with_key):
            self.unwelcome = text
            return
        reasons = (look.failed or self._why(look.mechanism) for look in looks)
        said = "; ".join(f"{address}: {reason}" for address, reason in zip(addresses, reasons, strict=True))
        self._found = said, not all(look.failed for look in looks)

    def _why(self, mechanism: str) -> str:
        """Return why one that takes connections, and greets with this mechanism, was not reached all the same."""
        if self._with_key:
            return {CURVE: OTHER_KEY, NO_KEYS: f"it {INSECURE}"}.get(mechanism, NO_COORDINATOR)
        return f"it {NO_KEY}" if mechanism == CURVE else NO_COORDINATOR
