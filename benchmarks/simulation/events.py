"""Time that passes from one event to the next."""

import heapq
from collections.abc import Callable
from itertools import count


class Events:
    """What is going to happen, in the order of time (seconds)."""

    def __init__(self) -> None:
        self.now = 0.0
        self._numbers = count()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    def at(self, time: float, act: Callable[[], None]) -> None:
        """Let something happen at `time`, or now if that is over."""
        heapq.heappush(self._heap, (max(time, self.now), next(self._numbers), act))

    def next(self) -> None:
        """Let the next thing happen."""
        self.now, _, act = heapq.heappop(self._heap)
        act()

    def next_time(self) -> float:
        """Return when the next thing happens."""
        return self._heap[0][0]


class Processor:
    """The processor of one process, which does one thing after the other; also its clock."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._free = 0.0

    def now(self) -> float:
        """Return the time as the process sees it."""
        return max(self._events.now, self._free)

    def work(self, seconds: float) -> float:
        """Be busy for so long, and return when that is over."""
        self._free = self.now() + seconds
        return self._free
