"""Kills, Ctrl-C and locks of the database in any order: the same bits, and no step without a row."""

import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.cli.exit_codes import INTERRUPTED
from tests.support.command import SMALL, Gradsum, finish, save_data, start, wait_for

PLACES = ("--db", "r.db", "--out", "out", "--checkpoint-every", 20)


@pytest.mark.check
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_to_the_run_and_its_database_no_row_is_missing(
    tidy: Path, gradsum: Gradsum, seed: int
) -> None:
    rng = random.Random(seed)
    save_data()
    for _ in range(8):
        begin = SMALL if not Path("out").exists() else ("train", "--resume", "out")
        process = start(*begin, *PLACES, "--steps", 1 << 30)
        wait_for(process.stderr, "run 1:")
        time.sleep(rng.random())
        with closing(sqlite3.connect("r.db", isolation_level=None, timeout=20)) as other:
            if rng.random() < 0.8:
                other.execute("BEGIN EXCLUSIVE")
            time.sleep(2 * rng.random())
            if other.in_transaction and rng.random() < 0.4:
                other.execute("ROLLBACK")
                time.sleep(rng.random())
            how = rng.choice([signal.SIGKILL, signal.SIGINT])
            process.send_signal(how)
            stopped = finish(process)
        assert stopped.code == (INTERRUPTED if how is signal.SIGINT else -signal.SIGKILL), stopped
    last = load(Path("out")).step + 7
    rest = gradsum("train", "--resume", "out", "--steps", last, "--json").json()
    whole = gradsum(*SMALL, "--db", "whole.db", "--out", "whole", "--steps", last, "--json").json()
    assert (rest["params_sha256"], rest["unwritten"]) == (whole["params_sha256"], None)
    with closing(sqlite3.connect("r.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert [n for (n,) in db.execute("SELECT batchno FROM training ORDER BY batchno")] == list(range(1, last + 1))
    assert all(path.name.startswith("step-") for path in Path("out").iterdir())
