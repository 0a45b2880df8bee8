"""One process at a time works in a folder; the kernel takes the lock back."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.checkpoint import held
from engine.errors import CheckpointError
from engine.system.folder_lock import FolderLock
from tests.support.repository import ROOT

HOLD = """
import sys; from pathlib import Path; from engine.system.folder_lock import FolderLock
with FolderLock(Path("runs/one")):
    print("held", flush=True); sys.stdin.readline()
"""


def hold(folder: Path) -> bool:
    with held(folder) as locked:
        return locked


def test_the_second_is_refused_until_the_first_is_killed() -> None:
    command, environment = [sys.executable, "-c", HOLD], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), FolderLock(Path("runs/one")):
            pass
        with (
            pytest.raises(CheckpointError, match="another process is training into runs/one; wait"),
            held(Path("runs/one")),
        ):
            pass
        with FolderLock(Path("runs/two")) as lock:
            assert lock.held
        other.kill()
    with FolderLock(Path("runs/one")) as lock:
        assert lock.held
        Path("runs/one/file").touch()
    assert sorted(path.name for path in Path("runs").iterdir()) == ["one"], "what is empty is removed"


def test_a_folder_that_is_deleted_meanwhile_is_another_one() -> None:
    with FolderLock(Path("one")):
        Path("one").rmdir()
        with FolderLock(Path("one")) as again:
            assert again.held
            Path("one/file").touch()
    assert Path("one/file").exists()


def test_a_folder_that_is_deleted_in_the_end_is_not_missed() -> None:
    with FolderLock(Path("one")) as lock:
        Path("one").rmdir()
    assert not lock.held


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF])
def test_a_file_system_without_locks_keeps_nobody_out_and_says_so(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with held(Path("one")):
        assert hold(Path("one")) is False


def test_what_is_no_folder_is_a_clear_error() -> None:
    Path("file").touch()
    with pytest.raises(CheckpointError, match="the folder file/x for checkpoints cannot be made: Not a directory"):
        hold(Path("file/x"))
