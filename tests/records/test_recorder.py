"""What is written is what plain sqlite3 reads."""

import math
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest

from engine.errors import RecordsError
from engine.records import (
    COLUMNS,
    VIEWS,
    ClassRow,
    ConfusionRow,
    EventRow,
    Recorder,
    RunRow,
    RunStatus,
    Totals,
    TrainingRow,
    ValidationRow,
    WorkerRow,
    list_runs,
    reading,
    writer_thread,
)
from engine.records.columns import sql_type
from engine.records.read_rows import Event, Run, Validation, Worker
from engine.records.schema import VERSION
from engine.system.processes import alive, identity
from tests.support.repository import ROOT

RUN = RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7, uuid="u1", generated=True, settings={"beta1": 0.9})
# Root may write anywhere; without its capabilities it is a person like any other.
PLAIN_PERSON = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []


def training_row(batchno: int) -> TrainingRow:
    return TrainingRow(batchno, batchno / 10, 1e9 + batchno, batchno * 0.5, batchno * 0.75, 50.0, 1 / batchno, 64, 1e-3)


def query(path: Path, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program's open write transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def run_python(script: str, *arguments: object, plain_person: bool = False) -> "subprocess.CompletedProcess[str]":
    command = [*(PLAIN_PERSON if plain_person else []), sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def test_all_tables_hold_what_was_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "r.db"
    worker = WorkerRow("w0", "host", 5, "2026-01-01T00:00:00+00:00", None, None, 128, 1.5, 85.3, "numba skylake")
    with Recorder(path) as records:
        assert records.begin(RUN) == 1
        rows = [training_row(n) for n in range(1, 301)]
        for row in rows:
            records.training(row)
        one, pair = ClassRow(32, 0, "a", 4, 2, 1, 0.25, 0.5, 1 / 3), ConfusionRow(32, 0, 1, 3)
        records.validation(ValidationRow(32, 0.5, 1e9, 2.0, 1.0, 93.5, 0.25, None, 5, 99.0, "{}"), [one], [pair])
        records.worker(worker._replace(left="2026-01-01T00:00:09+00:00", reason="killed", images=5))
        records.worker(worker._replace(host=None, pid=None, joined=None, fingerprint=None))
        records.event(EventRow("joined", "hello", 3, "w0", 0.5))
        records.finish(RunStatus.FINISHED, "target reached", steps=300, params_sha256="ab", best_percent=93.5)
    assert query(path, "SELECT * FROM training ORDER BY batchno") == [(1, *row) for row in rows]
    assert query(path, "SELECT * FROM validation") == [(1, 32, 0.5, 1e9, 2.0, 1.0, 93.5, 0.25, None, 5, 99.0, "{}")]
    assert query(path, "SELECT * FROM classes") == [(1, *one)]
    assert query(path, "SELECT * FROM confusion") == [(1, *pair)]
    assert query(path, "SELECT * FROM workers") == [(1, *worker)]
    assert query(path, "SELECT startID, kind, text, batchno, worker, elapsed FROM events") == [
        (1, "joined", "hello", 3, "w0", 0.5)
    ]
    assert query(path, "SELECT count(*) FROM events WHERE abs(time - unixepoch()) < 100") == [(1,)]
    (run,) = list_runs(path)
    assert (run["state"], run["reason"], run["steps"], run["params_sha256"]) == (
        "finished",
        "target reached",
        300,
        "ab",
    )
    assert (run["uuid"], run["lr"], run["generated"], run["settings"]) == ("u1", 1e-3, True, {"beta1": 0.9})
    assert run["pid"] == os.getpid()
    assert run["finished"]
    assert run["started"] <= run["finished"]
    assert [p.name for p in path.parent.iterdir()] == ["r.db"]


def test_tables_are_as_documented(tmp_path: Path) -> None:
    Recorder(tmp_path / "r.db").close()
    for table, columns in COLUMNS.items():
        found = query(tmp_path / "r.db", "SELECT name, type FROM pragma_table_info(?)", table)
        assert found == [(name, kind) for name, (kind, _) in columns.items()]
        assert all(meaning for _, meaning in columns.values())
    assert query(tmp_path / "r.db", "PRAGMA journal_mode") == [("wal",)]
    assert query(tmp_path / "r.db", "PRAGMA user_version") == [(VERSION,)]
    for view, meanings in VIEWS.items():
        found = query(tmp_path / "r.db", "SELECT name FROM pragma_table_info(?)", view)
        assert found == [(name,) for name in meanings]
    strict = query(tmp_path / "r.db", "SELECT name FROM pragma_table_list WHERE strict")
    assert {name for (name,) in strict} == COLUMNS.keys()


def test_a_run_number_is_never_given_again(tmp_path: Path) -> None:
    for number in (1, 2):
        with Recorder(tmp_path / "r.db") as records:
            assert records.begin(RUN) == number
            records.finish(RunStatus.FINISHED)
        with closing(sqlite3.connect(tmp_path / "r.db", isolation_level=None)) as connection:
            connection.execute("DELETE FROM runs")


def test_odd_values_are_stored_as_plain_ones(tmp_path: Path) -> None:
    row = TrainingRow(np.int64(1), np.float32(0.5), 1.0, 2.0, 3.0, None, math.nan, 64, math.inf)  # type: ignore[arg-type]
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        records.training(row)
        records.event(EventRow("named", "\udcff"))
    assert query(tmp_path / "r.db", "SELECT * FROM training") == [
        (1, 1, 0.5, 1, 2, 3, None, None, 64, math.inf, None, None)
    ]
    assert query(tmp_path / "r.db", "SELECT text FROM events") == [("\\udcff",)]


def test_resume_drops_later_rows_and_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        for n in range(1, 101):
            records.training(training_row(n))
        for n in (32, 64, 96):
            records.validation(ValidationRow(n, 0, 0, 0, 0, 1.0, 1.0))
    with Recorder(path) as records:
        other = records.begin(RunRow("mlp", "mnist", "sgd", 0.01, 64, 8, 0, 1))
        records.training(training_row(99))
        records.finish(RunStatus.FINISHED)
        assert records.resume("nobody", 5) is None
        assert records.resume("u1", 64) == 1
        assert list_runs(path)[0]["state"] == "running"
        assert query(path, "SELECT batchno FROM training WHERE startID = 1") == [(n,) for n in range(1, 65)]
        for n in range(65, 121):
            records.training(training_row(n))
        records.finish(RunStatus.FINISHED, steps=120)
    assert query(path, "SELECT batchno FROM training WHERE startID = 1") == [(n,) for n in range(1, 121)]
    assert query(path, "SELECT batchno FROM validation") == [(32,), (64,)]
    assert query(path, "SELECT batchno FROM training WHERE startID = ?", other) == [(99,)]
    assert [run["state"] for run in list_runs(path)] == ["finished", "finished"]


def test_a_run_is_not_resumed_while_another_process_runs_it(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            parent = (os.getppid(), identity(os.getppid()))
            connection.execute("UPDATE runs SET pid = ?, process = ?", parent)
        with pytest.raises(RecordsError, match=rf"run 1 .* is still running: process {os.getppid()} on"):
            records.resume("u1", 0)
        records.flush()  # the writer goes on after a refusal


def test_a_full_queue_holds_rows_back_and_drops_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_thread, "LIMIT_ROWS", 10)
    monkeypatch.setattr(writer_thread, "BATCH_ROWS", 5)
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        third = threading.Event()

        def write() -> None:
            for n in range(1, 201):
                records.training(training_row(n))
                if n == 3:
                    third.set()

        thread = threading.Thread(target=write)
        with locked(tmp_path / "r.db"):
            thread.start()
            assert third.wait(10)
            thread.join(0.2)
            assert thread.is_alive()  # 200 rows do not fit, and the disk is not to be had
        thread.join(10)
        records.flush()
        assert query(tmp_path / "r.db", "SELECT count(*) FROM training") == [(200,)]


def test_readers_see_what_is_committed_and_hold_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        with reading(path) as connection:
            connection.execute("BEGIN")
            count = "SELECT count(*) AS rows FROM training"
            assert connection.execute(count).fetchone()["rows"] == 0
            for n in range(1, 61):
                records.training(training_row(n))
            records.validation(ValidationRow(32, 0, 0, 0, 0, 71.0, 1.0))
            records.flush()
            assert connection.execute(count).fetchone()["rows"] == 0
            connection.execute("COMMIT")
            assert connection.execute(count).fetchone()["rows"] == 60
            with pytest.raises(RecordsError, match="cannot be written"), reading(path) as second:
                second.execute("DELETE FROM runs")
        (run,) = list_runs(path)
        assert (run["state"], run["steps"], run["epochs"], run["best_percent"]) == ("running", 60, 6.0, 71.0)
        assert run["images_per_second"] == pytest.approx(64 / 0.5)


def test_which_process_is_alive() -> None:
    me = (run := identity(os.getpid()), os.getpid())
    host = os.uname().nodename
    assert run is not None
    assert alive(host, me[1], run) is True
    assert alive(host, me[1], run + "1") is False  # the same pid, another process
    child = subprocess.Popen([sys.executable, "-c", ""])
    ended = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie from here
    assert ended is not None
    assert identity(child.pid) == ""
    assert child.wait() == 0
    assert alive(host, child.pid, run) is False
    assert alive(host, child.pid, None) is False
    assert alive(host, me[1], "boot" + run) is False  # the machine was started again
    assert alive("elsewhere", me[1], "boot" + run) is None
    assert alive("elsewhere", me[1], None) is None
    assert alive(host, me[1], run.replace("pid:[", "pid:[1")) is None  # a container
    assert alive(host, None, run) is None
    assert alive(host, -1, "x") is None


def test_a_database_that_is_new_or_up_to_date_does_not_import_sqlite_utils(tmp_path: Path) -> None:
    script = """
import sys; from engine.records import Recorder, list_runs, RunStatus
Recorder(sys.argv[1]).close(); print("sqlite_utils" in sys.modules)
"""
    assert [run_python(script, tmp_path / "r.db").stdout for _ in range(2)] == ["False\n", "False\n"]


def test_rows_that_are_written_are_parts_of_those_that_are_read() -> None:
    totals = [name for name, _ in columns_of_class(Totals)]
    assert set(totals) <= Run.__annotations__.keys()
    for written, read in ((RunRow, Run), (ValidationRow, Validation), (WorkerRow, Worker), (EventRow, Event)):
        found = dict(columns_of_class(read))
        for name, kind in columns_of_class(written):
            assert kind == found[name], (read, name)


def columns_of_class(row: type) -> list[tuple[str, str]]:
    """Return name and SQL type of every field of a class of rows."""
    return [(name, sql_type(hint)) for name, hint in get_type_hints(row).items()]
