"""Databases that earlier versions made: they are read as they are, and brought up to date by a program that writes."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import RecordsError
from engine.records import (
    HistogramRow,
    Recorder,
    database,
    find_sweep,
    list_runs,
    read,
    read_run,
    read_trials,
    reading,
    remove_runs,
    snapshots,
)
from engine.records.schema import COLUMNS, INDEXES, VERSION
from engine.settings import FORMER_NAMES
from tests.records.test_snapshots import KERNEL, RUN, noise, snapshot

NEW: dict[str, dict[str, None]] = {"runs": {"best_r2": None}, "validation": {"r2": None}}  # columns since version 4
FOURTH = Path(__file__).parent / "version_4.sql"


def fourth(path: Path) -> Path:
    """Make the database of a program that knew version 4."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FOURTH.read_text())
    return path


def content(path: Path, tables: Iterable[str] = COLUMNS) -> dict[str, list[Any]]:
    """Return all rows of the tables, columns by name, but for those of constants."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        names = set(tables) - {"numbers", "float32"}
        return {n: [dict(row) for row in connection.execute(f"SELECT * FROM {n} ORDER BY rowid")] for n in names}  # noqa: S608


def structure(path: Path) -> dict[str, Any]:
    """Return what SQLite knows of tables, columns, keys, references and indexes."""
    questions = {
        "table": "SELECT name, ncol, strict FROM pragma_table_list WHERE name = ?",
        "columns": 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)',
        "references": 'SELECT "from", "table", "to" FROM pragma_foreign_key_list(?) ORDER BY 1',
        "indexes": 'SELECT name, "unique", origin FROM pragma_index_list(?) ORDER BY 1',
    }
    with closing(sqlite3.connect(path)) as connection:
        found = {f"{t} {q}": connection.execute(sql, (t,)).fetchall() for t in COLUMNS for q, sql in questions.items()}
        for index in INDEXES:
            found[index] = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        found["data"] = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'data'").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return found


def test_a_database_of_the_fourth_version_is_read_as_it_is(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    before = path.read_bytes()
    assert [(run["startID"], run["state"]) for run in list_runs(path)] == [(n, "finished") for n in (1, 2, 3)]
    record = read_run(path, "old one")
    assert [row["worker"] for row in record.workers] == ["box:3223", "box:3222"]
    assert [row["kind"] for row in record.events] == ["joined", "joined"]
    number, row = find_sweep(path, "s1")
    assert (number, row.over) == (1, {"lr": "0.001,0.01"})
    assert [trial.row.state for trial in read_trials(path, 1).values()] == ["finished", "finished"]
    assert path.read_bytes() == before


def test_settings_are_read_by_their_present_names(tmp_path: Path) -> None:
    settings = list_runs(fourth(tmp_path / "r.db"))[0]["settings"]
    assert settings["shared_memory"] is True
    assert "mailbox" not in settings
    assert read.FORMER_SETTINGS == FORMER_NAMES, "records may not import settings"


def test_a_database_of_the_fourth_version_becomes_like_a_new_one_and_keeps_its_rows(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    before = content(path)
    assert before["trials"]
    Recorder(path).close()
    assert content(path) == {table: [NEW.get(table, {}) | row for row in rows] for table, rows in before.items()}
    Recorder(tmp_path / "new.db").close()
    assert structure(path) == structure(tmp_path / "new.db")
    remove_runs(path, [3])
    with Recorder(path) as records:
        assert records.begin(RUN) == 4, "the number of a deleted run is not given again"
        records.snapshot(snapshot(1))
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute(KERNEL.replace("startID = 1", "startID = 4")).fetchall()) == 9


def test_a_column_that_a_table_does_not_have_yet_is_added(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    with closing(sqlite3.connect(path)) as connection:
        for table, column in (("training", "momentum"), ("runs", "params_sha256")):  # the last ones of their tables
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    Recorder(path).close()
    Recorder(tmp_path / "new.db").close()
    assert structure(path) == structure(tmp_path / "new.db")
    assert [run["params_sha256"] for run in list_runs(path)] == [None] * 3


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE trials SET state = NULL")  # not by us
    before = content(path)
    with pytest.raises(RecordsError, match=r"r\.db cannot take what was written \(NOT NULL"):
        Recorder(path)
    assert content(path) == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)


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
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
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
