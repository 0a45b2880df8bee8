"""GRADSUM_LOG lets every command, and every worker, log to standard error; without it they are quiet."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import PATIENCE, finish, start
from tests.support.repository import ROOT

MISSING = "gradsum: there is no database nowhere.db; train something first, or name another file\n"


def test_a_command_is_quiet_unless_told_to_log(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = finish(start("runs", "--db", "nowhere.db"))
    assert (answer.code, answer.err) == (2, MISSING)
    monkeypatch.setenv("GRADSUM_LOG", "debug")
    answer = finish(start("runs", "--db", "nowhere.db"))
    assert answer.code == 2
    assert "gradsum.cli DEBUG: runs ['--db', 'nowhere.db']\n" in answer.err
    assert "Traceback (most recent call last)" in answer.err, "of use to whoever looks for the reason"
    assert answer.err.endswith(MISSING)


def test_a_level_that_does_not_exist(tidy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADSUM_LOG", "loud")
    said = "GRADSUM_LOG must be one of debug, info, warning, error, got 'loud'\n"
    assert finish(start("runs")).err == f"gradsum: {said}"
    worker = [sys.executable, "-m", "workers", "tcp://127.0.0.1:1"]
    answer = subprocess.run(worker, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE, check=False)
    assert (answer.returncode, answer.stderr) == (2, f"gradsum worker: {said}")
