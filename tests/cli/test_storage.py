"""Disks that fill up and files that vanish in mid-run: the run fails with one clear error, and can go on to the same
bits from what is left, which is whole.
"""

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.checkpoint import load
from tests.support.command import PATIENCE, PROGRAM, SMALL, Gradsum, save_data
from tests.support.saboteur import Sabotage

PLACES = ("--db", "r.db", "--out", "out")
STEPS = ("--steps", 12, "--checkpoint-every", 1, "--quiet")
# The database stays small.
SELDOM = ("--snapshot-first", 0, "--snapshot-every", 0, "--statistics-every", 0)


@pytest.fixture(autouse=True)
def data() -> str:
    return save_data()


def whole(gradsum: Gradsum) -> str:
    """Return the digest of the parameters of the run that has no trouble."""
    digest = gradsum(*SMALL, *STEPS, "--db", "whole.db", "--out", "whole", "--json").json()["params_sha256"]
    return str(digest)


def rows(path: str) -> list[int]:
    """Return the steps on record in a database that is sound."""
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [step for (step,) in db.execute("SELECT batchno FROM training ORDER BY batchno")]


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


@pytest.mark.parametrize(("action", "workers"), [(delete, 0), (delete, 2), (move, 0), (replace, 0), (delete_all, 0)])
def test_a_database_that_is_gone_ends_the_run_with_a_checkpoint(
    gradsum: Gradsum, sabotage: Sabotage, action: Callable[[], None], workers: int
) -> None:
    sabotage("step 3", lambda _: action())
    failed = gradsum(*SMALL, *PLACES, *STEPS, "--workers", workers)
    assert (failed.code, failed.out) == (1, "")
    said, hint, command = failed.err.splitlines()
    assert said.startswith("gradsum: database r.db was deleted, moved or replaced during the run")
    assert (hint, command) == ("Resume from the checkpoint of step 3 with:", "  gradsum train --resume out")
    rest = gradsum("train", "--resume", "out", "--workers", 0, "--json")
    assert (rest.code, rest.json()["params_sha256"]) == (0, whole(gradsum))
    assert rows("r.db") == list(range(4, 13))


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


# Trains with a small disk of its own in the folder `disk`, then makes room there and goes on. $1: the disk's size;
# $2: the folder of checkpoints; the rest: the command. What was on the disk in the end is in the folder `kept`.
FULL = """
mount -t tmpfs -o size=$1 none disk || exit 99
out=$2
shift 2
"$@" --out $out
echo $?
ls -A $out
mount -o remount,size=100m none disk
"$1" "$2" "$3" train --resume $out --workers 0 --quiet --json > rest.txt
cp -r disk/. kept
"""
# Nobody else sees the disk, and it is gone with the shell.
UNSHARE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


@pytest.mark.parametrize(
    ("size", "db", "out", "said"),
    [
        (
            "3m",
            "disk/r.db",
            "disk/out",
            "(checkpoint disk/out/.* cannot be written: No space|database disk/r.db cannot)",
        ),
        ("3m", "disk/r.db", "out", "database disk/r.db cannot grow: the disk is full; make room"),
        ("500k", "r.db", "disk/out", "checkpoint disk/out/step-00000003.safetensors cannot be written: No space"),
    ],
)
def test_a_disk_that_fills_up(gradsum: Gradsum, size: str, db: str, out: str, said: str) -> None:
    Path("disk").mkdir()
    train = [*PROGRAM, *SMALL, *STEPS, "--db", db]
    command = [*UNSHARE, "sh", "-c", FULL, "sh", size, out, *map(str, train)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode == 99 or "unshare: " in done.stderr:
        pytest.skip(f"a disk for this test alone takes root, or namespaces of users: {done.stderr}")
    code, *left = done.stdout.split()
    lines = done.stderr.splitlines()
    assert code == "1"
    assert re.match(f"gradsum: {said}", lines[0]), done.stderr
    hint = re.fullmatch(r"Resume from the checkpoint of step (\d+) with:", lines[1])
    assert lines[2] == f"  gradsum train --resume {out}"
    assert "Traceback" not in done.stderr
    assert all(name.startswith("step-") for name in left), "no temporary file stays"
    assert hint
    assert max(left) == f"step-{int(hint[1]):08}.safetensors"
    assert json.loads(Path("rest.txt").read_text().splitlines()[-1])["params_sha256"] == whole(gradsum)
    assert rows(db.replace("disk", "kept")) == list(range(1, 13))
