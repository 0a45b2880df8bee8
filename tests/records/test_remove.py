"""Deleting runs: all of their rows and nothing else, the space given back, and nobody who trains meanwhile is hurt."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RecordsError
from engine.records import (
    ClassRow,
    ConfusionRow,
    EventRow,
    HistogramRow,
    Recorder,
    RunRow,
    RunStatus,
    Snapshot,
    StatisticsRow,
    TrainingRow,
    TrialRow,
    TrialStatus,
    ValidationRow,
    WorkerRow,
    database,
    give_back,
    list_runs,
    places,
    remove,
    remove_runs,
    remove_snapshots,
)
from tests.records.test_processes import go, pipes, process, rows

GONE = 2**22 + 1  # above the largest pid that Linux gives


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred rows take several pages and slices, with no pause between them."""
    monkeypatch.setattr(database, "PAGE", 1024)
    monkeypatch.setattr(remove, "ROWS", 70)
    monkeypatch.setattr(remove, "BYTES", 3 * 1024)
    monkeypatch.setattr(remove, "PAUSE", 0)
    monkeypatch.setattr("sys.argv", ["gradsum"])  # a long one, which is recorded, takes a page of its own


def write(path: Path, uuid: str, steps: int = 500) -> int:
    """Write a finished run with rows in every table, and return its number."""
    with Recorder(path) as records:
        number = records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=uuid))
        for n in range(1, steps + 1):
            records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
            records.event(EventRow("joined", "x" * 100, n))
        records.event(EventRow("left"))
        one, pair = ClassRow(steps, 0, "a", 4, 2, 1, 0.25, 0.5, 1 / 3), ConfusionRow(steps, 0, 1, 3)
        records.validation(ValidationRow(steps, 1, 0, 0, 0, 0, 0), [one], [pair])
        records.statistics(StatisticsRow(steps, "fc1", "bias", *[0.0] * 18))
        zeros = np.zeros(9, np.float32)
        rows = [HistogramRow(steps, "fc1", "bias", "values", 0.0, 0.0, "[9]")]
        records.snapshot(Snapshot(steps, {places({"fc1.bias": (9,)})["fc1.bias"]: (zeros, zeros)}, rows))
        records.worker(WorkerRow("w"))
        records.trial(TrialRow(1, number, number, "{}", TrialStatus.FINISHED))
        records.finish(RunStatus.FINISHED)
    return number


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables that have some for single runs, by plain sqlite3."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = connection.execute(
            "SELECT name FROM sqlite_schema s WHERE type = 'table' AND EXISTS"
            " (SELECT 1 FROM pragma_table_info(s.name) c WHERE c.name = 'startID')"
        )
        return {name: list(connection.execute(f"SELECT * FROM {name}")) for (name,) in names.fetchall()}  # noqa: S608


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql, values)


def test_every_row_of_the_run_goes_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "a", 30)
    kept = tables(path)
    assert [name for name, rows in kept.items() if not rows] == ["deleted_snapshots"]
    assert [write(path, uuid) for uuid in ("b", "c")] == [2, 3]
    remove_runs(path, [2, 3])
    left = tables(path)
    assert {name for name, rows in left.items() if rows != kept[name]} == {"chunks", "deleted_snapshots"}
    assert left["deleted_snapshots"] == [(2, 500), (3, 500)]
    give_back(path)
    assert tables(path) == kept
    assert write(path, "d", 1) == 4, "the number of a deleted run is not given again"
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]


def write_snapshots(path: Path, uuid: str, steps: int) -> int:
    """Write a finished run that has a snapshot and statistics of every step, and return its number."""
    place, values = places({"fc1.weights": (60, 9)})["fc1.weights"], np.zeros(540, np.float32)
    with Recorder(path) as records:
        number = records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=uuid))
        for n in range(1, steps + 1):
            records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
            records.statistics(StatisticsRow(n, "fc1", "weights", *[0.0] * 18))
            counts = [HistogramRow(n, "fc1", "weights", "values", 0.0, 0.0, "[540]")]
            records.snapshot(Snapshot(n, {place: (values, values)}, counts))
        records.finish(RunStatus.FINISHED)
    return number


@pytest.mark.parametrize(("keep_every", "kept"), [(0, []), (1, list(range(1, 91))), (20, [20, 40, 60, 80]), (100, [])])
def test_only_snapshots_go_and_those_of_every_nth_step_stay(tmp_path: Path, keep_every: int, kept: list[int]) -> None:
    path = tmp_path / "r.db"
    write_snapshots(path, "a", 5)
    write_snapshots(path, "b", 90)
    before, full = tables(path), path.stat().st_size
    deleted = remove_snapshots(path, [2], keep_every=keep_every)
    assert path.stat().st_size == full
    assert deleted >= (90 - len(kept)) * 2 * 4 * 540
    assert (deleted > 0) == (len(kept) < 90)
    freed = give_back(path)
    assert path.stat().st_size == full - freed
    assert (freed > 0) == (len(kept) < 90)
    after = tables(path)
    for table, all_rows in before.items():
        thinned = table in ("snapshots", "chunks", "histograms", "statistics")
        with closing(sqlite3.connect(path)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        run, step = names.index("startID"), names.index("batchno") if thinned else 0
        assert after[table] == [row for row in all_rows if row[run] != 2 or not thinned or row[step] in kept]
    assert list_runs(path)[1]["state"] == "finished"
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT DISTINCT batchno FROM data WHERE startID = 2 AND val IS NOT NULL ORDER BY 1"
        assert [step for (step,) in connection.execute(sql)] == kept


def test_snapshots_of_a_running_run_stay(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write_snapshots(path, "a", 3)
    with Recorder(path) as records:
        records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="b"))
        before = tables(path)
        with pytest.raises(RecordsError, match=r"run 2 .* is still running"):
            remove_snapshots(path, [1, 2])
        assert tables(path) == before
        assert remove_snapshots(path, [1]) > 0, "others may train"
        assert give_back(path) > 0


