"""Three network namespaces as three machines: a coordinator and two workers over CURVE, one unplugged in mid-run."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.command import PATIENCE, Gradsum, finish, save_data
from tests.remote import ALONE, printed, worker

STEPS = ("--steps", 3000, "--checkpoint-every", 1000)
MACHINES = ("coordinator", "one", "two")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def possible() -> bool:
    """Tell whether namespaces can be made here."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return False
    name = f"gs{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True).returncode == 0
    if made:
        ip("netns", "del", name)
    return made


@pytest.fixture
def machines(tidy: Path) -> Iterator[Callable[[str], str]]:
    """Make a machine with a cable to each of two others, 10.77.1.0/24 and 10.77.2.0/24; return their namespaces."""
    if not possible():
        pytest.skip("network namespaces take root and the command ip")
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


@pytest.mark.timeout(120)
@pytest.mark.parametrize("plugged_in_again", [False, True])
def test_a_machine_is_unplugged(
    machines: Callable[[str], str], gradsum: Gradsum, tidy: Path, plugged_in_again: bool
) -> None:
    save_data()
    serial = gradsum(*ALONE, *STEPS, "--db", "serial.db", "--out", "serial").json()["params_sha256"]

    def on(machine: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", machines(machine))

    program = "import sys; from engine.cli import main; sys.exit(main())"
    arguments = [*ALONE, *STEPS, "--bind", "tcp://*:0", "--db", "r.db", "--out", "out"]
    run = subprocess.Popen(
        [*on("coordinator"), sys.executable, "-c", program, *map(str, arguments)],
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
        with worker([f"tcp://10.77.1.1:{port}", "--key", key], *on("one")):
            until(run, lambda: rows("SELECT count(*) FROM workers WHERE left IS NULL") == 1)
            with worker([f"tcp://10.77.2.1:{port}", "--key", key], *on("two")):
                until(run, lambda: rows("SELECT count(*) FROM workers WHERE left IS NULL") == 2)
                ip("-n", machines("two"), "link", "set", "wire", "down")
                until(run, lambda: rows("SELECT count(*) FROM workers WHERE left IS NOT NULL") >= 1)
                if plugged_in_again:
                    ip("-n", machines("two"), "link", "set", "wire", "up")
                answer = finish(run)
    finally:
        run.kill()
        run.communicate(timeout=PATIENCE)
    assert (answer.code, answer.json()["params_sha256"]) == (0, serial), answer.err
