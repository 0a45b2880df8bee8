"""The check for what is left behind sees it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.leaks import MARK, SHARED, Leaks

WAIT = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.mark.skipif(not SHARED.is_dir(), reason="this system shows no shared memory as files")
def test_everything_that_is_left_behind_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    leaks = Leaks("leaks of a test", folder)
    assert leaks.found() == []
    segment = SHARED / f"gradsum-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(folder / "gradsum-socket"))
        segment.touch()
        process = subprocess.Popen(
            [sys.executable, "-c", WAIT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {MARK: "leaks of a test"},
        )
        assert process.stdout is not None
        process.stdout.readline()
        found = leaks.found()
        segment.unlink()
    socket_path = folder / "gradsum-socket"
    assert found == [
        f"process {process.pid}",
        f"shared memory {segment.name}",
        f"socket {socket_path}",
        f"temporary file {socket_path}",
    ]
    process.communicate()
    socket_path.unlink()
    assert leaks.found() == []


def test_a_child_that_nobody_waited_for_is_found(tmp_path: Path) -> None:
    leaks = Leaks("leaks of a test", tmp_path)
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and stays a zombie
    assert leaks.found() == [f"zombie {process.pid}"]
    process.wait()
    assert leaks.found() == []
