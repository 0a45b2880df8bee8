"""What becomes of notices about workers: rows in the records, and words for the person who watches."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from engine.compute.fingerprint import fingerprint
from engine.coordinator.notices import GONE, Notice, NoticeKind, NoticeLimit
from engine.coordinator.source import WorkerReport
from engine.records import EventRow, Recorder, WorkerRow
from engine.records.runs import now
from engine.reports.text import shown
from engine.training.reporter import Reporter

MOST_ROWS = 1000  # workers of a run that have a row of their own
OTHERS = "others"  # the row of all that come later

# What happens in a healthy run, or harms nothing: recorded, but not shown.
QUIET = (
    NoticeKind.JOINED,
    NoticeKind.LATE,
    NoticeKind.REPEATED,
    NoticeKind.DOUBLED,
    NoticeKind.UNASKED,
    NoticeKind.NOT_FINITE,
    NoticeKind.ARBITRATED,
)


class Bookkeeping:
    """Keeps the books of one run: its workers, and what happened to them. `known`: workers that it had before."""

    def __init__(self, records: Recorder, reporter: Reporter, known: Collection[str] = ()) -> None:
        self._workers = WorkerRows(records, known)
        self._notices = NoticeLimit(notice_recorder(records, reporter))

    def take(self, notice: Notice) -> None:
        """Take in that something happened."""
        self._workers.take(notice)
        self._notices.take(notice)

    def update(self, workers: Iterable[WorkerReport]) -> None:
        """Bring the books up to date before a checkpoint: what the `workers` that are there have done, what was held
        back.
        """
        self._workers.update(workers)
        self._notices.sum_up()

    def close(self, workers: Iterable[WorkerReport]) -> None:
        """Close the books at the end of the run, when these workers are there."""
        for worker in workers:
            self._workers.take(Notice(NoticeKind.LEFT, worker.name, "the run ended", worker))
        self._workers.update(())
        self._notices.sum_up()


@dataclass
class _Total:
    """What workers have done together."""

    count: int = 0
    images: int = 0
    seconds: float = 0.0

    def add(self, worker: WorkerReport) -> None:
        self.count += 1
        self.images += worker.images
        self.seconds += worker.seconds


class WorkerRows:
    """The rows of `workers`: one for each of the first `most` of a run, one for all that come later.

    A row that was begun is also closed, and what was done is in one of them, however many come and go.
    """

    def __init__(self, records: Recorder, known: Collection[str] = (), most: int = MOST_ROWS) -> None:
        self._records = records
        self._most = most
        self._room = max(0, most - len(known))
        self._own: set[str] = set()  # who is there and has a row
        number = 1 + sum(name.startswith(OTHERS) for name in known)
        self._others = OTHERS if number == 1 else f"{OTHERS}#{number}"  # those of an earlier session are closed
        self._gone = _Total()  # of those who share a row
        self._there: set[str] = set()  # who shares the row, and is there
        self._first: str | None = None  # when the first of those joined
        self._last: str | None = None  # and when the newest of them went
        self._numerics = fingerprint()

    def take(self, notice: Notice) -> None:
        """Begin or close the row of a worker that joined or went; other notices change nothing."""
        worker = notice.report
        if worker is None:
            return
        if notice.kind is NoticeKind.JOINED:
            self._begin(worker)
        elif notice.kind in GONE and worker.name in self._own:
            self._own.discard(worker.name)
            self._records.worker(worker_row(worker)._replace(left=now(), reason=notice.text))
        elif notice.kind in GONE and worker.name in self._there:
            self._there.discard(worker.name)
            self._gone.add(worker)
            self._last = now()

    def update(self, workers: Iterable[WorkerReport]) -> None:
        """Write what the workers that are there have done so far."""
        total = _Total(self._gone.count, self._gone.images, self._gone.seconds)
        for worker in workers:
            if worker.name in self._own:
                self._records.worker(worker_row(worker))
            else:
                total.add(worker)
        if self._first:
            together = WorkerReport(self._others, "", 0, total.images, total.seconds, 0.0)
            reason = f"{total.count:,} workers that came after the first {self._most:,}, together"
            left = None if self._there else self._last
            row = worker_row(together)._replace(host=None, pid=None, joined=self._first, left=left, reason=reason)
            self._records.worker(row._replace(fingerprint=self._numerics))

    def _begin(self, worker: WorkerReport) -> None:
        joined = now()
        if self._room:
            self._room -= 1
            self._own.add(worker.name)
            about = WorkerRow(worker.name, worker.host, worker.pid, joined=joined, key=worker.key or None)
            made_by = f"{self._numerics}; {worker.libraries}" if worker.libraries else self._numerics
            about = about._replace(place=worker.place or None, via=worker.via or None)
            self._records.worker(about._replace(fingerprint=made_by))
        else:
            self._there.add(worker.name)
            self._first = self._first or joined


def notice_recorder(records: Recorder, reporter: Reporter) -> Callable[[Notice], None]:
    """Return a function that records notices about workers, and tells the reporter the unusual ones."""

    def take(notice: Notice) -> None:
        records.event(EventRow(notice.kind, notice.text, worker=notice.worker))
        if notice.kind not in QUIET:
            who = f"worker {notice.worker} " if notice.worker else ""
            reporter.notice(shown(f"{who}{notice.kind}: {notice.text}"))  # a peer chose part of the text
        if notice.kind in (NoticeKind.WAITING, NoticeKind.CONTINUED):
            reporter.status("waiting for workers" if notice.kind is NoticeKind.WAITING else "")

    return take


def worker_row(worker: WorkerReport) -> WorkerRow:
    """Return what is recorded of a worker that is at work."""
    rate = worker.images / worker.seconds if worker.seconds else None
    row = WorkerRow(worker.name, worker.host, worker.pid)
    return row._replace(images=worker.images, seconds=worker.seconds, images_per_second=rate, cpu=worker.cpu)
