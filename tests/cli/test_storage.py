"""Disks that fill up and files that vanish in mid-run: the run fails with one clear error, and can go on to the same
bits from what is left, which is whole.
"""

import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.checkpoint import load
from engine.cli.exit_codes import INTERRUPTED
from tests.support.command import PATIENCE, PROGRAM, SMALL, Gradsum, finish, save_data, start, wait_for
from tests.support.saboteur import Sabotage

SIDE = Path("out", "unwritten.jsonl.gz")
PLACES = ("--db", "r.db", "--out", "out")
STEPS = ("--steps", 12, "--checkpoint-every", 1, "--quiet")
WHOLE = ("--db", "whole.db", "--out", "whole", "--json")
# The database stays small.
SELDOM = ("--snapshot-first", 0, "--snapshot-every", 0, "--statistics-every", 0)


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def whole(gradsum: Gradsum, steps: int = 12) -> str:
    """Return the digest of the parameters of the run that has no trouble."""
    done = gradsum(*SMALL, *STEPS, "--steps", steps, "--checkpoint-every", 500, *WHOLE)
    return str(done.json()["params_sha256"])


def rows(path: str) -> list[int]:
    """Return the steps on record in a database that is sound."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [step for (step,) in db.execute("SELECT batchno FROM training ORDER BY batchno")]


def wait_for_file(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None


def delete() -> None:
    Path("r.db").unlink()


def move() -> None:
    Path("r.db").rename("elsewhere.db")


def replace() -> None:
    Path("r.db").unlink()
    Path("r.db").touch()


def delete_all() -> None:
    for path in Path().glob("r.db*"):
        path.unlink()
    shutil.rmtree("out")


@pytest.mark.parametrize(("action", "workers"), [(delete, 0), (delete, 2), (move, 0), (replace, 0)])
def test_a_database_that_is_gone_is_not_made_anew_and_training_goes_on(
    gradsum: Gradsum, sabotage: Sabotage, action: Callable[[], None], workers: int
) -> None:
    saboteur = sabotage("step 3", lambda _: action())
    done = gradsum(*SMALL, *PLACES, *STEPS, "--workers", workers, "--json")
    assert (done.code, done.err) == (0, "")
    assert (done.json()["params_sha256"], done.json()["unwritten"]) == (whole(gradsum), str(SIDE))
    assert f"unwritten   {SIDE}: rows that the database did not take" in done.out
    assert saboteur.notices[0].startswith(
        "database r.db was deleted, moved or replaced during the run, and its records with it; tr"
    )
    assert not Path("r.db").exists() or not Path("r.db").read_bytes()
    rest = gradsum("train", "--resume", "out", "--steps", 14, "--workers", 0, "--db", "r.db", "--json")
    assert (rest.code, rest.json()["unwritten"], SIDE.exists()) == (0, None, False)
    there = rows("r.db")
    assert there == list(range(there[0], 15))
    assert there[0] in (3, 4)
    with closing(sqlite3.connect("r.db")) as db:
        texts = [text for (text,) in db.execute("SELECT text FROM events WHERE kind = 'resumed'")]
    assert texts[0].endswith(f"is new to database r.db, without its first {there[0] - 1} steps")


def test_everything_deleted_in_the_middle(gradsum: Gradsum, sabotage: Sabotage) -> None:
    sabotage("step 3", lambda _: delete_all())
    done = gradsum(*SMALL, *PLACES, *STEPS, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json()["params_sha256"] == whole(gradsum)
    assert SIDE.exists()
    assert load(Path("out")).step == 12


@pytest.mark.check
def test_ctrl_c_while_the_database_is_locked(tidy: Path, gradsum: Gradsum) -> None:
    process = start(*SMALL, *PLACES, "--steps", 1 << 30, "--checkpoint-every", 10)
    wait_for(process.stderr, "validation after step 10:")
    with closing(sqlite3.connect("r.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        wait_for_file(SIDE, process)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        stopped = finish(process)
        seconds = time.monotonic() - began
    assert stopped.code == INTERRUPTED, stopped
    assert f"unwritten   {SIDE}: rows" in stopped.out
    assert seconds < 20, "not the 30 seconds that a lock is waited for elsewhere"
    step = load(Path("out")).step
    assert rows("r.db")[-1] < step
    rest = gradsum("train", "--resume", "out", "--steps", step + 5, "--workers", 0, "--json")
    assert rest.json()["params_sha256"] == whole(gradsum, step + 5)
    assert (rows("r.db"), SIDE.exists()) == (list(range(1, step + 6)), False)
    shown = json.loads(gradsum("show", 1, "--db", "r.db", "--json").out)["run"]
    assert (shown["state"], shown["steps"]) == ("finished", step + 5)


def test_a_kill_while_the_database_is_locked_leaves_no_hole(tidy: Path, gradsum: Gradsum) -> None:
    process = start(*SMALL, *PLACES, "--steps", 1 << 30, "--checkpoint-every", 10)
    wait_for(process.stderr, "validation after step 10:")
    with closing(sqlite3.connect("r.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        wait_for_file(SIDE, process)
        before = load(Path("out")).step
        while load(Path("out")).step < before + 100:
            assert process.poll() is None
        process.kill()
        finish(process)
    step = load(Path("out")).step
    last = rows("r.db")[-1]
    assert last < step
    listed = json.loads(gradsum("runs", "--db", "r.db", "--json").out)
    assert (listed[0]["state"], rows("r.db")[:step]) == ("interrupted", list(range(1, step + 1)))
    with closing(sqlite3.connect("r.db")) as db:
        assert db.execute("SELECT state, reason FROM runs").fetchall() == [
            ("interrupted", "its process was killed or crashed")
        ]
    rest = gradsum("train", "--resume", "out", "--steps", step + 5, "--workers", 0, "--json")
    assert rest.json()["params_sha256"] == whole(gradsum, step + 5)
    assert (rows("r.db"), SIDE.exists()) == (list(range(1, step + 6)), False)


def test_a_second_process_in_one_folder_is_refused_whatever_its_database_is(tidy: Path, gradsum: Gradsum) -> None:
    gradsum(*SMALL, *PLACES, "--steps", 2)
    process = start("train", "--resume", "out", "--steps", 1 << 30, "--checkpoint-every", 10)
    wait_for(process.stderr, "validation after step 10:")
    for where in ((), ("--db", "other.db")):
        refused = gradsum("train", "--resume", "out", "--steps", 1 << 30, *where)
        assert (refused.code, refused.out) == (2, "")
        assert "gradsum: another process is training into out; wait for it, stop it, or choose" in refused.err
    assert not Path("other.db").exists()
    process.kill()
    finish(process)
    step = load(Path("out")).step
    assert gradsum("train", "--resume", "out", "--steps", step + 1, "--db", "other.db").code == 0


def test_folders_that_cannot_be_written_for_a_while(gradsum: Gradsum, sabotage: Sabotage) -> None:
    def mend() -> None:
        Path("out").unlink()
        Path("kept").rename("out")

    def spoil() -> None:
        Path("out").rename("kept")
        Path("out").touch()
        saboteur.moment, saboteur.action = "step 7", lambda _: mend()

    saboteur = sabotage("step 3", lambda _: spoil())
    done = gradsum(*SMALL, *PLACES, *STEPS, "--json")
    assert (done.code, done.err, done.json()["params_sha256"]) == (0, "", whole(gradsum))
    skipped = [f"the checkpoint of step {n} is skipped: the folder out for" for n in (3, 4, 5, 6)]
    assert [notice[: len(skipped[0])] for notice in saboteur.notices] == skipped
    with closing(sqlite3.connect("r.db")) as db:
        found = db.execute("SELECT batchno FROM events WHERE kind = 'unsaved'").fetchall()
    assert found == [(3,), (4,), (5,), (6,)]
    assert rows("r.db") == list(range(1, 13))


def test_folders_that_cannot_be_written_any_more(gradsum: Gradsum, sabotage: Sabotage) -> None:
    """Before the run begins the same folder is bad usage; now it fails the run."""

    def spoil() -> None:
        Path("out").rename("kept")
        Path("out").touch()

    sabotage("step 3", lambda _: spoil())
    failed = gradsum(*SMALL, *PLACES, *STEPS)
    assert (failed.code, failed.out) == (1, "")
    assert failed.err == "gradsum: the folder out for checkpoints cannot be made: File exists\n"
    assert gradsum(*SMALL, *PLACES, *STEPS).code == 2
    rest = gradsum("train", "--resume", "kept", "--json")
    assert rest.json()["params_sha256"] == whole(gradsum)
    assert rows("r.db") == list(range(1, 13))


def test_a_file_that_may_not_grow(tidy: Path) -> None:
    """The limit on the size of a file stands for the end of the disk: the second sitting cannot write a checkpoint."""

    def run(*options: object, limit: int) -> "subprocess.CompletedProcess[str]":
        def confine() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        command = [*PROGRAM, *map(str, options)]
        return subprocess.run(
            command, preexec_fn=confine, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    with closing(sqlite3.connect("r.db")) as connection:  # with the usual pages, of 32 KiB, it would not stay small
        connection.executescript("PRAGMA page_size = 4096; VACUUM")
    first = run(*SMALL, *PLACES, *SELDOM, "--steps", 2, "--quiet", limit=1 << 30)
    assert first.returncode == 0
    second = run("train", "--resume", "out", "--steps", 4, "--quiet", limit=150_000)
    assert second.returncode == 1
    said, hint, command = second.stderr.splitlines()
    assert "out/step-00000004.safetensors cannot be written: File too large" in said
    assert hint == "Resume from the checkpoint of step 2 with:"
    assert command == "  gradsum train --resume out"
    assert [path.name for path in Path("out").iterdir()] == ["step-00000002.safetensors"]
    assert load(Path("out")).step == 2
    assert run("train", "--resume", "out", "--steps", 4, "--quiet", limit=1 << 30).returncode == 0


# Trains with a small disk of its own in the folder `disk`, and goes on when it is larger. $1: the disk's size; $2: how
# large it becomes when a line of the run says $3; the rest: the command. What was on the disk in the end is in `kept`.
FULL = """
mount -t tmpfs -o size=$1 none disk || exit 99
large=$2 said=$3
shift 3
{ "$@" 2>&1 >result.txt; echo "code $?"; } | while read -r line; do
    echo "$line"
    case $line in $said*) mount -o remount,size=$large none disk;; esac
