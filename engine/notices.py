"""What becomes of notices about workers: rows in the records, words for the person who watches; never a flood."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from engine.compute.fingerprint import fingerprint
from engine.coordinator_.source import WorkerReport
from engine.display import shown
from engine.members import STRANGER, Notice
from engine.records import EventRow, Records, WorkerRow
from engine.report import Reporter

FIRST = 10  # notices of one kind about one worker that are passed on
MOST = 1000  # notices of one kind that are passed on in a run
# What happens in a healthy run, or is of no concern: on record, but not shown.
QUIET = ("joined", "late", "repeated", "doubled", "unasked", "not finite")


class Tally:
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
            reporter.notice(shown(f"{who}{notice.kind}: {notice.text}"))  # peers may say what they like
        if notice.kind in ("waiting", "continued"):
            reporter.status("waiting for workers" if notice.kind == "waiting" else "")

    return take


def worker_row(worker: WorkerReport) -> WorkerRow:
    """Return what is put on record of a worker that is at work."""
    rate = worker.images / worker.seconds if worker.seconds else None
    row = WorkerRow(worker.name, worker.host, worker.pid)
    return row._replace(images=worker.images, seconds=worker.seconds, images_per_second=rate)


def departure(worker: WorkerReport, reason: str) -> WorkerRow:
    """Return what the records are told of a worker that has left, or whose run is over."""
    return worker_row(worker)._replace(left=_now(), reason=reason)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
