"""Deleted snapshots: nobody sees them, and what they took is used again, a little at a time."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.records import HistogramRow, Recorder, RunRow, RunStatus, Snapshot, places, reading, remove_runs, snapshots

PLACE = places({"fc1.weights": (100, 100)})["fc1.weights"]
CHUNKS = 20  # of a snapshot


def row(uuid: str) -> RunRow:
    return RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=uuid)


def take(records: Recorder, step: int) -> None:
    values = np.full(10_000, step, np.float32)
    histogram = [HistogramRow(step, "fc1", "weights", "values", 0.0, 0.0, "[10000]")]
    records.snapshot(Snapshot(step, {PLACE: (values, -values)}, histogram))


def rows(path: Path, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.db"


def steps(path: Path, run: int = 1) -> list[int]:
    with reading(path) as connection:
        found = snapshots.steps(connection, run)
        assert snapshots.series(connection, run, "fc1.weights", 0, 1)[0].tolist() == found
        assert [step for step, *_ in snapshots.histograms(connection, run, "fc1.weights", "values")] == found
    sql = "SELECT batchno, val, grad FROM data WHERE startID = ? AND name = 'fc1' AND idx = 0 AND row = 7 AND col = 7"
    assert rows(path, f"{sql} ORDER BY 1", run) == [(step, step, -step) for step in found]
    return found


def test_they_are_gone_at_once_and_their_chunks_with_later_snapshots(path: Path) -> None:
    with Recorder(path) as records:
        records.begin(row("a"))
        for step in range(1, 9):
            take(records, step)
        assert records.thin_snapshots(2, 4) == 4
        assert records.thin_snapshots(2, 4) == 0
        assert steps(path) == [1, 2, 4, 8]
        assert rows(path, "SELECT startID, batchno FROM deleted_snapshots") == [(1, s) for s in (3, 5, 6, 7)]
        full = rows(path, "PRAGMA page_count")[0][0]
        for step in (12, 16, 20, 24):
            take(records, step)
            assert rows(path, "SELECT count(*) FROM chunks") == [(8 * CHUNKS,)]
        assert rows(path, "SELECT * FROM deleted_snapshots") == []
        assert steps(path) == [1, 2, 4, 8, 12, 16, 20, 24]
        records.finish(RunStatus.FINISHED)
    assert rows(path, "PRAGMA page_count")[0][0] <= full + 3, "of 12 pages that four take"


def test_a_large_one_makes_room_for_many_small_ones(path: Path) -> None:
    small = places({"fc1.bias": (512,)})["fc1.bias"]
    values = np.zeros(512, np.float32)
    with Recorder(path) as records:
        records.begin(row("a"))
        take(records, 1)
        records.thin_snapshots(0, 2)
        for step in range(2, CHUNKS + 1):
            records.snapshot(Snapshot(step, {small: (values, values)}))
            assert rows(path, "SELECT count(*) FROM chunks") == [(CHUNKS,)]
        assert rows(path, "SELECT * FROM deleted_snapshots") == [(1, 1)]
        for step in (30, 31):
            records.snapshot(Snapshot(step, {small: (values, values)}))
        assert rows(path, "SELECT * FROM deleted_snapshots") == []


def test_one_that_is_written_again_is_there_again(path: Path) -> None:
    """The run was resumed from before the step in which it was deleted."""
    with Recorder(path) as records:
        records.begin(row("a"))
        for step in (1, 2, 3, 4):
            take(records, step)
        records.thin_snapshots(0, 2)
        records.resume("a", 0)
        take(records, 1)
        assert steps(path) == [1]
        assert rows(path, "SELECT batchno FROM deleted_snapshots") == []
        take(records, 2)
        assert steps(path) == [1, 2]


def test_those_of_a_deleted_run_make_room_for_the_next_one(path: Path) -> None:
    for uuid in ("a", "b"):
        with Recorder(path) as records:
            records.begin(row(uuid))
            for step in range(1, 20):
                take(records, step)
            records.finish(RunStatus.FINISHED)
    full = path.stat().st_size
    remove_runs(path, [1])
    assert rows(path, "SELECT count(*) FROM chunks WHERE startID = 1") == [(19 * CHUNKS,)]
    with Recorder(path) as records:
        records.begin(row("c"))
        for step in range(1, 20):
            take(records, step)
        records.finish(RunStatus.FINISHED)
    assert rows(path, "SELECT count(*) FROM chunks WHERE startID = 1") == [(0,)]
    assert path.stat().st_size <= full + 32_768
    assert steps(path, 2) == steps(path, 3) == list(range(1, 20))


def test_a_reader_goes_on_seeing_what_it_saw(path: Path) -> None:
    with Recorder(path) as records:
        records.begin(row("a"))
        for step in range(1, 5):
            take(records, step)
        with reading(path) as connection:
            connection.execute("BEGIN")
            assert snapshots.steps(connection, 1) == [1, 2, 3, 4]
            records.thin_snapshots(0, 2)
            for step in (6, 8):
                take(records, step)
            assert snapshots.tensor(connection, 1, "fc1.weights", 3)[0][5, 5] == 3
        assert steps(path) == [2, 4, 6, 8]