done
cp -r disk/. kept
"""
# Nobody else sees the disk, and it is gone with the shell.
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def train_on_a_small_disk(size: str, large: str, said: str, *arguments: object) -> list[str]:
    """Return what was said, and "code" with the exit code."""
    Path("disk").mkdir()
    command = [*UNSHARE, "sh", "-c", FULL, "sh", size, large, said, *PROGRAM, *SMALL, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode == 99 or "unshare: " in done.stderr:
        pytest.skip(f"a disk for this test alone takes root, or namespaces of users: {done.stderr}")
    assert "Traceback" not in done.stdout
    return done.stdout.splitlines()


def result() -> dict[str, object]:
    """Return what the command printed as JSON."""
    found: dict[str, object] = json.loads(Path("result.txt").read_text().splitlines()[-1])
    return found


LONG = ("--steps", 120, "--checkpoint-every", 5, "--json")


@pytest.mark.parametrize("out", ["out", "disk/out"])
def test_a_disk_that_fills_up_and_has_room_again_costs_nothing(gradsum: Gradsum, out: str) -> None:
    """Rows that do not fit wait, and checkpoints are skipped where they would be on the same disk."""
    said = train_on_a_small_disk("3m", "100m", "database disk/r.db ", *LONG, "--db", "disk/r.db", "--out", out)
    assert said[-1] == "code 0", said
    assert any(re.match("database disk/r.db cannot (grow|be read or written)", line) for line in said)
    assert any(line.startswith("database disk/r.db is written again: ") for line in said)
    assert (result()["params_sha256"], result()["unwritten"]) == (whole(gradsum, 120), None)
    assert rows("kept/r.db") == list(range(1, 121))
    left = sorted(path.name for path in Path(out.replace("disk", "kept")).iterdir())
    assert left[-1] == "step-00000120.safetensors"
    assert all(name.startswith("step-") for name in left), "neither rows nor a temporary file stay"


def test_a_disk_of_checkpoints_that_stays_full(gradsum: Gradsum) -> None:
    """The last good ones stay; what could not be saved in the end fails the run."""
    said = train_on_a_small_disk("500k", "500k", "-", *STEPS[:-1], "--db", "r.db", "--out", "disk/out")
    assert said[-1] == "code 1"
    assert "gradsum: checkpoint disk/out/step-00000012.safetensors cannot be written: No space left on device" in said
    assert said[-3:-1] == ["Resume from the checkpoint of step 2 with:", "gradsum train --resume disk/out"]
    skipped = [line for line in said if line.startswith("the checkpoint of step ")]
    assert {int(line.split()[4]) for line in skipped} == set(range(3, 13))
    assert sorted(path.name for path in Path("kept/out").iterdir()) == [f"step-0000000{n}.safetensors" for n in (1, 2)]
    assert rows("r.db") == list(range(1, 13))
    rest = gradsum("train", "--resume", "kept/out", "--json")
    assert rest.json()["params_sha256"] == whole(gradsum)


def test_a_run_that_does_not_begin_leaves_no_folder(gradsum: Gradsum) -> None:
    Path("text.db").write_text("no database at all\n" * 100)
    refused = gradsum(*SMALL, "--db", "text.db", "--out", "new/folder", "--steps", 1, "--quiet")
    assert (refused.code, refused.out) == (2, "")
    assert (
        refused.err
        == "gradsum: database text.db is not a SQLite database; name another file (file is not a database)\n"
    )
    assert not Path("new").exists()
