"""A standard error that stays open and that nobody reads: a run goes on, hears signals, and ends."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.cli.exit_codes import INTERRUPTED
from tests.support.command import PATIENCE, PROGRAM, SMALL, finish, save_data, start

pytestmark = pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="only Linux makes a pipe small")
PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture
def full() -> Iterator[int]:
    """Yield a pipe that is full."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.write(writer, b"x" * fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096))
    os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


def wait_for_steps() -> None:
    deadline = time.monotonic() + PATIENCE
    while not list(Path("out").glob("step-*")):
        assert time.monotonic() < deadline, "it does not train"


TRAINING = (*SMALL, *PLACES, "--steps", 1 << 30, "--validate-every", 5)


def test_a_run_goes_on_and_hears_signals(tidy: Path, full: int) -> None:
    save_data()
    process = start(*TRAINING, stderr=full)
    wait_for_steps()
    process.send_signal(signal.SIGTERM)
    answer = finish(process)
    assert answer.code == INTERRUPTED
    assert answer.out.startswith("Interrupted after step ")


@pytest.mark.parametrize("what", ["stopped", "closed"])
def test_a_run_is_saved_and_ends_whatever_its_terminal_does(tidy: Path, what: str) -> None:
    save_data()
    terminal, theirs = pty.openpty()
    words = [*PROGRAM, *map(str, TRAINING), "--quiet"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, text=True)
    wait_for_steps()
    if what == "stopped":
        termios.tcflow(theirs, termios.TCOOFF)
    else:
        os.close(terminal)
    process.send_signal(signal.SIGTERM)
    answer = finish(process)
    os.close(theirs)
    if what == "stopped":
        os.close(terminal)
    assert (answer.code, answer.err) == (INTERRUPTED, "")


def test_what_is_wrong_ends_a_command(tidy: Path, full: int) -> None:
    answer = finish(start("runs", "--db", "nowhere.db", stderr=full))
    assert answer.code == 2
