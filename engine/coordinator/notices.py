"""What happened to workers, for the records; and how a flood of such notices is limited."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from engine.coordinator.source import WorkerReport

STRANGER = "stranger"  # what a peer is called that has not been welcomed


@dataclass(frozen=True)
class Notice:
    """Something for the records: a worker joined, left, was refused, or an answer was not used.

    `report` is there when a worker joined, or left after that: what it has done so far.
    """

    kind: str
    worker: str
    text: str
    report: WorkerReport | None = None


FIRST = 10  # notices of one kind about one worker that are passed on


MOST = 1000  # notices of one kind that are passed on in a run


class NoticeLimit:
    """Passes notices on to `take`, up to a limit. Strangers count as one worker, whatever they call themselves."""

    def __init__(self, take: Callable[[Notice], None]) -> None:
        self._take = take
        self._kinds: Counter[str] = Counter()  # passed on
        self._passed: Counter[tuple[str, str]] = Counter()  # passed on, by kind and worker
        self._more: Counter[tuple[str, str]] = Counter()  # only counted

    def take(self, notice: Notice) -> None:
        """Pass `notice` on, or count it. That the run waits always passes, and that one left whose joining passed."""
        passes = not notice.worker or self._passes(notice)
        if notice.kind == "left":
            for key in [key for key in self._passed if key[1] == notice.worker]:
                self._sum_up(key)
                del self._passed[key]
        if passes:
            self._take(notice)

    def _passes(self, notice: Notice) -> bool:
        """Tell whether there have not been too many of these, and count it."""
        had_joined = notice.kind == "left" and notice.report is not None
        if had_joined and self._passed["joined", notice.worker]:
            return True
        key = notice.kind, STRANGER if notice.worker.startswith(f"{STRANGER} ") else notice.worker
        if self._kinds[notice.kind] >= MOST or had_joined:
            key = notice.kind, ""
        elif self._passed[key] < FIRST:
            self._kinds[notice.kind] += 1
            self._passed[key] += 1
            return True
        self._more[key] += 1
        return False

    def close(self) -> None:
        """Tell how many were not passed on."""
        for key in list(self._more):
            self._sum_up(key)

    def _sum_up(self, key: tuple[str, str]) -> None:
        if more := self._more.pop(key, 0):
            self._take(Notice(*key, f"{more} more of these"))
