"""What becomes of notices: rows and words for what matters, numbers for a flood."""

import logging
from collections import Counter
from pathlib import Path

import pytest

from engine.coordinator.notices import GONE, MAX_NOTICES, MAX_PER_WORKER, STRANGER, Notice, NoticeKind, NoticeLimit
from engine.coordinator.rounds import IgnoreReason
from engine.coordinator.source import WorkerReport
from engine.records import Recorder
from engine.training.bookkeeping import QUIET, Bookkeeping
from engine.training.reporter import Reporter
from tests.records.test_recorder import RUN, query

REPORT = WorkerReport("a", "box", 7, 100, 2.0, 1.0, "0123456789abcdef")
OTHER = WorkerReport("c", "box", 8, 50, 2.0, 1.0)


@pytest.fixture
def taken() -> list[Notice]:
    return []


@pytest.fixture
def tally(taken: list[Notice]) -> NoticeLimit:
    return NoticeLimit(taken.append)


def test_a_few_notices_are_passed_on_as_they_are(tally: NoticeLimit, taken: list[Notice]) -> None:
    notices = [Notice(NoticeKind.LATE, "a", f"{i}") for i in range(MAX_PER_WORKER)] + [
        Notice(NoticeKind.LATE, "b", "x"),
        Notice(NoticeKind.LAPSED, "a", "y"),
    ]
    for notice in notices:
        tally.take(notice)
    tally.sum_up()
    assert taken == notices


def test_of_a_flood_the_first_are_passed_on_and_the_rest_is_counted(tally: NoticeLimit, taken: list[Notice]) -> None:
    for i in range(500):
        tally.take(Notice(NoticeKind.REPEATED, "a", f"{i}"))
        tally.take(Notice(NoticeKind.UNASKED, "a", f"{i}"))
    assert len(taken) == 2 * MAX_PER_WORKER
    tally.sum_up()
    tally.sum_up()
    assert taken[2 * MAX_PER_WORKER :] == [
        Notice(k, "a", f"{500 - MAX_PER_WORKER} more of these") for k in (NoticeKind.REPEATED, NoticeKind.UNASKED)
    ]


def test_what_a_worker_did_is_summed_up_when_it_leaves(tally: NoticeLimit, taken: list[Notice]) -> None:
    tally.take(Notice(NoticeKind.JOINED, "a", "", REPORT))
    for i in range(MAX_PER_WORKER + 3):
        tally.take(Notice(NoticeKind.LATE, "a", f"{i}"))
    left = Notice(NoticeKind.LEFT, "a", "tired", REPORT)
    tally.take(left)
    assert taken[1 + MAX_PER_WORKER :] == [Notice(NoticeKind.LATE, "a", "3 more of these"), left]
    tally.take(Notice(NoticeKind.LATE, "a", "again"))
    assert taken[-1].text == "again", "a new worker of the same name"
    assert tally._passed.total() == 1, "nothing is kept of those who left"


def test_strangers_count_as_one(tally: NoticeLimit, taken: list[Notice]) -> None:
    for i in range(5 * MAX_PER_WORKER):
        tally.take(Notice(NoticeKind.BAD_MESSAGE, f"{STRANGER} {i:x}", "what?"))
    tally.sum_up()
    assert Counter(n.worker == STRANGER for n in taken) == {False: MAX_PER_WORKER, True: 1}
    assert taken[-1].text == f"{4 * MAX_PER_WORKER} more of these"


def test_a_flood_from_ever_new_workers_is_counted_too(tally: NoticeLimit, taken: list[Notice]) -> None:
    for i in range(MAX_NOTICES + 500):
        tally.take(Notice(NoticeKind.REFUSED, f"box:{i}", "other numbers"))
    tally.sum_up()
    assert len(taken) == MAX_NOTICES + 1
    assert taken[-1] == Notice(NoticeKind.REFUSED, None, "500 more of these")


@pytest.mark.parametrize("end", GONE)
def test_joining_leaving_and_waiting_are_always_told(tally: NoticeLimit, taken: list[Notice], end: NoticeKind) -> None:
    for _ in range(5 * MAX_PER_WORKER):
        tally.take(Notice(NoticeKind.JOINED, "a", "", REPORT))
        tally.take(Notice(NoticeKind.WAITING, None, ""))
        tally.take(Notice(end, "a", "", REPORT))
    assert len(taken) == 15 * MAX_PER_WORKER


