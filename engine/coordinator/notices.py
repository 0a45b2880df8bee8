"""What happened to workers, for the records and the log; and how a flood of such notices is limited."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from engine.coordinator.source import WorkerReport

logger = logging.getLogger("gradsum.coordinator")

STRANGER = "stranger"  # what a peer is called that has not been welcomed
MAX_PER_WORKER = 10  # notices of one kind about one worker that are passed on
MAX_NOTICES = 1000  # notices of one kind that are passed on in a run


class NoticeKind(StrEnum):
    """What happened; the values are those of `events.kind` in the records."""

    JOINED = "joined"
    LEFT = "left"  # it said goodbye
    LOST = "lost"  # it went without a goodbye: killed, failed, cut off, refused
    REFUSED = "refused"  # it would compute different bits
    KILLED = "killed"  # it was unresponsive
    LAPSED = "lapsed"
    LATE = "late"
    REPEATED = "repeated"
    DOUBLED = "doubled"
    UNASKED = "unasked"
    BAD_MESSAGE = "bad message"
    FLOOD = "flood"  # it sent too many unrequested messages, and was expelled
    NOT_FINITE = "not finite"
    DIFFERS = "differs"
    AUDIT = "audit"
    ARBITRATED = "arbitrated"  # the coordinator computed a block, and no worker had found the same
    SUSPICIOUS = "suspicious"  # the gradient of a step is unusually large
    CONFIRMED = "confirmed"  # it was right
    CORRECTED = "corrected"  # it was wrong
    AGAIN = "again"  # relays could not exchange parts of vectors: the step is taken again, with whole ones
    WAITING = "waiting"
    CONTINUED = "continued"
    RESUMED = "resumed"
    ENDED = "ended"  # a job, host or actor on which a launcher placed workers, or local ones in a row


GONE = (NoticeKind.LEFT, NoticeKind.LOST)
# What happens in a healthy run.
ROUTINE = (
    NoticeKind.JOINED,
    NoticeKind.LEFT,
    NoticeKind.LATE,
    NoticeKind.REPEATED,
    NoticeKind.DOUBLED,
    NoticeKind.UNASKED,
    NoticeKind.CONTINUED,
)


@dataclass(frozen=True)
class Notice:
    """`worker` is None if it concerns no single worker.

    `report` is there when a worker joined, or went after that: what it has done so far. `detail` is for the log
    only: the traceback of a worker that failed.
    """

    kind: NoticeKind
    worker: str | None
    text: str
    report: WorkerReport | None = None
    detail: str | None = None


class NoticeLimit:
    """Passes notices on to `take` and to the log, up to a limit.

    All strangers count as one worker: a stranger can take any name.
    """

    def __init__(self, take: Callable[[Notice], None]) -> None:
        self._take = take
        self._kinds: Counter[NoticeKind] = Counter()  # passed on
        self._passed: Counter[tuple[NoticeKind, str]] = Counter()  # passed on, by kind and worker
        self._more: Counter[tuple[NoticeKind, str | None]] = Counter()  # only counted

    def take(self, notice: Notice) -> None:
        """Pass `notice` on, or count it.

        What concerns no single worker always passes, and so does the end of a worker whose joining passed.
        """
        passes = notice.worker is None or self._passes(notice, notice.worker)
        if notice.kind in GONE:
            for key in [key for key in self._passed if key[1] == notice.worker]:
                self._pass_number(key)
                del self._passed[key]
        if passes:
            self._pass_on(notice)

    def _passes(self, notice: Notice, worker: str) -> bool:
        """Return whether there have not been too many of these, and count it."""
        had_joined = notice.kind in GONE and notice.report is not None
        if had_joined and self._passed[NoticeKind.JOINED, worker]:
            return True
        key = notice.kind, STRANGER if worker.startswith(f"{STRANGER} ") else worker
        if self._kinds[notice.kind] >= MAX_NOTICES or had_joined:
            self._more[notice.kind, None] += 1
        elif self._passed[key] < MAX_PER_WORKER:
            self._kinds[notice.kind] += 1
            self._passed[key] += 1
            return True
        else:
            self._more[key] += 1
        return False

    def sum_up(self) -> None:
        """Pass on how many notices were held back so far."""
        for key in list(self._more):
            self._pass_number(key)

    def _pass_number(self, key: tuple[NoticeKind, str | None]) -> None:
        if more := self._more.pop(key, 0):
            self._pass_on(Notice(*key, f"{more} more of these"))

    def _pass_on(self, notice: Notice) -> None:
        who = f"worker {notice.worker} " if notice.worker else ""
        lines = [f"{who}{notice.kind}: {notice.text}", *(f"    {line}" for line in (notice.detail or "").splitlines())]
        level = logging.INFO if notice.kind in ROUTINE else logging.WARNING
        logger.log(level, "%s", "\n".join(map(_printable, lines)))
        self._take(notice)


def _printable(line: str) -> str:
    """Escape what cannot be printed: peers are not trusted, and a log is read in terminals."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
