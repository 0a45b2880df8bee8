"""Time as an argument: anything that measures time takes a `Clock`, so that tests can set it by hand."""

import time
from typing import Final, Protocol


class Clock(Protocol):
    """Anything that tells monotonic seconds."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment; never decreases."""


class MonotonicClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Return `time.monotonic()`, which on Linux stands still while the machine sleeps."""
        return time.monotonic()


MONOTONIC: Final = MonotonicClock()


class TimeLimit:
    """A limit of `seconds` counted from `start`; None means no limit."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end: float | None = None

    def start(self) -> None:
        """Start counting."""
        if self._seconds is not None:
            self._end = self._clock.now() + self._seconds

    def left(self) -> float | None:
        """Return the seconds left, at least 0; None before the start, and if there is no limit."""
        return None if self._end is None else max(0.0, self._end - self._clock.now())

    def reached(self) -> bool:
        """Return whether no time is left."""
        return self.left() == 0
