"""This machine's name and processes. Runs and their processes are in tests/records/test_processes.py."""

import os
import platform
import subprocess

import pytest

from engine.system.processes import HOSTNAME_LIMIT, alive, exists, hostname, identity
from engine.wire.messages import Hello


@pytest.mark.parametrize("length", [HOSTNAME_LIMIT - 1, HOSTNAME_LIMIT, 2 * HOSTNAME_LIMIT])
def test_a_host_name_fits_into_a_message(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is recorded whole is recognised as well."""
    monkeypatch.setattr(platform, "node", lambda: "x" * length)
    assert Hello(hostname(), 1, "n").host == "x" * min(length, HOSTNAME_LIMIT)
    assert alive("x" * length, os.getpid(), None)
    assert alive(hostname(), os.getpid(), None)
    assert alive("another", os.getpid(), None) is None


def test_a_process_that_has_ended() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert not exists(process.pid)
    assert exists(os.getpid())
    assert not exists(10**30)
    assert identity(process.pid) in ("", None)
