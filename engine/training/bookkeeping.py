"""What becomes of notices about workers: rows in the records, and words for the person who watches."""

from collections.abc import Callable

from engine.compute.fingerprint import fingerprint
from engine.coordinator.notices import GONE, Notice, NoticeKind
from engine.coordinator.source import WorkerReport
from engine.records import EventRow, Recorder, WorkerRow
from engine.records.runs import now
from engine.reports.text import shown
from engine.training.reporter import Reporter

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


def notice_recorder(records: Recorder, reporter: Reporter) -> Callable[[Notice], None]:
    """Return a function that records notices about workers, and tells the reporter the unusual ones."""
    numerics = fingerprint()

    def take(notice: Notice) -> None:
        records.event(EventRow(notice.kind, notice.text, worker=notice.worker))
        if notice.kind is NoticeKind.JOINED and (new := notice.report):
            records.worker(WorkerRow(new.name, new.host, new.pid, joined=now(), fingerprint=numerics))
        elif notice.kind in GONE and notice.report:
            records.worker(departure(notice.report, notice.text))
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
    return row._replace(images=worker.images, seconds=worker.seconds, images_per_second=rate)


def departure(worker: WorkerReport, reason: str) -> WorkerRow:
    """Return what the records are told of a worker that has left, or whose run is over."""
    return worker_row(worker)._replace(left=now(), reason=reason)
