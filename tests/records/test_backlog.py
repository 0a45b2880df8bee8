"""What waits for a database is the same rows in the end, and never more than the limit."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecordsError
from engine.records import EventRow, Recorder, RunRow, StatisticsRow, TrainingRow, side_file
from engine.records.backlog import Backlog
from engine.records.batch import CHANGE, Row
from engine.records.row_lines import packed, row_from, unpacked

NUMBERS = st.floats(allow_nan=False) | st.none() | st.integers(-(1 << 63), (1 << 63) - 1)
EVENTS = st.builds(lambda text, time: Row("events", (7, *EventRow("kind", text, 3, time=time))), st.text(), NUMBERS)
STEPS = st.builds(
    lambda step, loss: Row("training", (7, *TrainingRow(step, 0.5, 1.0, 2.0, 3.0, None, loss, 64, 1e-3))),
    st.integers(1, 1 << 40),
    st.floats(allow_nan=False),
)


def training(step: int) -> Row:
    return Row("training", (7, *TrainingRow(step, 1 / (step + 0.1), 1e9 / step, 3.7 / step, 2.0, 50.0, 0.3, 64, 1e-3)))


def statistics(step: int, name: str = "c1") -> Row:
    return Row("statistics", (7, *StatisticsRow(step, name, "bias", *(n / step for n in range(1, 19)))))


@given(st.lists(STEPS | EVENTS))
def test_rows_come_back_as_they_were_in_order(rows: list[Row]) -> None:
    half = len(rows) // 2
    found = unpacked(packed(rows[:half]) + packed(rows[half:]))
    assert [(row.table, tuple(row.values)) for row in found] == [(row.table, tuple(row.values)) for row in rows]


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b'["training", [1, 2]]',
        b'["sqlite_schema", [1, 2, 3]]',
        b'["runs", [1, {"state) --": 1}]]',
        b'["runs", [1, 2]]',
        b'"x"',
    ],
)
def test_a_line_that_is_no_row_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"is not a row|Expecting"):
        row_from(line)


def tables(content: list[bytes]) -> Iterator[tuple[str, object]]:
    for row in unpacked(b"".join(content)):
        yield row.table, row.values[1] if row.table != "events" else row.values[2]


def test_statistics_are_thinned_before_a_step_is_left_out_and_the_end_of_the_run_is_always_kept() -> None:
    backlog, limit = Backlog(limit=300_000), 300_000
    for step in range(1, 8_001):
        backlog.add(training(step))
        backlog.add(statistics(step))
        backlog.add(statistics(step, "c2"))
    backlog.add(Row(CHANGE, (7, {"state": "finished"})))
    content = backlog.content()
    assert sum(map(len, content)) < 1.3 * limit
    found = list(tables(content))
    steps = [step for table, step in found if table == "training"]
    measured = [step for table, step in found if table == "statistics"]
    assert steps == list(range(1, len(steps) + 1)), "the first ones, without a hole"
    assert len(measured) % 2 == 0
    assert set(measured) < set(steps)
    assert len(measured) // 2 < len(steps) // 2
    last_full = next(n for n in range(1, 8_001) if n not in measured)
    assert measured[: 2 * (last_full - 1)] == [n for n in range(1, last_full) for _ in range(2)]
    assert ("runs", {"state": "finished"}) in found
    notes = [str(text) for table, text in found if table == "events"]
    assert notes[0].startswith(f"steps {len(steps) + 1} to 8000 have no rows: ")
    assert notes[1] == f"{8_000 - len(measured) // 2} steps have no statistics: too many rows were waiting"


def test_what_is_missing_is_said_where_there_is_no_room_for_rows() -> None:
    backlog = Backlog()
    for step in range(5, 9):
        backlog.add(training(step))
    backlog.add(Row(CHANGE, (7, {"state": "finished"})))
    assert list(tables(backlog.only_missing())) == [
        ("events", "steps 5 to 8 have no rows: the disk of the checkpoints was full"),
        ("runs", {"state": "finished"}),
    ]


def test_written_rows_are_forgotten_piece_by_piece_and_written_twice_they_are_once_there(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records:
        number = records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
    backlog = Backlog()
    rows = [training(n)._replace(values=(number, *training(n).values[1:])) for n in range(1, 4_101)]
    rows += [Row("events", (number, *EventRow("kind", text, time=1.5))) for text in ("a", "b", "a")]
    for _ in range(2):
        for row in rows:
            backlog.add(row)
        assert len(backlog) == 4_103
        with closing(sqlite3.connect(tmp_path / "r.db", isolation_level=None)) as connection:
            backlog.write(connection)
            assert len(backlog) == 0
            assert connection.execute("SELECT count(*), max(batchno) FROM training").fetchall() == [(4_100, 4_100)]
            assert connection.execute("SELECT text FROM events ORDER BY id").fetchall() == [("a",), ("b",)]


def test_a_file_of_another_run_or_a_damaged_one(tmp_path: Path) -> None:
    assert list(side_file.read(tmp_path, "mine")) == []
    side_file.save(tmp_path, "mine", [packed([training(1)]), packed([training(2)])])
    assert [row.values[1] for row in side_file.read(tmp_path, "mine")] == [1, 2]
    assert list(side_file.read(tmp_path, "another")) == []
    assert [path.name for path in tmp_path.iterdir()] == [side_file.NAME]
    whole = (tmp_path / side_file.NAME).read_bytes()
    for damaged in (whole[:-3], b"no gzip at all", whole[:60] + bytes([whole[60] ^ 1]) + whole[61:], b""):
        (tmp_path / side_file.NAME).write_bytes(damaged)
        with pytest.raises(RecordsError, match=r"unwritten.jsonl.gz cannot be read .*: the rows in it are missing"):
            list(side_file.read(tmp_path, "mine"))
