"""What a worker says whose connections end one after the other before it is of use: large messages do not arrive."""

from collections.abc import Callable

from engine.system.clock import Clock

TIMES = 3  # connections in a row
BRIEF = 60.0  # seconds; one that lasts longer does not count
TEXT = (
    f"the connection was lost {TIMES} times in a row before an answer had arrived: small messages do arrive, so a link "
    "on the way may be too slow for large ones, or a network's MTU may be wrong"
)


class Attempts:
    """Counts connections in a row that were lost soon, and before the coordinator had an answer."""

    def __init__(self, clock: Clock, tell: Callable[[str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._since: float | None = None  # when the last connection began, if it has been of no use yet
        self._vain = 0  # connections in a row that were lost
        self._works = 0

    def connected(self) -> None:
        """Note a new connection."""
        now = self._clock.now()
        self._vain = self._vain + 1 if self._since is not None and now - self._since < BRIEF else 0
        self._since, self._works = now, 0
        if self._vain == TIMES:
            self._tell(TEXT)

    def work(self) -> None:
        """Note that there is work: the second time the answer to the first has arrived."""
        self._works += 1
        if self._works > 1:
            self.useful()

    def useful(self) -> None:
        """Note that the connection was of use."""
        self._since = None
