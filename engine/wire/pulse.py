"""Whether a TCP connection is alive: told by its bytes, since ZeroMQ's own time-out counts only whole messages."""

from engine.system.clock import MONOTONIC, Clock
from engine.wire.connection_limits import SILENCE
from engine.wire.tcp import Traffic

EVERY = 1.0  # seconds between looks
ANSWERS = 512.0  # bytes a second that answers to heartbeats never come to; what is more is a message
PING = 4096  # bytes under way that heartbeats never come to: a frozen process's kernel goes on to acknowledge those


class Pulse:
    """What has moved by one connection since it was made."""

    def __init__(self, clock: Clock = MONOTONIC) -> None:
        self._clock = clock
        self._looked = self._moved = clock.now()
        self._before: Traffic | None = None
        self._arriving = False

    def due(self) -> bool:
        """Return whether it is time for a look."""
        return self._clock.now() - self._looked >= EVERY

    def stopped(self, traffic: Traffic) -> bool:
        """Take in how much has moved so far; return whether nothing has for so long that the other end is gone."""
        now = self._clock.now()
        before, self._before = self._before or traffic, traffic
        came = traffic.received - before.received
        if came or (traffic.waiting > PING and traffic.delivered != before.delivered):
            self._moved = now
        if came > ANSWERS * (now - self._looked):
            self._arriving = True
        self._looked = now
        return now - self._moved > SILENCE

    def arriving(self) -> bool:
        """Return whether a message, or a part of one, has come in since the last call."""
        arriving, self._arriving = self._arriving, False
        return arriving
