"""What a run says that waits for workers on other machines: that it does, and why that may be."""

from engine.system.clock import Clock
from engine.training.reporter import Reporter
from engine.wire import Listener
from engine.wire.address import Address, coordinator_addresses

PATIENCE = 10.0  # seconds


class AbsentWorkers:
    """Tells the reporter once, if `wanted` workers are not there after a while. `address`: where they are to join."""

    def __init__(self, address: str, wanted: int, listener: Listener, reporter: Reporter, clock: Clock) -> None:
        self._address = address
        self._wanted = wanted
        self._listener = listener
        self._reporter = reporter
        self._clock = clock
        self._since: float | None = clock.now()

    def look(self, ready: int) -> None:
        """Say it if it is time to, when `ready` workers are there."""
        if self._since is not None and self._clock.now() - self._since >= PATIENCE and ready < self._wanted:
            self._since = None
            self._reporter.waiting(f"still waiting: {ready} of {self._wanted} workers are there. {self._reason(ready)}")

    def _reason(self, ready: int) -> str:
        places = coordinator_addresses(self._address)
        seen = self._listener.accepted()
        if not seen:
            text = f"No connection came in at {self._address}: was a worker started?"
            return f"{text} If so, {_firewall(places)}. `gradsum doctor {self._address}` tells more there"
        if not ready:
            came = "1 connection" if seen == 1 else f"{seen} connections"
            text = f"{came} came in, but no worker joined yet: does it have the key of this run?"
            return f"{text} The output of the worker says more"
        return "Start more, or give a smaller --min-workers"


def _firewall(places: list[Address]) -> str:
    hosts = " or ".join(place.host for place in places)
    return f"does it reach {hosts}, and does a firewall let port {places[0].port} in"
