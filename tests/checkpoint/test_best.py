"""The checkpoint of the best step is kept as long as one that calls it the best, whatever happens while saving."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoint import Checkpoint, CheckpointWarning, RunState, best, kept, load, remove, save
from engine.errors import CheckpointError
from tests.support.repository import ROOT


def saved(folder: Path, step: int, best_step: int | None) -> Path:
    run = RunState("u1", best=None if best_step is None else {"step": best_step}, db=str(folder / "r.db"))
    return save(folder, Checkpoint(step, {"a.x": np.full(3, step, np.float32)}, {}, run))


def steps(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("step-")) for path in folder.iterdir())


def test_the_best_stays_besides_the_last_three_until_there_is_a_better_one(tmp_path: Path) -> None:
    first = saved(tmp_path, 10, 10)
    for step in (20, 30, 40, 50):
        saved(tmp_path, step, 10)
    assert steps(tmp_path) == [10, 30, 40, 50]
    assert best(tmp_path) == kept(tmp_path, 10, "u1") == first
    assert load(best(tmp_path)).step == 10
    assert load(tmp_path).step == 50, "a run continues from the newest"
    saved(tmp_path, 60, 60)
    assert steps(tmp_path) == [10, 40, 50, 60], "from 50 the run could be resumed, and 10 was the best then"
    for step in (70, 80):
        saved(tmp_path, step, 60)
    assert steps(tmp_path) == [60, 70, 80]
    remove(tmp_path, "u1", tmp_path / "r.db")
    assert not tmp_path.exists()


def test_where_the_newest_is_damaged_the_best_is_that_of_the_one_before(tmp_path: Path) -> None:
    for step, best_step in ((10, 10), (20, 10), (30, 10), (40, 10), (50, 50)):
        path = saved(tmp_path, step, best_step)
    path.write_bytes(b"")
    with pytest.warns(CheckpointWarning):
        assert load(best(tmp_path)).step == 10
    for step in (41, 42, 43):
        saved(tmp_path, step, 10)
    assert steps(tmp_path) == [10, 41, 42, 43]


def test_a_damaged_one_among_the_last_does_not_keep_the_next_from_being_saved(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        path = saved(tmp_path, step, 10)
    path.write_bytes(b"")
    for step in (40, 50):
        saved(tmp_path, step, 10)
    assert steps(tmp_path) == [10, 30, 40, 50]


def test_what_is_not_there_is_not_the_best(tmp_path: Path) -> None:
    path = saved(tmp_path, 10, None)
    with pytest.raises(CheckpointError, match="do not say which is the best: nothing was validated"):
        best(tmp_path)
    with pytest.raises(CheckpointError, match="is one checkpoint; the best is chosen from a folder"):
        best(path)
    saved(tmp_path, 20, 20)
    saved(tmp_path, 30, 20).with_name("step-00000020.safetensors").unlink()
    with pytest.raises(CheckpointError, match="that of step 20, is not there any more"):
        best(tmp_path)
    assert kept(tmp_path, 20, "u1") is None
    assert kept(tmp_path, 30, "u2") is None, "it is another run's"
    path.write_bytes(b"")
    assert kept(tmp_path, 10, "u1") is None


def test_a_full_disk_leaves_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (10, 20, 30, 40):
        saved(tmp_path, step, 10)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="No space left on device"):
        patch.setattr(os, "fsync", full)
        saved(tmp_path, 50, 50)
    assert steps(tmp_path) == [10, 20, 30, 40]
    assert load(best(tmp_path)).step == 10


# Saves 10 (the best until then) to 40, then 50, which is better, and 60 to 80; is stopped when it is about to remove a
# checkpoint for the time that the first argument says.
SAVER = """
import sys; from pathlib import Path
from tests.checkpoint.test_best import saved
real, left = Path.unlink, int(sys.argv[2])
def unlink(path, missing_ok=False):
    global left
    if path.name.startswith("step-"):
        left -= 1
        if left == 0:
            print("stopped", flush=True); sys.stdin.read()
    real(path, missing_ok)
Path.unlink = unlink
for step in range(10, 90, 10):
    saved(Path(sys.argv[1]), step, 10 if step < 50 else 50)
"""


@pytest.mark.parametrize(("removal", "newest"), [(1, 50), (2, 60), (3, 70), (4, 70)])
def test_a_process_killed_between_writing_and_pruning_leaves_the_best(
    tmp_path: Path, removal: int, newest: int
) -> None:
    command = [sys.executable, "-c", SAVER, str(tmp_path), str(removal)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout
        assert child.stdout.readline() == "stopped\n"
        child.send_signal(signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
    assert load(tmp_path).step == newest
    assert load(best(tmp_path)).step == 50
    saved(tmp_path, 90, 50)
    saved(tmp_path, 100, 50)
    saved(tmp_path, 110, 50)
    assert steps(tmp_path) == [50, 90, 100, 110]
