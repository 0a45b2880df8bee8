"""Time as an argument: liveness is judged by a monotonic clock that tests replace with one they set by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """Anything that tells monotonic seconds."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment; never goes back."""


class MonotonicClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()


class TimeLimit:
    """So many `seconds` from `start` on; None: as many as it takes."""

    def __init__(self, clock: Clock, seconds: float | None) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end: float | None = None

    def start(self) -> None:
        """Begin to count."""
        if self._seconds is not None:
            self._end = self._clock.now() + self._seconds

    def left(self) -> float | None:
        """Return the seconds that are left, at least 0; None before the start, and if there is no limit."""
        return None if self._end is None else max(0.0, self._end - self._clock.now())

    def reached(self) -> bool:
        """Tell whether the time is over."""
        return self.left() == 0
