"""Databases that older versions made: they are read as they are, and brought up to date by who writes to them."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RecordsError
from engine.records import HistogramRow, Recorder, database, reading, snapshots
from tests.records.test_snapshots import KERNEL, RUN, noise, snapshot


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP VIEW data")
        for table in ("statistics", "snapshots", "chunks", "histograms", "numbers", "float32"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("PRAGMA user_version = 1")
    with reading(path) as connection:  # as it is
        assert snapshots.steps(connection, 1) == []
        assert snapshots.tensors(connection, 1) == {}
        assert snapshots.statistics(connection, 1) == []
        assert snapshots.histograms(connection, 1, "c1.filter", "values") == []
        with pytest.raises(RecordsError, match="run 1 has no snapshots"):
            snapshots.series(connection, 1, "c1.filter", 0, 9)
    with Recorder(path) as records:
        assert records.resume("u1", 0) == 1
        records.snapshot(snapshot(1))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        assert len(connection.execute(KERNEL).fetchall()) == 9
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_database_of_the_third_version_has_no_histograms_yet(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        records.snapshot(snapshot(1))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE histograms")
        connection.execute("PRAGMA user_version = 3")
    with reading(path) as connection:
        assert np.array_equal(snapshots.tensor(connection, 1, "c2.filter", 1)[0], noise(1, "c2.filter")[0])
        assert snapshots.histograms(connection, 1, "c2.filter", "values") == []
    with Recorder(path) as records:
        assert records.resume("u1", 1) == 1
        row = HistogramRow(2, "c2", "filter", "values", 0.0, 1.0, "[7]")
        records.snapshot(replace(snapshot(2), histograms=[row]))
    with reading(path) as connection:
        assert snapshots.histograms(connection, 1, "c2.filter", "values") == [(2, 0.0, 1.0, [7])]


def test_a_database_of_small_pages_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.db"
    monkeypatch.setattr(database, "PAGE", 4096)
    with Recorder(path) as records:
        records.begin(RUN)
        records.snapshot(snapshot(1))
    monkeypatch.undo()
    with Recorder(path) as records:
        records.resume("u1", 1)
        records.snapshot(snapshot(2))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (4096,)
        assert len(connection.execute(KERNEL).fetchall()) == 18
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with reading(path) as connection:
        for step in (1, 2):
            assert np.array_equal(snapshots.tensor(connection, 1, "c3.filter", step)[1], noise(step, "c3.filter")[1])
