"""A database that takes nothing for a while, or never again, costs no row that can be kept."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RecordsError
from engine.records import SIDE_FILE, EventRow, Pace, Recorder, RunRow, RunStatus, TrainingRow, list_runs, look
from engine.records.side_file import read
from tests.support.command import PATIENCE, PLAIN_PERSON
from tests.support.repository import ROOT

QUICK = Pace(wait=0.01, pause=0.01, longest_pause=0.02, patience=0.05)
RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u" * 32, folder="out")
DB, SIDE = Path("r.db"), Path("out", SIDE_FILE)


@pytest.fixture(autouse=True)
def folder() -> None:
    Path("out").mkdir()


def step(n: int) -> TrainingRow:
    return TrainingRow(n, 0.1 * n, 0.0, 0.0, 0.0, None, 1 / n, 1, 1.0)


def query(sql: str, path: Path = DB) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def steps(path: Path = DB) -> list[int]:
    assert query("PRAGMA integrity_check", path) == [("ok",)]
    return [n for (n,) in query("SELECT batchno FROM training ORDER BY batchno", path)]


def waiting() -> list[int]:
    return [row.values[1] for row in read(Path("out"), RUN.uuid) if row.table == "training"]


def news_of(records: Recorder) -> str:
    """Wait for what the records have to say: the writer tries again by itself."""
    while not (news := records.news()):
        pass
    return news[0]


@contextmanager
def locked() -> Iterator[None]:
    """Another program's open transaction."""
    with closing(sqlite3.connect(DB, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_rows_wait_while_another_program_holds_the_database() -> None:
    with Recorder(DB, QUICK) as records:
        assert records.begin(RUN) == 1
        records.training(step(1))
        with locked():
            records.training(step(2))
            records.secure()
            assert waiting() in ([1, 2], [2])
            records.training(step(3))
            records.secure()
            assert waiting()[-2:] == [2, 3]
            assert records.size() is None
            assert "r.db was locked by another program" in news_of(records)
            with pytest.raises(RecordsError, match="was locked by another program"):
                records.flush()
        assert "database r.db is written again: " in news_of(records)
        records.training(step(4))
        records.secure()
        assert not SIDE.exists()
        assert steps() == [1, 2, 3, 4]
        assert [kind for (kind,) in query("SELECT kind FROM events")] == ["unwritten", "written"]
        assert records.size()


class _StopError(Exception):
    pass


def stop() -> None:
    raise _StopError


def wait_for_threads() -> None:
    for thread in [thread for thread in threading.enumerate() if thread.name == "records"]:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_who_is_asked_can_end_the_wait_for_an_answer() -> None:
    asked: list[str] = []

    def ask() -> None:
        asked.append("once")
        if len(asked) > 1:
            stop()

    with Recorder(DB, Pace(0.01, 0.01, 0.02), ask) as records:
        records.begin(RUN)
        with locked(), pytest.raises(_StopError):
            records.flush()
        assert len(asked) == 2
        with locked():
            records.training(step(1))
            records.secure()
        records.flush()
        assert steps() == [1]


def test_who_stops_while_another_program_holds_the_database_leaves_nothing_open() -> None:
    Recorder(DB).close()
    with locked(), pytest.raises(_StopError):
        Recorder(DB, Pace(wait=0.01), stop)
    wait_for_threads()


def test_who_stops_while_the_database_cannot_be_opened_leaves_nothing_open() -> None:
    with closing(sqlite3.connect(DB, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(_StopError):
            Recorder(DB, ask=stop)
    wait_for_threads()


def test_a_short_lock_is_not_worth_a_word() -> None:
    with Recorder(DB, Pace(0.01, 0.01, 0.02, patience=1000.0)) as records:
        records.begin(RUN)
        with locked():
            records.training(step(1))
            records.secure()
            assert waiting() == [1]
        records.flush()
        assert (steps(), SIDE.exists(), records.news()) == ([1], False, [])
        assert query("SELECT * FROM events") == []


def test_a_run_that_ends_meanwhile_is_read_in_with_its_end_at_the_next_look() -> None:
    with Recorder(DB, QUICK) as records:
        records.begin(RUN)
        other = sqlite3.connect(DB, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        records.training(step(1))
        records.event(EventRow("kind", "text", 1))
        records.finish(RunStatus.FINISHED, "1 step is done", steps=1)
    assert waiting() == [1]
    look(DB)  # cannot, and leaves it as it is
    assert waiting() == [1]
    other.close()
    with closing(sqlite3.connect(DB)) as connection, connection:
        connection.execute("UPDATE runs SET pid = 4194305")  # of a process that is gone, as this one soon will be
        connection.execute("UPDATE runs SET process = 'x y 1'")
    look(DB)
    [run] = list_runs(DB)
    assert (run["state"], run["reason"], run["steps"]) == ("finished", "1 step is done", 1)
    assert (steps(), SIDE.exists()) == ([1], False)
    assert ("kind", "text") in query("SELECT kind, text FROM events")


def delete() -> None:
    DB.unlink()


def move() -> None:
    DB.rename("elsewhere.db")


def replace() -> None:
    DB.unlink()
    DB.touch()


def replace_by_another() -> None:
    DB.unlink()
    with closing(sqlite3.connect(DB)) as connection:
        connection.execute("CREATE TABLE mine (x)")


@pytest.mark.parametrize("action", [delete, move, replace, replace_by_another])
def test_a_database_that_is_gone_is_not_made_anew(action: Callable[[], None]) -> None:
    records = Recorder(DB, QUICK)
    records.begin(RUN)
    records.training(step(1))
    records.flush()
    action()
    before = DB.read_bytes() if DB.exists() else None
    for n in (2, 3):
        records.training(step(n))
        records.secure()
    assert "r.db was deleted, moved or replaced during the run" in news_of(records)
    records.finish(RunStatus.FINISHED)
    records.close()
    assert (DB.read_bytes() if DB.exists() else None) == before
    assert waiting() == [2, 3]
    with Recorder("new.db") as again:
        assert again.resume(RUN.uuid, 3, "out") is None
        assert again.begin(RUN, step=2) == 1
        assert again.first_step() == 2
    assert steps(Path("new.db")) == [2], "step 3 will be taken again"
    assert not SIDE.exists()


def test_a_database_that_comes_back_is_written_to() -> None:
    """As on a disk that went away for a while."""
    with Recorder(DB, QUICK) as records:
        records.begin(RUN)
        records.training(step(1))
        records.flush()
        Path("elsewhere").mkdir()
        for path in Path().glob("r.db*"):
            path.rename(Path("elsewhere") / path.name)
        records.training(step(2))
        records.secure()
        assert "was deleted, moved or replaced" in news_of(records)
        for path in Path("elsewhere").iterdir():
            path.rename(path.name)
        assert "is written again" in news_of(records)
    assert (steps(), SIDE.exists()) == ([1, 2], False)


def test_the_log_of_a_new_database_at_the_same_path_is_not_deleted() -> None:
    records = Recorder(DB, QUICK)
    records.begin(RUN)
    for path in Path().glob("r.db*"):
        path.unlink()
    with Recorder(DB) as another:
        another.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
        another.training(step(7))
        another.flush()
        log = Path("r.db-wal").stat().st_ino
        records.training(step(1))
        records.close()
        assert Path("r.db-wal").stat().st_ino == log
        assert steps() == [7]
    assert waiting() == [1]


SPOIL = b"overwritten by someone " * 10_000


@pytest.mark.parametrize(("spoil", "said"), [(SPOIL, "is not a SQLite database|is damaged"), (None, "is damaged")])
def test_a_damaged_database_is_never_written_again(spoil: bytes | None, said: str) -> None:
    records = Recorder(DB, QUICK)
    records.begin(RUN)
    for n in range(1, 2_000):
        records.training(step(n))
    records.flush()
    query("PRAGMA wal_checkpoint(TRUNCATE)")
    content = DB.read_bytes()
    DB.write_bytes(spoil[: len(content)] if spoil else content[:40_000] + bytes(len(content) - 40_000))
    with open(DB, "r+b") as file:  # noqa: PTH123 - its change counter, so that nobody trusts what he has in memory
        file.seek(24)
        file.write(b"\xff" * 4)
    n = 2_000
    while SIDE.exists() is False:  # until a page is read that is not in memory
        with closing(sqlite3.connect(DB)) as connection, pytest.raises(sqlite3.DatabaseError):
            connection.execute("SELECT * FROM training, runs").fetchall()
        records.training(step(n))
        records.secure()
        n += 1
        assert n < 2_100
    before = DB.read_bytes(), Path("r.db-wal").read_bytes()
    assert "r.db is " in news_of(records)
    records.training(step(n))
    records.finish(RunStatus.FINISHED)
    records.close()
    assert (DB.read_bytes(), Path("r.db-wal").read_bytes()) == before
    assert waiting()[-1] == n


READ_ONLY = """
import sqlite3, sys
from pathlib import Path
from engine.records import *
records = Recorder("r.db", Pace(0.01, 0.01, 0.02, 0.05))
records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u" * 32, folder="out"))
def take(n, until):
    records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
    records.secure()
    while not (news := records.news()):
        pass
    assert until in news[0], news
Path("r.db").rename("away.db")
take(1, "was deleted, moved")
Path("away.db").chmod(0o444)
Path("away.db").rename("r.db")
Path(".").chmod(0o555)
sys.stdin.readline()
records.training(TrainingRow(2, 0, 0, 0, 0, 0, 0, 1, 1))
records.secure()
assert Path("out", SIDE_FILE).exists()
Path(".").chmod(0o755)
Path("r.db").chmod(0o644)
take(3, "is written again")
records.finish("finished")
records.close()
"""


@pytest.mark.skipif(os.geteuid() == 0 and not PLAIN_PERSON, reason="root needs setpriv to be refused a write")
def test_a_database_that_is_read_only_for_a_while() -> None:
    command = [*PLAIN_PERSON, sys.executable, "-c", READ_ONLY]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, input="\n", text=True, capture_output=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert steps() == [1, 2, 3]


def test_nowhere_to_put_rows_is_an_error() -> None:
    records = Recorder(DB, QUICK)
    records.begin(RUN)
    DB.unlink()
    Path("out").rmdir()
    Path("out").touch()
    records.training(step(1))
    with pytest.raises(RecordsError, match=r"was deleted.*its rows cannot be saved in out/unwritten.*: File exists"):
        records.secure()
    records.training(step(2))  # training goes on
    with pytest.raises(RecordsError, match="cannot be saved"):
        records.close()


KILLED = """
import sys
from engine.records import *
records = Recorder("r.db", Pace(0.01, 0.01, 0.02, 0.05))
records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u" * 32, folder="out"))
for n in range(1, 1_000_000):
    records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
    records.event(EventRow("step", str(n), n))
    if n % 10 == 0:
        records.secure()
        print(n, flush=True)
"""


def test_rows_that_were_safe_before_a_kill_are_read_in_once_and_those_of_later_steps_dropped() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout
        assert child.stdout.readline() == "10\n"
        with locked():
            stored = steps()[-1]  # it may have gone on before the database was locked
            safe = next(step for step in map(int, child.stdout) if step >= stored + 20)
            os.kill(child.pid, signal.SIGKILL)
            child.wait(10)
    assert steps()[-1] < safe
    with Recorder(DB) as records:
        assert steps()[:safe] == list(range(1, safe + 1)), "opening the database reads them in"
        assert query("SELECT state FROM runs") == [("interrupted",)]
        assert records.resume(RUN.uuid, safe, "out") == 1
        assert steps() == list(range(1, safe + 1))
        records.finish(RunStatus.FINISHED)
    texts = [int(text) for (text,) in query("SELECT text FROM events WHERE kind = 'step'")]
    assert sorted(texts)[:safe] == list(range(1, safe + 1))
    assert len(set(texts)) == len(texts)
    assert not SIDE.exists()


def test_steps_that_are_missing_are_an_event_and_a_damaged_file_is_one() -> None:
    with Recorder(DB) as records:
        records.begin(RUN)
        for n in range(1, 8):
            records.training(step(n))
    SIDE.write_bytes(b"damaged")
    with Recorder(DB) as records:
        assert records.resume(RUN.uuid, 10, "out") == 1
    texts = query("SELECT kind, text FROM events ORDER BY id")
    assert [kind for kind, _ in texts] == ["missing", "missing"]
    assert "unwritten.jsonl.gz cannot be read" in texts[0][1]
    assert texts[1][1] == "steps 8 to 10 have no rows in this database"


def test_the_state_of_a_run_whose_process_was_killed_is_set_at_the_next_look() -> None:
    begin = "from engine.records import *; Recorder('r.db').begin(RunRow('m', 'd', 'sgd', 1, 1, 1, 1, 1))"
    script = f"import os; {begin}; os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert query("SELECT state, reason FROM runs") == [("running", None)]
    look(DB)
    assert query("SELECT state, reason FROM runs") == [("interrupted", "its process was killed or crashed")]
    look(Path("there is none"))
    assert not Path("there is none").exists()