@pytest.mark.parametrize("end", GONE)
def test_a_flood_of_workers_that_come_and_go_is_counted_and_who_was_there_before_is_told(
    tally: NoticeLimit, taken: list[Notice], end: NoticeKind
) -> None:
    tally.take(Notice(NoticeKind.JOINED, "first", "", REPORT))
    for i in range(20_000):
        tally.take(Notice(NoticeKind.JOINED, f"box:7#{i}", "", REPORT))
        tally.take(Notice(end, f"box:7#{i}", "it started again", REPORT))
    tally.take(Notice(end, "first", "the end", REPORT))
    kinds = Counter(notice.kind for notice in taken)
    assert kinds == {NoticeKind.JOINED: MAX_NOTICES, end: MAX_NOTICES}
    assert {n.worker for n in taken if n.kind is NoticeKind.JOINED} == {n.worker for n in taken if n.kind is end}
    tally.sum_up()
    more = f"{20_001 - MAX_NOTICES} more of these"
    assert taken[2 * MAX_NOTICES :] == [Notice(NoticeKind.JOINED, None, more), Notice(end, None, more)]


def test_what_passes_is_logged_by_its_importance(tally: NoticeLimit, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tally.take(Notice(NoticeKind.JOINED, "a", "pid 7 on box", REPORT))
    for i in range(MAX_PER_WORKER + 2):
        tally.take(Notice(NoticeKind.BAD_MESSAGE, "a", f"{i}"))
    tally.take(Notice(NoticeKind.WAITING, None, "0 of 1 workers are there"))
    tally.take(
        Notice(
            NoticeKind.LOST, "a", "it failed: \x1b[2J\nx", REPORT, "Traceback\n  File x\x1b\nValueError: \N{SNOWMAN}\n"
        )
    )
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert {record.name for record in caplog.records} == {"gradsum.coordinator"}
    assert said[0] == ("INFO", "worker a joined: pid 7 on box")
    assert said[1 : 1 + MAX_PER_WORKER] == [("WARNING", f"worker a bad message: {i}") for i in range(MAX_PER_WORKER)]
    traceback = "    Traceback\n      File x\\x1b\n    ValueError: \N{SNOWMAN}"
    assert said[1 + MAX_PER_WORKER :] == [
        ("WARNING", "waiting: 0 of 1 workers are there"),
        ("WARNING", "worker a bad message: 2 more of these"),
        ("WARNING", f"worker a lost: it failed: \\x1b[2J\\nx\n{traceback}"),
    ]


def test_why_an_answer_is_not_used_is_a_kind_of_notice() -> None:
    assert {NoticeKind(reason) for reason in IgnoreReason} < set(NoticeKind)


class Teller(Reporter):
    def __init__(self) -> None:
        self.said: list[str] = []

    def notice(self, text: str) -> None:
        self.said.append(text)

    def status(self, text: str) -> None:
        self.said.append(f"({text})")


def test_what_a_peer_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    teller = Teller()
    with Recorder(tmp_path / "x.db") as records:
        records.begin(RUN)
        take = Bookkeeping(records, teller).take
        take(Notice(NoticeKind.LEFT, "\x1b]0;owned\x07:1", "it failed: \x1b[2J\n\u202e"))
    assert teller.said == [r"worker \x1b]0;owned\x07:1 left: it failed: \x1b[2J\n\u202e"]


def test_everything_is_recorded_and_what_is_unusual_is_said(tmp_path: Path) -> None:
    teller = Teller()
    with Recorder(tmp_path / "x.db") as records:
        records.begin(RUN)
        take = Bookkeeping(records, teller).take
        take(Notice(NoticeKind.JOINED, "a", "pid 7 on box", REPORT))
        for kind in QUIET[1:]:
            take(Notice(kind, "a", "x"))
        take(Notice(NoticeKind.AUDIT, "a", "bad memory"))
        take(Notice(NoticeKind.WAITING, None, "0 of 1 workers are connected"))
        take(Notice(NoticeKind.CONTINUED, None, "after 3.0 seconds"))
        take(Notice(NoticeKind.LEFT, "a", "tired", REPORT))
        take(Notice(NoticeKind.LEFT, "b", "it never was ready"))
        take(Notice(NoticeKind.JOINED, "c", "pid 8 on box", OTHER))
        take(Notice(NoticeKind.LOST, "c", "its connection was lost", OTHER))
    assert teller.said == [
        "worker a audit: bad memory",
        "waiting: 0 of 1 workers are connected",
        "(waiting for workers)",
        "continued: after 3.0 seconds",
        "()",
        "worker a left: tired",
        "worker b left: it never was ready",
        "worker c lost: its connection was lost",
    ]
    rows = query(tmp_path / "x.db", "SELECT kind, worker, text FROM events ORDER BY id")
    assert [kind for kind, _, _ in rows] == [*QUIET, "audit", "waiting", "continued", "left", "left", "joined", "lost"]
    assert ("waiting", None, "0 of 1 workers are connected") in rows
    assert query(tmp_path / "x.db", 'SELECT worker, pid, key, images, reason, "left" >= joined FROM workers') == [
        ("a", 7, "0123456789abcdef", 100, "tired", 1),
        ("c", 8, None, 50, "its connection was lost", 1),
    ]
