"""Three network namespaces as three machines: a coordinator and two workers over CURVE, one unplugged in mid-run."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.cli.exit_codes import INTERRUPTED
from tests.support.command import PATIENCE, Gradsum, finish, save_data
from tests.support.remote import ALONE, printed, worker
from tests.support.tools import need, need_root

MACHINES = ("coordinator", "one", "two")
SELDOM = ("--validate-every", 1 << 30, "--checkpoint-every", 1 << 30, "--snapshot-first", 0, "--statistics-every", 0)
ENDLESS = (*ALONE, *SELDOM, "--steps", 1 << 30, "--bind", "tcp://*:0", "--db", "r.db", "--out", "out")
# A coordinator that takes a peer for gone after 4 seconds of silence, where heartbeats come every 2, rather than 10.
PROGRAM = """
import sys
from engine.wire import connection_limits
connection_limits.SILENCE = 4.0
from engine.cli import main
sys.exit(main())
"""
PRESENT = "SELECT count(*) FROM workers WHERE left IS NULL"
STEP = "SELECT max(batchno) FROM training"


def on(namespace: str) -> tuple[str, ...]:
    """Return what lets a command run on a machine."""
    return ("ip", "netns", "exec", namespace)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def machines(tidy: Path) -> Iterator[Callable[[str], str]]:
    """Make a machine with a cable to each of two others, 10.77.1.0/24 and 10.77.2.0/24; return their namespaces."""
    need_root()
    need("ip", "iproute2")
    names = {machine: f"gs{os.getpid()}-{machine}" for machine in MACHINES}
    with ExitStack() as stack:
        for name in names.values():
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)  # and with it the cables
        for number, machine in enumerate(MACHINES[1:], 1):
            here, there = names["coordinator"], names[machine]
            ip("-n", there, "link", "add", "wire", "type", "veth", "peer", "name", f"w{number}", "netns", here)
            for end, space, host in ((f"w{number}", here, 1), ("wire", there, 2)):
                ip("-n", space, "addr", "add", f"10.77.{number}.{host}/24", "dev", end)
                ip("-n", space, "link", "set", end, "up")
        yield names.__getitem__


def rows(query: str) -> int:
    """Return the number that `query` finds in the records; 0 while there are none."""
    try:
        with sqlite3.connect("file:r.db?mode=ro", uri=True) as db:
            return int(db.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:
        return 0


def until(process: "subprocess.Popen[str]", happened: Callable[[], bool]) -> None:
    """Wait until something is in the records; the run must not end before."""
    while not happened():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the run ended: {finish(process)}")


@pytest.mark.check
def test_a_machine_is_unplugged_and_plugged_in_again(machines: Callable[[str], str], gradsum: Gradsum) -> None:
    """And unplugged once more when the run ends, which it does when all that has happened."""
    save_data()
    run = subprocess.Popen(
        [*on(machines("coordinator")), sys.executable, "-c", PROGRAM, *map(str, ENDLESS)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        command = printed(run)
        port, key = command[0].rpartition(":")[2], str(Path("copied").absolute())
        shutil.copy(command[-1], "copied")
        Path("copied").chmod(0o600)
        with worker([f"tcp://10.77.1.1:{port}", "--key", key], *on(machines("one"))):
            until(run, lambda: rows(PRESENT) == 1)
            with worker([f"tcp://10.77.2.1:{port}", "--key", key], *on(machines("two"))):
                until(run, lambda: rows(PRESENT) == 2)
                ip("-n", machines("two"), "link", "set", "wire", "down")
                until(run, lambda: rows(PRESENT) == 1)
                alone = rows(STEP)
                until(run, lambda: rows(STEP) > alone)
                ip("-n", machines("two"), "link", "set", "wire", "up")
                until(run, lambda: rows(PRESENT) == 2)
                ip("-n", machines("two"), "link", "set", "wire", "down")
                run.send_signal(signal.SIGINT)
                answer = finish(run)
    finally:
        run.kill()
        run.communicate(timeout=PATIENCE)
    assert answer.code == INTERRUPTED, answer.err
    result = answer.json()
    serial = gradsum(*ALONE, *SELDOM, "--steps", result["steps"], "--db", "serial.db", "--out", "serial").json()
    assert result["params_sha256"] == serial["params_sha256"]
