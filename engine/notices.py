"""What becomes of notices about workers: rows in the records, words for the person who watches; never a flood."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from engine.evaluate import WorkerReport
from engine.loop import worker_row
from engine.members import STRANGER, Notice
from engine.numerics import fingerprint
from engine.records import EventRow, Records, WorkerRow
from engine.report import Reporter

FIRST = 10  # notices of one kind about one worker that are passed on
MOST = 1000  # notices of one kind that are passed on in a run
# What happens in a healthy run, or is of no concern: on record, but not shown.
QUIET = ("joined", "late", "repeated", "doubled", "unasked", "foreign", "not finite")


class Tally:
    """Passes notices on to `take`, up to a limit. Strangers count as one worker, whatever they call themselves."""

    def __init__(self, take: Callable[[Notice], None]) -> None:
        self._take = take
        self._kinds: Counter[str] = Counter()  # passed on
        self._passed: Counter[tuple[str, str]] = Counter()  # passed on, by kind and worker
        self._more: Counter[tuple[str, str]] = Counter()  # only counted

    def take(self, notice: Notice) -> None:
        """Pass `notice` on, or count it. That a worker joined or left, or the run waits, is always passed on."""
        if notice.report is None and notice.worker:
            key = notice.kind, STRANGER if notice.worker.startswith(STRANGER) else notice.worker
            if self._kinds[notice.kind] >= MOST:
                self._more[notice.kind, ""] += 1
                return
            if self._passed[key] >= FIRST:
                self._more[key] += 1
                return
            self._kinds[notice.kind] += 1
            self._passed[key] += 1
        if notice.kind == "left":
            for key in [key for key in self._passed if key[1] == notice.worker]:
                self._sum_up(key)
                del self._passed[key]
        self._take(notice)

    def close(self) -> None:
        """Tell how many were not passed on."""
        for key in list(self._more):
            self._sum_up(key)

    def _sum_up(self, key: tuple[str, str]) -> None:
        if more := self._more.pop(key, 0):
            self._take(Notice(*key, f"{more} more of these"))


def recorder(records: Records, reporter: Reporter) -> Callable[[Notice], None]:
    """Return a function that puts notices about workers on record, and tells the reporter the unusual ones."""
    numerics = fingerprint()

    def take(notice: Notice) -> None:
        records.event(EventRow(notice.kind, notice.text, worker=notice.worker or None))
        if notice.kind == "joined" and (new := notice.report):
            records.worker(WorkerRow(new.name, new.host, new.pid, joined=_now(), fingerprint=numerics))
        elif notice.kind == "left" and notice.report:
            records.worker(departure(notice.report, notice.text))
        if notice.kind not in QUIET:
            who = f"worker {notice.worker} " if notice.worker else ""
            reporter.notice(f"{who}{notice.kind}: {notice.text}")
        if notice.kind in ("waiting", "continued"):
            reporter.status("waiting for workers" if notice.kind == "waiting" else "")

    return take


def departure(worker: WorkerReport, reason: str) -> WorkerRow:
    """Return what the records are told of a worker that has left, or whose run is over."""
    return worker_row(worker)._replace(left=_now(), reason=reason)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
