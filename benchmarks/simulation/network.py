"""Machines on a switch: each has one link, with a bandwidth each way, on which one message follows the other."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.simulation.events import Events


@dataclass
class Link:
    """A machine's link; when it is free, each way. `sent` and `received` in bytes."""

    out: float = 0.0
    into: float = 0.0
    sent: int = 0
    received: int = 0


class Network:
    """Carries messages at `rate` bytes a second, `latency` seconds later."""

    def __init__(self, events: Events, rate: float, latency: float) -> None:
        self._events = events
        self._rate = rate
        self._latency = latency

    def carry(self, here: Link, there: Link, size: int, when: float, deliver: Callable[[], None]) -> float:
        """Carry `size` bytes from `when` on, call `deliver` when all has arrived, and return when that is."""
        begun = max(when, here.out)
        here.out = begun + size / self._rate
        there.into = max(there.into, begun + self._latency) + size / self._rate
        here.sent += size
        there.received += size
        self._events.at(there.into, deliver)
        return there.into