def test_the_file_shrinks_by_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "a", 10)
    before = path.stat().st_size
    write(path, "b", 4000)
    full = path.stat().st_size
    assert full > 5 * before
    deleted = remove_runs(path, [2])
    assert path.stat().st_size == full, "the space is left to later runs"
    freed = give_back(path)
    assert path.stat().st_size == full - freed
    assert 0.5 * freed < deleted < 1.5 * freed
    assert path.stat().st_size < 1.2 * before


def test_a_reader_does_not_hold_up_the_deletion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.db"
    write(path, "a")
    write(path, "b")
    monkeypatch.setattr(database, "PATIENCE", 1000.0)  # longer than a test may take
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM training").fetchone() == (1000,)
        assert remove_runs(path, [2]) > 0
        assert give_back(path) > 0
        assert reader.execute("SELECT count(*) FROM training").fetchone() == (1000,), "it sees what it saw"
        full = path.stat().st_size
    assert path.stat().st_size < full, "given back when the last who uses the database closes it"


def test_an_older_database_keeps_the_space_for_later_runs(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "a")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    full = path.stat().st_size
    remove_runs(path, [1])
    assert give_back(path) == 0
    assert list_runs(path) == []
    write(path, "b", 300)
    assert path.stat().st_size == full


def test_a_running_run_is_not_deleted_nor_any_with_it(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "a", 3)
    with Recorder(path) as records:
        records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="b"))
        before = tables(path)
        for force in (False, True):
            with pytest.raises(RecordsError, match=f"run 2 .* is still running: process {os.getpid()} on .*stop it"):
                remove_runs(path, [1, 2], force)
        assert tables(path) == before
        records.finish(RunStatus.FINISHED)
    remove_runs(path, [1, 2])
    assert list_runs(path) == []


def test_a_killed_run_is_deleted_and_one_elsewhere_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "a", 3)
    write(path, "b", 3)
    change(path, "UPDATE runs SET state = 'running', pid = ?, process = NULL WHERE startID = 1", GONE)
    change(path, "UPDATE runs SET state = 'running', host = 'elsewhere', process = NULL WHERE startID = 2")
    remove_runs(path, [1])
    assert [run["startID"] for run in list_runs(path)] == [2]
    with pytest.raises(RecordsError, match=r"run 2 .* may still be running: process \d+ on elsewhere .*--force"):
        remove_runs(path, [2])
    remove_runs(path, [2], force=True)
    give_back(path)
    assert not any(tables(path).values())


def between_slices(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> None:
    """Let `do` happen where the deletion first pauses."""
    happened: list[float] = []

    def sleep(seconds: float) -> None:
        if not happened:
            happened.append(seconds)
            do()

    monkeypatch.setattr("engine.records.remove.time.sleep", sleep)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_deletion_can_be_seen_and_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.db"
    write(path, "a")
    between_slices(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        remove_runs(path, [1])
    (run,) = list_runs(path)
    assert (run["state"], run["reason"]) == ("interrupted", "its deletion was interrupted")
    assert 0 < len(tables(path)["training"]) < 500
    remove_runs(path, [1])
    give_back(path)
    assert not any(tables(path).values())


def test_a_run_that_is_resumed_meanwhile_is_let_alone_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.db"
    write(path, "a")
    change(path, "DELETE FROM events")
    with Recorder(path) as records:
        between_slices(monkeypatch, lambda: print(records.resume("a", 500)))
        with pytest.raises(RecordsError, match=r"run 1 .* is still running"):
            remove_runs(path, [1])
        records.training(TrainingRow(501, 0, 0, 0, 0, 0, 0, 1, 1))
        records.finish(RunStatus.FINISHED)
    assert 501 in [row[1] for row in tables(path)["training"]]


def test_another_process_trains_on_while_runs_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    write(path, "old")
    with process(path, "a", 600) as child:
        go(child)
        pipes(child)[1].readline()
        assert remove_runs(path, [1]) >= 0
        assert child.wait(60) == 0
    assert rows(path) == [(2, 600, 600)]
    assert list_runs(path)[0]["state"] == "finished"


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE"); print("held", flush=True); sys.stdin.readline(); connection.execute("COMMIT")
"""


def test_a_lock_that_is_held_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.db"
    write(path, "a", 3)
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert pipes(holder)[1].readline() == "held\n"
        assert len(list_runs(path)) == 1, "reading goes on"
        monkeypatch.setattr(database, "PATIENCE", 0.05)
        words = re.escape(f"database {path} was locked by another program for 30 s; end its transaction")
        with pytest.raises(RecordsError, match=words):
            remove_runs(path, [1])
        pipes(holder)[0].write("\n")
        pipes(holder)[0].flush()
        assert holder.wait(60) == 0
    assert len(list_runs(path)) == 1
    remove_runs(path, [1])
    assert list_runs(path) == []
