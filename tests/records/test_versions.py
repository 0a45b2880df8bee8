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
    history,
    list_runs,
    read_run,
    read_trials,
    reading,
    remove_runs,
    snapshots,
)
from engine.records.schema import COLUMNS, INDEXES, VERSION
from tests.records.test_snapshots import KERNEL, RUN, noise, snapshot

FOURTH = Path(__file__).parent / "version_4.sql"
BEST_OF_FOURTH = [(40, 66.65), (5, 11.85), (5, 7.45)]  # the best step and the last percent of each run


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
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        names = set(tables) & there - {"numbers", "float32"}
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
    assert [(run["best_step"], run["last_percent"]) for run in list_runs(path)] == BEST_OF_FOURTH
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


def test_a_database_of_the_fourth_version_becomes_like_a_new_one_and_keeps_its_rows(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    before = content(path)
    assert before["trials"]
    Recorder(path).close()
    after = content(path)
    for table, rows in before.items():
        assert [{name: new[name] for name in old} for old, new in zip(rows, after[table], strict=True)] == rows
        assert {value for new in after[table] for name, value in new.items() if name not in rows[0]} <= {None}
    Recorder(tmp_path / "new.db").close()
    assert structure(path) == structure(tmp_path / "new.db")
    remove_runs(path, [3])
    with Recorder(path) as records:
        assert records.begin(RUN) == 4, "the number of a deleted run is not given again"
        records.snapshot(snapshot(1))
    with closing(sqlite3.connect(path)) as connection:
        assert len(connection.execute(KERNEL.replace("startID = 1", "startID = 4")).fetchall()) == 9


# One column of each table, as if it were new.
NEW = {
    "runs": "params_sha256",
    "training": "gradnorm",
    "validation": "avgloss",
    "workers": "fingerprint",
    "events": "worker",
    "statistics": "updates_norm",
}


def test_a_column_that_a_table_does_not_have_yet_is_null_until_it_is_added(tmp_path: Path) -> None:
    path = fourth(tmp_path / "r.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO statistics (startID, batchno, name, subname) VALUES (1, 1, 'c1', 'bias')")
        for table, column in NEW.items():
            there = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
            if column in there:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    before = content(path, NEW)
    assert values_of_new(path) == {table: {None} for table in NEW}
    assert content(path, NEW) == before, "reading adds nothing"
    Recorder(path).close()
    Recorder(tmp_path / "new.db").close()
    now, new = structure(path), structure(tmp_path / "new.db")
    assert {name: sorted(found) for name, found in now.items()} == {name: sorted(found) for name, found in new.items()}
    assert values_of_new(path) == {table: {None} for table in NEW}


def values_of_new(path: Path) -> dict[str, set[object]]:
    """Return what is read of run 1 in the columns of NEW; nan, which a number that is missing is in places, as None."""
    record = read_run(path, "1")
    with reading(path) as connection:
        steps, statistics = list(history.steps(connection, 1)), snapshots.statistics(connection, 1)
        assert np.isnan(history.curves(connection, "training", 1)[NEW["training"]]).all()
        assert np.isnan(history.curves(connection, "validation", 1)[NEW["validation"]]).all()
    rows: dict[str, list[Any]] = {
        "runs": [record.run],
        "training": [step._asdict() for step in steps],
        "validation": list(record.validation),
        "workers": list(record.workers),
        "events": list(record.events),
        "statistics": [row._asdict() for row in statistics],
    }
    found = {table: {row[NEW[table]] for row in rows[table]} for table in NEW}
    return {table: {None if value != value else value for value in values} for table, values in found.items()}  # noqa: PLR0124


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
