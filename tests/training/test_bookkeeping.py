"""The books of a run: every worker that came is in them, as a row or in a total, however many come and go."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.coordinator.notices import MAX_NOTICES, Notice, NoticeKind
from engine.coordinator.source import WorkerReport
from engine.records import Recorder, RunRow, TrainingRow, WorkerRow, read_run
from engine.training.bookkeeping import MOST_ROWS, OTHERS, Bookkeeping, WorkerRows
from engine.training.reporter import Reporter

RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u1")
DB = Path("r.db")


@pytest.fixture
def records() -> Iterator[Recorder]:
    with Recorder(DB) as found:
        found.begin(RUN)
        yield found


def worker(number: int, images: int = 0) -> WorkerReport:
    return WorkerReport(f"box:{number}", "box", number, images, images / 10, 0.0)


def joined(number: int) -> Notice:
    return Notice(NoticeKind.JOINED, f"box:{number}", "", worker(number))


def lost(number: int, images: int = 0) -> Notice:
    return Notice(NoticeKind.LOST, f"box:{number}", "killed", worker(number, images))


def rows(sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(DB)) as connection:
        return connection.execute(sql, values).fetchall()


OPEN = 'SELECT worker FROM workers WHERE joined IS NULL OR "left" IS NULL'


def test_after_any_number_of_joins_every_row_is_closed_and_every_join_is_in_an_event(records: Recorder) -> None:
    """As it was found: joins beyond the first thousand, and a worker that is there at a checkpoint."""
    books = Bookkeeping(records, Reporter())
    books.take(joined(0))
    for number in range(1, 4001):
        books.take(joined(number))
        if number % 500 == 0:
            books.update([worker(0, 5 * number), worker(number, 3)])
        books.take(lost(number, 7))
    books.update([worker(0, 20_000), worker(4001, 1)])
    records.flush()
    assert rows("SELECT count(*), sum(images) FROM workers") == [(MOST_ROWS + 1, 20_000 + 7 * 4000 + 1)]
    assert rows(OPEN) == [("box:0",)], "which is still there"
    told = rows("SELECT kind, text FROM events")
    for kind, total in ((NoticeKind.JOINED, 4001), (NoticeKind.LOST, 4000)):
        texts = [text for known, text in told if known == kind]
        more = [int(text.split()[0]) for text in texts if text.endswith(" more of these")]
        assert len(texts) <= MAX_NOTICES + 9
        assert len(texts) - len(more) + sum(more) == total, "before the end, too: it may be killed"
    books.close([worker(0, 20_000)])
    records.flush()
    assert rows(OPEN) == []
    [(began, left, reason)] = rows('SELECT joined, "left", reason FROM workers WHERE worker = ?', OTHERS)
    assert began <= left
    assert reason == f"{4001 - MOST_ROWS:,} workers that came after the first {MOST_ROWS:,}, together"


@given(st.lists(st.tuples(st.sampled_from(["join", "go", "checkpoint"]), st.integers(0, 5), st.integers(1, 9))))
def test_whoever_comes_and_goes_all_images_are_counted_once(acts: list[tuple[str, int, int]]) -> None:
    written: dict[str, WorkerRow] = {}

    class Table:
        def worker(self, row: WorkerRow) -> None:
            before = written.get(row.worker, row)
            written[row.worker] = row._replace(joined=row.joined or before.joined)

    book = WorkerRows(Table(), most=3)  # type: ignore[arg-type]
    there: dict[int, WorkerReport] = {}
    done = came = 0

    def go(number: int) -> None:
        book.take(Notice(NoticeKind.LEFT, "", "bye", there.pop(number)))

    for act, number, images in acts:
        if act == "join":
            came += 1
            there[came] = worker(came)
            book.take(joined(came))
        elif act == "go" and there:
            go(sorted(there)[number % len(there)])
        for key, report in there.items():
            there[key] = worker(key, report.images + images)
            done += images
        if act == "checkpoint":
            book.update(there.values())
            assert sum(row.images for row in written.values()) == done
            assert all(row.joined for row in written.values())
    for number in list(there):
        go(number)
    book.update(())
    assert sum(row.images for row in written.values()) == done
    assert len(written) == min(came, 3 + 1)
    assert all(row.joined and row.left and row.reason for row in written.values())


def test_a_later_sitting_has_as_much_room_as_was_left_and_a_row_of_its_own_for_others(records: Recorder) -> None:
    book = WorkerRows(records, known=["box:1", "box:2", OTHERS], most=4)
    for number in (3, 4, 5):
        book.take(joined(number))
    book.update([worker(number, 1) for number in (3, 4, 5)])
    records.flush()
    assert rows("SELECT worker, images FROM workers ORDER BY worker") == [("box:3", 1), (f"{OTHERS}#2", 2)]


@pytest.mark.parametrize("steps", [0, 3])
def test_rows_that_a_killed_coordinator_left_open_are_closed_at_the_next_look_and_when_it_is_resumed(
    records: Recorder, steps: int
) -> None:
    books = Bookkeeping(records, Reporter())
    for number in (1, 2):
        books.take(joined(number))
    books.take(lost(1))
    for step in range(1, steps + 1):
        records.training(TrainingRow(step, 0, 1e9 + step, 0, 0, 0, 0, 1, 1))
    records.flush()
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("UPDATE runs SET pid = ?, process = NULL", (2**22 + 1,))  # above any pid: it is gone
    seen = read_run(DB, "1").workers
    [(start,)] = rows("SELECT joined FROM workers WHERE worker = 'box:2'")
    ended = "2001-09-09T01:46:43.000+00:00" if steps else start
    killed = "its coordinator was killed or crashed"
    assert [row["reason"] for row in seen] == ["killed", killed]
    assert seen[1]["left"] == ended
    assert rows(OPEN) == [("box:2",)], "looking writes nothing"
    records.resume("u1", 0)
    assert read_run(DB, "1").workers == seen
    assert rows(OPEN) == []
