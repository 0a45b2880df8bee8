"""The size of a run's records is close to what the database grew by, and has nothing of other runs."""

from pathlib import Path

import numpy as np
import pytest

from engine.records import Recorder, RunRow, Snapshot, TrainingRow, list_runs, places, remove_snapshots


def write(records: Recorder, steps: int, snapshots: int) -> int:
    """Write a run and return the bytes of its records."""
    place, values = places({"fc1.weights": (1000, 10)})["fc1.weights"], np.zeros(10_000, np.float32)
    records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
    for n in range(1, steps + 1):
        records.training(TrainingRow(n, n / 7, 1e9 + n / 7, n / 7, n / 7, 100 / n, 1 / n, 64, 0.001, 0.9))
    for n in range(1, snapshots + 1):
        records.snapshot(Snapshot(n, {place: (values, values)}))
    return bytes_of(records)


def bytes_of(records: Recorder) -> int:
    size = records.size()
    assert size is not None
    return size


def test_it_is_exact() -> None:
    with Recorder("r.db") as records:
        empty, small = write(records, 0, 0), write(records, 100, 3)
        named = len("fc1" + "weights" + "[1000, 10]")
        assert small - empty == 100 * 12 * 8 + 3 * (10_000 * 8 + 7 * 8 + named)
        assert write(records, 0, 0) == empty


@pytest.mark.parametrize(("steps", "snapshots"), [(0, 40), (20_000, 0)])
def test_the_file_grows_by_about_as_much(steps: int, snapshots: int) -> None:
    with Recorder("r.db") as records:
        write(records, 0, 0)
    before = Path("r.db").stat().st_size
    with Recorder("r.db") as records:
        size = write(records, steps, snapshots)
    grown = Path("r.db").stat().st_size - before
    assert 0.6 * size < grown < 1.4 * size


def test_it_shrinks_when_snapshots_are_deleted() -> None:
    with Recorder("r.db") as records:
        full = write(records, 10, 5)
    remove_snapshots("r.db", [1])
    with Recorder("r.db") as records:
        assert records.resume(list_runs("r.db")[0]["uuid"], 10) == 1
        assert 5 * 80_000 <= full - bytes_of(records) < 5 * 80_000 + 1_000
