"""What takes minutes: long runs under faults, many strange messages, memory over thousands of steps."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from engine.errors import ProtocolError
from engine.wire import messages as m
from tests.support.chaos.mutate import corpus, mutate
from tests.support.command import Answer, finish, save_data, start
from tests.support.repository import ROOT

pytestmark = [pytest.mark.check, pytest.mark.timeout(900)]

STEPS = 90_000
FULL = 24 << 20  # bytes of the database from which on SQLite's cache of pages grows no more
WINDOWS = 20  # a disk that stalls lets rows wait in memory, up to 32 MB: it does so in few of these parts of a run
STEP_BYTES = 40  # that a step may add to the memory of the coordinator; what it has on record of one takes 296


def test_a_long_run_under_many_faults_ends_with_the_bits_of_a_quiet_one() -> None:
    command = [sys.executable, "-m", "benchmarks.chaos", "--steps", "600", "--faults", "72"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.computes
def test_a_million_messages_are_understood_or_refused() -> None:
    rng, originals = random.Random(5), corpus()
    understood = 0
    for number in range(1_000_000):
        try:
            m.decode(mutate(rng, originals[number % len(originals)], originals))
            understood += 1
        except ProtocolError:
            pass
    assert 10_000 < understood < 990_000


@pytest.mark.parametrize("workers", [0, 1])
def test_memory_does_not_grow_with_steps(tidy: Path, workers: int) -> None:
    save_data(train=400, side=8)
    soak = ("train", "--data", "data.npz", "--model", "mlp", "--batch-size", 8, "--workers", workers)
    seldom = ("--validate-every", 1 << 30, "--checkpoint-every", 1 << 30)
    recorded = ("--snapshot-first", 0, "--snapshot-every", 0, "--statistics-every", 1)
    run = start(*soak, *seldom, *recorded, "--steps", STEPS, "--db", "r.db", "--out", "out", "--quiet")
    looks = list(memory(run, Path("r.db")))
    answer: Answer = finish(run)
    assert answer.code == 0, answer.err
    late = [(step, size) for step, size, database in looks if database > FULL]
    assert len(late) > 2 * WINDOWS
    ends = late[:: len(late) // WINDOWS]
    slopes = [(more - size) / (later - step) for (step, size), (later, more) in pairwise(ends) if later > step]
    assert len(slopes) > WINDOWS // 2
    assert median(slopes) < STEP_BYTES, ends


def steps_recorded(db: Path) -> int:
    """Return the last step in the database, 0 if there is none."""
    try:
        with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT max(batchno) FROM training").fetchone()[0] or 0
    except sqlite3.OperationalError:  # not there yet
        return 0


def memory(run: "subprocess.Popen[str]", db: Path) -> Iterator[tuple[int, int, int]]:
    """Yield (steps recorded, bytes that the process has for itself alone, bytes of the database) until the run ends."""
    while True:
        try:
            run.wait(0.1)
        except subprocess.TimeoutExpired:
            pass
        else:
            return
        step = steps_recorded(db)
        try:
            lines = Path(f"/proc/{run.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
            size = db.stat().st_size
        except OSError:  # not there yet, or not any more
            continue
        kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))
        yield step, kilobytes * 1024, size
