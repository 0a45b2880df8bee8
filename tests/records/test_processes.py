"""Several processes on one database: nothing is locked, lost or doubled, whoever is killed."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from engine.errors import RecordsError
from engine.records import Recorder, RunRow, RunStatus, TrainingRow, list_runs, read_run
from tests.support.repository import ROOT

# Waits for a line on stdin, so that all begin together; then writes rows in many small transactions.
WRITER = """
import sys; from engine.records import *
print("ready", flush=True); sys.stdin.readline()
with Recorder(sys.argv[1]) as records:
    records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1, uuid=sys.argv[2]))
    for n in range(1, int(sys.argv[3]) + 1):
        records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
        if n % 10 == 0:
            records.flush()
            print(n, flush=True)
    if sys.argv[4:]:
        sys.stdin.readline()
    records.finish("finished")
"""


@contextmanager
def process(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", WRITER, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            yield child
        finally:
            child.kill()


def pipes(child: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert child.stdin
    assert child.stdout
    return child.stdin, child.stdout


def go(child: "subprocess.Popen[str]") -> None:
    stdin, stdout = pipes(child)
    assert stdout.readline() == "ready\n"
    stdin.write("go\n")
    stdin.flush()


def rows(path: Path) -> list[tuple[int, int, int]]:
    """Run, number of rows, last row; by plain sqlite3."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT startID, count(*), max(batchno) FROM training GROUP BY startID").fetchall()


def test_two_runs_and_a_reader_share_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with process(path, "a", 600) as one, process(path, "b", 600) as two:
        go(one)
        go(two)
        pipes(one)[1].readline()
        looks = 0
        while one.poll() is None or two.poll() is None:
            assert len(list_runs(path)) <= 2
            assert read_run(path, "1").run["startID"] == 1
            looks += 1
        assert (one.returncode, two.returncode) == (0, 0)
    assert looks > 3
    assert rows(path) == [(1, 600, 600), (2, 600, 600)]
    assert [run["state"] for run in list_runs(path)] == ["finished", "finished"]
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]


def test_five_processes_make_one_database(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    children = [process(path, f"run {n}", 10) for n in range(5)]
    with children[0] as a, children[1] as b, children[2] as c, children[3] as d, children[4] as e:
        for child in (a, b, c, d, e):
            go(child)
        assert [child.wait(60) for child in (a, b, c, d, e)] == [0] * 5
    assert rows(path) == [(n, 10, 10) for n in range(1, 6)]


def test_a_killed_writer_loses_nothing_that_was_flushed_and_its_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with process(path, "a", 1_000_000) as child:
        go(child)
        flushed = [int(pipes(child)[1].readline()) for _ in range(7)][-1]
        assert list_runs(path)[0]["state"] == "running"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
        flushed = max([flushed, *map(int, pipes(child)[1].read().split("\n")[:-1])])
    (run,) = list_runs(path)
    assert (run["state"], run["finished"]) == ("interrupted", None)
    assert run["steps"]
    assert run["steps"] >= flushed
    ((_, count, last),) = rows(path)
    assert count == last == run["steps"]
    with Recorder(path) as records:
        assert records.resume("a", flushed - 5) == 1
        for n in range(flushed - 4, flushed + 21):
            records.training(TrainingRow(n, 0, 0, 0, 0, 0, 0, 1, 1))
        records.finish(RunStatus.FINISHED)
    assert rows(path) == [(1, flushed + 20, flushed + 20)]
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]


def test_a_running_run_cannot_be_resumed_and_another_may_begin(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    with process(path, "a", 10, "wait") as child:
        go(child)
        assert pipes(child)[1].readline() == "10\n"
        with Recorder(path) as records:
            with pytest.raises(RecordsError, match=f"process {child.pid} on"):
                records.resume("a", 5)
            assert records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1)) == 2
        pipes(child)[0].write("end\n")
        pipes(child)[0].flush()
        assert child.wait(10) == 0
    assert rows(path) == [(1, 10, 10)]


SNAPSHOTS = """
import sys; from engine.records import *; import numpy as np
[place] = places({"fc1.weights": (64, 512)}).values()
with Recorder(sys.argv[1]) as records:
    records.begin(RunRow("m", "d", "sgd", 1, 1, 1, 1, 1))
    for step in range(1, 81):
        records.snapshot(Snapshot(step, {place: (np.full(32768, step, np.float32),) * 2}))
        print(step, flush=True)
"""


def test_a_reader_during_the_training_sees_whole_snapshots_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    command = [sys.executable, "-c", SNAPSHOTS, str(path)]
    looks = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout
        assert child.stdout.readline() == "1\n"
        while child.poll() is None:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("BEGIN")
                [(last,)] = connection.execute("SELECT max(batchno) FROM snapshots").fetchall()
                kernel = "SELECT batchno, val FROM data WHERE startID = 1 AND name = 'fc1' AND subname = 'weights'"
                found = connection.execute(f"{kernel} AND idx = 0 AND row = 63 AND col = 511").fetchall()
                assert sorted(found) == [(step, float(step)) for step in range(1, last + 1)]
            looks += 1
        assert child.returncode == 0
    assert looks > 3
    assert [p.name for p in tmp_path.iterdir()] == ["r.db"]
