"""Workers whose connection is lost again and again before they have given an answer."""

from engine.coordinator.membership import Member
from engine.system.clock import Clock

LOST = "its connection was lost"  # the reason; others say what is wrong themselves
TIMES = 3
BRIEF = 60.0  # seconds between losses that count as being in a row
REMEMBERED = 10_000  # processes: anybody may come and go
HINT = (
    f", {TIMES} times in a row before an answer: small messages do arrive, so a link on the way may be too slow for "
    "large ones, or a network's MTU may be wrong"
)


class Vain:
    """Counts losses by process, since each is welcomed under another name when it comes back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lost: dict[tuple[str, int], tuple[int, float]] = {}  # how often, and when last

    def hint(self, member: Member) -> str:
        """Note that `member` was lost; return the hint to append to the reason, or ""."""
        process = member.host, member.pid
        if member.images or len(self._lost) >= REMEMBERED:
            self._lost.pop(process, None)
            return ""
        times, last = self._lost.get(process, (0, -BRIEF))
        now = self._clock.now()
        times = times + 1 if now - last < BRIEF else 1
        self._lost[process] = times, now
        return HINT if times == TIMES else ""
