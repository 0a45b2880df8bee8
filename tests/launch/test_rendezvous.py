"""The folder in which workers meet the coordinator: private, gone in the end, and where a socket can be."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.launch.rendezvous import MAX_PATH, PREFIX, SOCKET, rendezvous_folder
from engine.wire import Listener
from tests.support.command import PATIENCE, SMALL, save_data
from tests.support.repository import ROOT

TMP = "/tmp"  # noqa: S108
# Makes the folder, says where it is, and waits to be killed.
OWNER = """
import signal
from engine.launch.rendezvous import rendezvous_folder
with rendezvous_folder() as folder:
    print(folder, flush=True)
    signal.pause()
"""


def test_the_meeting_folder_is_private_and_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen(["true"]) as done:
        pass
    dead, odd, own, person = (tmp_path / f"{PREFIX}{x}" for x in (f"{done.pid}-x", "soup-x", f"{os.getpid()}-x", "x-1"))
    (tmp_path / f"{PREFIX}{10**30}-x").mkdir()
    for folder in (dead, odd, own, person):
        folder.mkdir()
        (folder / "file").touch()
    with pytest.raises(KeyError), rendezvous_folder() as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "coordinator").touch()
        assert not dead.exists()
        raise KeyError
    assert not folder.exists()
    assert odd.exists()
    assert own.exists()
    assert person.exists()


def not_here(pid: int) -> bool:
    """Say of every process that this machine does not have it."""
    return False


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that another machine has, too."""
    with tempfile.TemporaryDirectory(dir=TMP) as folder:  # short enough for the path of a socket
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", folder)
        yield Path(folder)


def test_a_folder_stays_while_its_process_lives_wherever_that_is(elsewhere: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        try:
            assert owner.stdout is not None
            theirs = Path(owner.stdout.readline().strip())
            assert theirs.name.startswith(f"{PREFIX}{owner.pid}-")
            (theirs / SOCKET).touch()
            with rendezvous_folder(not_here) as one, rendezvous_folder(not_here) as other:
                assert sorted(elsewhere.iterdir()) == sorted([theirs, one, other])
            assert list(theirs.iterdir()) == [theirs / SOCKET]
        finally:
            owner.kill()
    with rendezvous_folder(not_here) as one:
        assert list(elsewhere.iterdir()) == [one]


def test_a_folder_that_cannot_be_locked_is_left_alone(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems, where the machine that has the disk can lock it nevertheless."""

    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        with rendezvous_folder(not_here) as theirs:
            assert stat.S_IMODE(theirs.stat().st_mode) == 0o700
            with rendezvous_folder(not_here):
                assert theirs.exists()
            patch.undo()
            with rendezvous_folder(not_here):
                assert theirs.exists()
        assert list(elsewhere.iterdir()) == []


def long_folder(tmp_path: Path, length: int) -> Path:
    """Return a new folder whose path has so many bytes."""
    folder = tmp_path / ("x" * (length - len(str(tmp_path)) - 1))
    folder.mkdir()
    return folder


def longest_parent() -> int:
    """Return how long the path of a folder may be: a random name of 8 characters follows, and the socket's."""
    return MAX_PATH - len(f"/{PREFIX}{os.getpid()}-12345678/{SOCKET}")


@pytest.mark.parametrize("over", [0, 1])
def test_the_folder_is_elsewhere_only_if_the_socket_would_not_fit(monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    with tempfile.TemporaryDirectory(prefix="t-", dir=TMP) as short:
        folder = long_folder(Path(short), longest_parent() + over)
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with rendezvous_folder() as chosen:
            assert chosen.parent == (Path(TMP) if over else folder)
            with Listener(f"ipc://{chosen / SOCKET}", 1000):
                assert (chosen / SOCKET).is_socket()
        assert not chosen.exists()
        assert list(folder.iterdir()) == []


def test_where_else_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where TMPDIR is too long, and /tmp is full or belongs to others."""
    folder = long_folder(tmp_path, 120)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    plain = tempfile.mkdtemp

    def mkdtemp(*, prefix: str, dir: Path) -> str:
        if dir == Path(TMP):
            raise PermissionError(13, "Permission denied")
        return plain(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    reasons = rf"found no folder .*{folder}: its path has \d+ bytes, .*; /tmp: Permission denied\); set TMPDIR"
    with pytest.raises(UsageError, match=reasons), rendezvous_folder():
        pass
    assert list(folder.iterdir()) == []
    runtime = Path(plain(prefix="r-", dir=TMP))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    with rendezvous_folder() as chosen:
        assert chosen.parent == runtime
    runtime.rmdir()


def test_a_folder_whose_name_is_not_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with rendezvous_folder() as chosen:
        assert chosen.parent == Path(TMP)
    assert list(folder.iterdir()) == []


def test_a_run_with_a_long_folder_for_temporary_files(tmp_path: Path) -> None:
    save_data()
    environment = os.environ | {"TMPDIR": str(long_folder(tmp_path, 120)), "GRADSUM_BACKEND": "numpy"}
    program = "import sys; from engine.cli import main; sys.exit(main())"
    options = [*SMALL, "--workers", 2, "--steps", 3, "--quiet", "--json", "--db", "r.db"]
    command = [sys.executable, "-c", program, *map(str, options)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert '"workers": 2' in ended.stdout
    assert list(Path(environment["TMPDIR"]).iterdir()) == []
