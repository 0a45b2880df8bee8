"""Whether the norm of a step's gradient is like those before it."""

from collections import deque
from statistics import median

WINDOW = 100  # steps that a norm is compared with
TIMES = 100.0  # the median: a norm above this many is suspicious
BUDGET = 100  # of so many steps at most one is suspected for nothing


class Norms:
    """The norms of the gradients so far. What it answers depends on these alone, and no result depends on it."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._taken = 0
        self._false_alarms = 0

    def suspect(self, norm: float) -> float | None:
        """Return how many times the median `norm` is, if that is suspicious; None if not.

        None, too, for the first, which has none to be compared with, and when it was for nothing in 1 % of the steps.
        """
        if not self._recent or self._false_alarms >= max(1, self._taken // BUDGET):
            return None
        if norm <= TIMES * min(self._recent):  # so not above that of the median, which takes ten times as long to find
            return None
        usual = median(self._recent)
        if norm <= TIMES * usual:
            return None
        return norm / usual if usual else float("inf")

    def false_alarm(self) -> None:
        """Note that a suspicious norm was right."""
        self._false_alarms += 1

    def take(self, norm: float) -> None:
        """Add the norm of a step."""
        self._taken += 1
        self._recent.append(norm)
