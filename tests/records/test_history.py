"""Reading one run: which one is meant, its curves, and that a kernel over time is found by key."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.records import EventRow, Recorder, RunRow, Snapshot, TrainingRow, WorkerRow, places, reading
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
        assert workers(connection, 2) == events(connection, 2) == []


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
