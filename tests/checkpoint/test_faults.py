"""A full disk or a kill at any moment of saving leaves the earlier checkpoints whole."""

import errno
import os
import resource
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.checkpoint import Checkpoint, RunState, load, save
from engine.errors import CheckpointError
from tests.support.repository import ROOT


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"a.x": np.full(100, step, np.float32)}, {}, RunState("u1"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    before = save(tmp_path, checkpoint(1))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(CheckpointError, match=r"step-00000002.* cannot be written: No space left on device"):
            save(tmp_path, checkpoint(2), keep=1)
    assert names(tmp_path) == [before.name]
    assert load(tmp_path).step == 1


def test_what_another_process_removes_at_the_same_time_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        save(tmp_path, checkpoint(step))
    (tmp_path / f".step-00000003.safetensors.{os.getpid()}.tmp").write_bytes(b"of an earlier process")
    real = Path.unlink

    def slow(path: Path, missing_ok: bool = False) -> None:
        real(path, missing_ok=True)
        real(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", slow)
    path = save(tmp_path, checkpoint(4), keep=1)
    assert names(tmp_path) == [path.name]


# Saves step after step; the arguments are the folder, and how many saves until os.fsync stops for ever in mid-save.
SAVER = """
import os, sys; import numpy as np; from engine.checkpoint import *
real, left = os.fsync, int(sys.argv[2])
def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        print("stopped", flush=True); sys.stdin.read()
    real(descriptor)
os.fsync = fsync
for step in range(1, 10**9):
    values = {"a.x": np.full(300_000, step, np.float32)}
    save(sys.argv[1], Checkpoint(step, values, {"m": values}, RunState("u"))); print(step, flush=True)
"""


def kill_saver(folder: Path, calls: int, lines: int) -> list[str]:
    """Kill -9 a process that is saving once it printed `lines` lines; return all that it printed."""
    command = [sys.executable, "-c", SAVER, str(folder), str(calls)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        assert child.stdout
        printed = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        printed += child.stdout.read().split("\n")[:-1]
        assert child.wait(10) == -signal.SIGKILL
    return [line.strip() for line in printed]


@pytest.mark.parametrize("calls", [7, 8])  # before the rename of step 4, and after it
def test_a_process_killed_in_mid_save_leaves_whole_checkpoints(tmp_path: Path, calls: int) -> None:
    assert kill_saver(tmp_path, calls, 4) == ["1", "2", "3", "stopped"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(tmp_path).step == (3 if calls == 7 else 4)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
    stale = tmp_path / ".step-00000004.safetensors.1999999999.tmp"  # what a file system leaves that needs names
    stale.write_text("half")
    mine = tmp_path / f".step-00000009.safetensors.{os.getppid()}.tmp"
    mine.write_text("another process is writing it")
    save(tmp_path, Checkpoint(9, {}, {}, RunState("u")))
    assert [name for name in names(tmp_path) if name.startswith(".")] == [mine.name]


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_a_process_killed_at_any_moment_leaves_its_last_checkpoint(tmp_path: Path, lines: int) -> None:
    last = int(kill_saver(tmp_path, -1, lines)[-1])
    assert load(tmp_path).step in (last, last + 1)


SMALL = f"""
import resource, sys; import numpy as np; from engine.checkpoint import *
save(sys.argv[1], Checkpoint(1, {{"a.x": np.zeros(1000, np.float32)}}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))
save(sys.argv[1], Checkpoint(2, {{"a.x": np.zeros(100_000, np.float32)}}))
"""


def test_a_file_that_may_not_grow_is_an_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SMALL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert "CheckpointError: checkpoint" in done.stderr
    assert "step-00000002.safetensors cannot be written: File too large" in done.stderr
    assert names(tmp_path) == ["step-00000001.safetensors"]
    assert load(tmp_path).step == 1
