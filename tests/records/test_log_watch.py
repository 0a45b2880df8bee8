"""The write-ahead log: who keeps it growing is named, and it is small again when that has ended."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from engine.records import Recorder, RunRow, Snapshot, places, read_run
from engine.records.database import WAL_LIMIT, open_for_writing
from engine.records.log_watch import READ_LOCKS, TOLD, LogWatch
from engine.system.file_locks import holders

RUN = RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid="u1")
PLACE = places({"fc1.weights": (1000, 1000)})["fc1.weights"]
VALUES = np.zeros(1_000_000, np.float32)  # 8 MB a snapshot
READER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN"); connection.execute("SELECT count(*) FROM runs").fetchone()
print("reading", flush=True); sys.stdin.readline(); connection.execute("COMMIT")
print("done", flush=True); sys.stdin.readline()
"""


@contextmanager
def reader(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another program, with a transaction open that reads; at a line of input it ends that, at another itself."""
    command = [sys.executable, "-c", READER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "reading\n"
        yield process
        assert process.wait(60) == 0


def proceed(process: "subprocess.Popen[str]") -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def log_size(path: Path) -> int:
    return Path(f"{path}-wal").stat().st_size


def test_a_reader_that_keeps_the_log_growing_is_named_and_then_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with Recorder(path) as records:
        records.begin(RUN)
        with reader(path) as process:
            for step in range(1, 3 + TOLD // (8 * VALUES.size)):
                records.snapshot(Snapshot(step, {PLACE: (VALUES, VALUES)}))
            assert log_size(path) > TOLD
            proceed(process)
            assert process.stdout
            assert process.stdout.readline() == "done\n"
            for step in (101, 102):
                records.snapshot(Snapshot(step, {PLACE: (VALUES, VALUES)}))
            assert log_size(path) <= WAL_LIMIT
            proceed(process)
        records.flush()
    [event] = read_run(path, "1").events
    assert event["kind"] == "log grows"
    assert f"a transaction that reads it is open in process {process.pid} (python" in event["text"]


def test_nothing_is_said_while_it_is_small_or_can_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with closing(open_for_writing(path)) as connection:
        watch = LogWatch(path)
        connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
        connection.execute("CREATE TABLE t (x)")
        assert watch.look(connection) is None
        for _ in range(2 + TOLD // 8_000_000):
            connection.execute("INSERT INTO t VALUES (zeroblob(8000000))")
        assert log_size(path) > TOLD
        assert watch.look(connection) is None
        assert log_size(path) == 0
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)


def test_who_reads_is_found_without_touching_the_locks(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    Recorder(path).close()
    with reader(path) as process, closing(sqlite3.connect(path, isolation_level=None)) as mine:
        shared = Path(f"{path}-shm")
        assert holders(shared, READ_LOCKS) == [process.pid]
        mine.execute("BEGIN")
        mine.execute("SELECT count(*) FROM runs").fetchone()
        assert len(holders(shared, READ_LOCKS)) == 2
        assert holders(shared, ()) == []
        assert holders(tmp_path / "absent", READ_LOCKS) == []
        proceed(process)
        proceed(process)
