"""Reading one run: which one is meant, its curves, and that a kernel over time is found by key."""

import math
import sqlite3
import tracemalloc
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.records import EventRow, Recorder, RunRow, Snapshot, TrainingRow, WorkerRow, history, places, reading
from engine.records import snapshots as stored
from engine.records.history import Connection, curves, events, workers

PATH = Path("r.db")


@pytest.fixture
def records() -> Iterator[Recorder]:
    with Recorder(PATH) as open_records:
        yield open_records


def begin(records: Recorder, count: int = 1) -> None:
    for _ in range(count):
        records.begin(RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7))


def test_curves_are_in_order_and_nan_where_nothing_is_known(records: Recorder) -> None:
    begin(records)
    for step in (2, 1, 3):
        loss = math.nan if step == 2 else 1 / step
        records.training(TrainingRow(step, step / 3, 100.0 + step, step, 2 * step, None, loss, 64, 0.1))
    records.flush()
    with reading(PATH) as connection:
        found = curves(connection, "training", 1)
        assert curves(connection, "validation", 1)["corperc"].shape == (0,)
    assert found["batchno"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(found["avgloss"], [1, np.nan, 1 / 3])
    assert np.isnan(found["corperc"]).all()
    assert "startID" not in found


def test_steps_are_read_in_order_from_anywhere(records: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 4)
    begin(records, 2)
    rows = [TrainingRow(n, n / 3, 100.0 + n, n, 2 * n, None, 1 / n, 64, 0.1) for n in range(1, 11)]
    for row in reversed(rows):
        records.training(row)
    records.training(TrainingRow(11, 0, 0, 0, 0, 0, math.nan, 1, 1))
    records.flush()
    with reading(PATH) as connection:
        assert history.count_steps(connection, 2) == 11
        assert history.count_steps(connection, 1) == 0
        assert list(history.steps(connection, 1)) == []
        *found, last = history.steps(connection, 2)
        assert found == rows
        assert math.isnan(last.avgloss)
        for limit in (0, 1, 3, 4, 8, 9, 99, None):
            for offset in (0, 1, 4, 5, 10):
                want = rows[offset:][:limit]
                assert list(history.steps(connection, 2, limit, offset))[: len(want)] == want
        assert len(list(history.steps(connection, 2, 5, 3))) == 5
        assert list(history.steps(connection, 2, offset=11)) == []


def test_steps_take_the_same_memory_however_many_there_are(records: Recorder) -> None:
    begin(records)
    for n in range(1, 30_001):
        records.training(TrainingRow(n, n / 3, 100.0 + n, n, 2 * n, None, 1 / n, 64, 0.1))
    records.flush()
    with reading(PATH) as connection:
        peaks = []
        for limit in (2 * history.PAGE_ROWS, None):
            tracemalloc.start()
            last = deque(history.steps(connection, 1, limit), maxlen=1)[0]
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert last.batchno == 30_000
    assert peaks[1] < 1.2 * peaks[0]


def test_a_reader_of_steps_does_not_hold_up_the_log(records: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PAGE_ROWS", 2)
    begin(records)
    for n in range(1, 5):
        records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
    records.flush()
    with reading(PATH) as connection, closing(sqlite3.connect(PATH)) as other:
        found = history.steps(connection, 1)
        assert next(found).batchno == 1
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, "not busy"
        assert [row.batchno for row in found] == [2, 3, 4]


def test_workers_and_events(records: Recorder) -> None:
    begin(records)
    records.worker(WorkerRow("b", joined="2026-01-01T00:00:01+00:00", images=3))
    records.worker(WorkerRow("a", joined="2026-01-01T00:00:02+00:00"))
    records.event(EventRow("lapsed", worker="a", time=5.0))
    records.event(EventRow("left", worker="b", time=4.0))
    records.flush()
    with reading(PATH) as connection:
        assert [(row["worker"], row["images"]) for row in workers(connection, 1)] == [("b", 3), ("a", 0)]
        assert [row["kind"] for row in events(connection, 1)] == ["lapsed", "left"]
        assert (workers(connection, 2), events(connection, 2)) == ([], [])


def work(connection: Connection, run: int) -> int:
    """Return how long SQLite works on one kernel over time, in hundreds of its instructions."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(tick, 100)
    stored.series(connection, run, "c1.filter", 0, 9)
    connection.set_progress_handler(None, 0)
    return count


def test_one_kernel_over_four_times_as_many_snapshots_is_four_times_the_work(records: Recorder) -> None:
    table = places({"c1.filter": (32, 8, 3, 3)})
    arrays = {place: (np.zeros(place.size, np.float32),) * 2 for place in table.values()}
    for count in (50, 200):
        begin(records)
        for step in range(count):
            records.snapshot(Snapshot(step, arrays))
    with reading(PATH) as connection:
        assert work(connection, 2) < 6 * work(connection, 1)
