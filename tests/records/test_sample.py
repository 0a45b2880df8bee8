"""Some steps of many: evenly spread, with the first and the last, and found without reading the others."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.records import (
    HistogramRow,
    Recorder,
    RunRow,
    Snapshot,
    TrainingRow,
    ValidationRow,
    history,
    places,
    reading,
    snapshots,
)
from engine.records.sample import steps_with_rows
from engine.reports.plots import workers

RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1)
PLACE = places({"fc1.bias": (9,)})["fc1.bias"]


@given(st.sets(st.integers(1, 300), min_size=1), st.integers(2, 40))
def test_they_are_evenly_spread(steps: set[int], most: int) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (startID, batchno, PRIMARY KEY (startID, batchno))")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(run, step) for run in (1, 2) for step in steps])
        connection.execute("INSERT INTO t VALUES (2, 999)")
        found = steps_with_rows(connection, "t", 1, most)
    if len(steps) <= most:
        assert found is None
        return
    assert found is not None
    assert len(found) <= most
    assert set(found) <= steps
    assert (found[0], found[-1]) == (min(steps), max(steps))
    assert found == sorted(found)
    gap = (max(steps) - min(steps)) / (most - 1)
    assert all(any(0 <= step - other <= gap + 1 for other in found) for step in steps)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        for step in range(1, 3001):
            records.training(TrainingRow(step, step / 7, 1e9 + step, step, step, 50, 1 / step, 64, 0.1))
        for step in range(1, 201):
            values = np.full(9, step, np.float32)
            histogram = [HistogramRow(step, "fc1", "bias", "values", step, step + 1, "[9]")]
            records.snapshot(Snapshot(step, {PLACE: (values, -values)}, histogram))
    return path


def test_curves_have_neighbours_which_tell_how_long_a_step_took(path: Path) -> None:
    with reading(path) as connection:
        whole, some = (history.curves(connection, "training", 1, most) for most in (None, 100))
        steps = some["batchno"].astype(int)
        assert 90 <= len(steps) <= 101
        assert (steps[0], steps[-1]) == (1, 3000)
        assert np.count_nonzero(np.diff(steps) == 1) >= 49
        for name, values in some.items():
            assert np.array_equal(values, whole[name][steps - 1], equal_nan=True)
        assert history.curves(connection, "training", 1, 3001)["batchno"].tolist() == whole["batchno"].tolist()


def test_the_beginning_of_each_validation_is_there(path: Path) -> None:
    with Recorder(path) as records:
        records.resume(RUN.uuid or "", 3000)
        for step in range(100, 3001, 100):
            records.validation(ValidationRow(step, step / 7, 1e9 + step, step + 0.5, step + 0.5, 50, 0.1))
    with reading(path) as connection:
        training, validation = (history.curves(connection, table, 1, 100) for table in ("training", "validation"))
    spans = workers.validations_of(training, validation, 1e9)
    assert len(spans) == 30
    assert all(end - began == pytest.approx(0.5) for began, end in spans)


def test_snapshots_and_histograms(path: Path) -> None:
    with reading(path) as connection:
        steps, values, gradients = snapshots.series(connection, 1, "fc1.bias", 2, 5, most=20)
        assert 15 <= len(steps) <= 20
        assert (steps[0], steps[-1]) == snapshots.ends(connection, 1, "fc1.bias") == (1, 200)
        assert np.array_equal(values, np.repeat(steps[:, None], 3, 1).astype(np.float32))
        assert np.array_equal(gradients, -values)
        found = snapshots.histograms(connection, 1, "fc1.bias", "values", most=20)
        assert [(step, step, step + 1, [9]) for step in steps] == found
        assert len(snapshots.histograms(connection, 1, "fc1.bias", "values", most=200)) == 200


def test_rows_that_were_left_out_do_not_make_all_others_shown(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("training", "snapshots", "histograms"):
            connection.execute(f"DELETE FROM {table} WHERE batchno BETWEEN 50 AND 150")  # noqa: S608
    with reading(path) as connection:
        assert len(snapshots.series(connection, 1, "fc1.bias", 2, 5, most=20)[0]) <= 20
        assert len(snapshots.histograms(connection, 1, "fc1.bias", "values", most=20)) <= 20
        assert len(history.curves(connection, "training", 1, 1000)["batchno"]) <= 1001


def test_what_is_not_shown_is_not_read(path: Path) -> None:
    """SQLite's own count of its steps: ten times the rows may not take twice as many."""

    def counted(run: int) -> int:
        ticks = 0

        def tick() -> None:
            nonlocal ticks
            ticks += 1

        with reading(path) as connection:
            connection.set_progress_handler(tick, 10)
            history.curves(connection, "training", run, 50)
        return ticks

    with Recorder(path) as records:
        short = records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="short"))
        for step in range(1, 301):
            records.training(TrainingRow(step, 0, 0, 0, 0, 0, 0, 1, 1))
    assert counted(1) < 2 * counted(short)
