"""Every database that cannot be used, and every fault while writing, has a clear error and ends the run properly."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RecordsError
from engine.records import (
    Recorder,
    RunRow,
    TrainingRow,
    database,
    list_runs,
    read_run,
    remove_runs,
    writer_thread,
)
from tests.support.command import PLAIN_PERSON
from tests.support.repository import ROOT

RUN = RunRow("letters", "letters", "adam", 1e-3, 64, 8, 2, 7, uuid="u1", generated=True, settings={"beta1": 0.9})


def training_row(batchno: int) -> TrainingRow:
    return TrainingRow(batchno, batchno / 10, 1e9 + batchno, batchno * 0.5, batchno * 0.75, 50.0, 1 / batchno, 64, 1e-3)


def query(path: Path, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


def run_python(script: str, *arguments: object, plain_person: bool = False) -> "subprocess.CompletedProcess[str]":
    command = [*(PLAIN_PERSON if plain_person else []), sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def test_the_same_run_is_not_begun_twice(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
        with pytest.raises(RecordsError, match=r"run u1 is in database .* already, as run 1"):
            records.begin(RUN)


def test_rows_need_a_run(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records, pytest.raises(RecordsError, match="no run has begun"):
        records.training(training_row(1))
    with pytest.raises(RecordsError, match="was closed"):
        records.begin(RUN)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (ValueError("bad"), "failed", "ValueError: bad"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt: "),
        (None, "interrupted", "its records were closed before it finished"),
    ],
)
def test_a_run_left_by_an_exception_is_ended(
    tmp_path: Path, error: BaseException | None, state: str, reason: str
) -> None:
    def work() -> None:
        with Recorder(tmp_path / "r.db") as records:
            records.begin(RUN)
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work()
    else:
        work()
    (run,) = list_runs(tmp_path / "r.db")
    assert (run["state"], run["reason"]) == (state, reason)


def spoil(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("no database at all, but long enough to be looked at\n" * 40)
    elif kind == "folder":
        path.mkdir()
    else:
        sql = {"newer": "PRAGMA application_id = 0x67736D31; PRAGMA user_version = 99", "other": "CREATE TABLE t (a)"}
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(sql[kind])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("text", "is not a SQLite database; name another file"),
        ("folder", "is a folder; name a file in it"),
        ("newer", "was made by a newer version of gradsum .*99"),
        ("other", "belongs to another program"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_left_alone(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "r.db"
    spoil(path, kind)
    before = path.read_bytes() if path.is_file() else None
    for use in (Recorder, list_runs, lambda path: read_run(path, "1"), lambda path: remove_runs(path, [1])):
        with pytest.raises(RecordsError, match=f"r.db {words}"):
            use(path)
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]
    assert before is None or path.read_bytes() == before


def test_a_missing_database_and_an_impossible_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match=r"there is no database .*r\.db; train something"):
        list_runs(tmp_path / "r.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordsError, match=r"the folder of database .* cannot be made"):
        Recorder(tmp_path / "file" / "r.db")
    assert list_runs(tmp_path / "file") == []  # an empty file is an empty database


@pytest.mark.parametrize("name", [":memory:", "a?b#c%20d.db", "ü e.db"])
def test_any_file_name_is_a_file_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Recorder(name) as records:
        records.begin(RUN)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert len(list_runs(name)) == 1


WRITE = """
import sys; from engine.errors import RecordsError; from engine.records import Recorder, list_runs
try:
    Recorder(sys.argv[1])
except RecordsError as error:
    print(error, [run["uuid"] for run in list_runs(sys.argv[1])])
"""


@pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root needs setpriv to be refused a write"
)
@pytest.mark.parametrize("what", ["file", "folder"])
def test_read_only(tmp_path: Path, what: str) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
    target, mode = (path, 0o444) if what == "file" else (tmp_path, 0o555)
    target.chmod(mode)
    done = run_python(WRITE, path, plain_person=True)
    tmp_path.chmod(0o700)
    assert f"database {path} cannot be" in done.stdout, done
    assert "change the permissions" in done.stdout
    assert "['u1']" in done.stdout  # reading is possible all the same
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]


FULL = """
import resource, sys; from engine.errors import RecordsError; from engine.records import *
with Recorder(sys.argv[1]) as records:
    records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    for n in range(1, 100_000):
        records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
"""


def test_a_disk_that_fills_up_is_an_error_and_keeps_what_was_committed(tmp_path: Path) -> None:
    done = run_python(FULL, tmp_path / "r.db")
    assert done.returncode == 1
    assert f"RecordsError: database {tmp_path / 'r.db'} cannot" in done.stderr
    assert "disk" in done.stderr
    assert query(tmp_path / "r.db", "PRAGMA integrity_check") == [("ok",)]
    assert list_runs(tmp_path / "r.db")[0]["state"] == "interrupted"


def test_what_goes_wrong_in_the_thread_is_raised_by_every_later_call(tmp_path: Path) -> None:
    records = Recorder(tmp_path / "r.db")
    records.begin(RUN)
    records.training(training_row(1)._replace(batchsize="many"))  # type: ignore[arg-type]
    for use in (records.flush, records.flush, lambda: records.training(training_row(2)), records.close, records.close):
        with pytest.raises(RecordsError, match=r"cannot take what was written .*cannot store TEXT value"):
            use()
    with pytest.raises(ValueError, match="first") as caught, Recorder(tmp_path / "r.db") as records:
        records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, seed=1))
        records.training(training_row(1)._replace(batchsize="many"))  # type: ignore[arg-type]
        raise ValueError("first")
    assert "cannot store TEXT" in caught.value.__notes__[0]
    with pytest.raises(RecordsError, match="too large"), Recorder(tmp_path / "r.db") as records:
        records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, seed=1 << 64))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_in_the_thread_leaves_nobody_waiting(tmp_path: Path) -> None:
    shell = writer_thread.WriterThread(tmp_path / "r.db")

    def fault(_: sqlite3.Connection) -> None:
        raise KeyError("nobody thought of it")

    for work in (fault, lambda _: None):
        with pytest.raises(RecordsError, match="ended unexpectedly"):
            shell.call(work)
    with pytest.raises(RecordsError, match="ended unexpectedly"):
        shell.close()


def test_a_state_that_is_not_known_is_an_error(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.db") as records:
        records.begin(RUN)
    with closing(sqlite3.connect(tmp_path / "r.db")) as connection, connection:
        connection.execute("UPDATE runs SET state = 'asleep'")
    with pytest.raises(RecordsError, match=r"run 1 of database .*r\.db has an unknown state: 'asleep'"):
        list_runs(tmp_path / "r.db")


def test_waiting_for_a_lock_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.db"
    monkeypatch.setattr(database, "PATIENT", 0.1)
    with Recorder(path) as records:
        records.begin(RUN)
        caplog.clear()
        flush = threading.Thread(target=records.flush)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            flush.start()
            flush.join(0.2)
            assert flush.is_alive()
            other.execute("COMMIT")
        flush.join(10)
    assert f"database {path}: another program's transaction held it for" in caplog.text
    assert {(record.name, record.levelname) for record in caplog.records} == {("gradsum.records", "WARNING")}


def test_what_goes_wrong_in_the_thread_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = Recorder(tmp_path / "r.db")
    records.begin(RUN)
    records.training(training_row(1)._replace(batchsize="many"))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(RecordsError, match="cannot take what was written"):
            records.close()
    [record] = caplog.records
    assert (record.name, record.levelname) == ("gradsum.records", "ERROR")
    assert "cannot take what was written" in record.message
