"""Workers whose connection is lost again and again before they have given an answer."""

from collections import Counter

from engine.coordinator.membership import Member

TIMES = 3
REMEMBERED = 10_000  # processes: anybody may come and go
HINT = (
    f", {TIMES} times in a row before an answer: small messages do arrive, so that a link on the way may be too thin "
    "for large ones, or the MTU of a network wrong"
)


class Vain:
    """Counts losses by process, since each is welcomed under another name when it comes back."""

    def __init__(self) -> None:
        self._lost: Counter[tuple[str, int]] = Counter()

    def hint(self, member: Member) -> str:
        """Note that `member` was lost; return what is to be added to the reason, "" if there is nothing to say."""
        process = member.host, member.pid
        if member.images or len(self._lost) >= REMEMBERED:
            self._lost.pop(process, None)
            return ""
        self._lost[process] += 1
        return HINT if self._lost[process] == TIMES else ""
