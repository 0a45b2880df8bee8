"""`--on "ssh n1 n2 n3"` with a real sshd on each of three machines."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, Answer, Gradsum, finish, save_data
from tests.support.leaks import MARK, processes
from tests.support.machines import HEAD, Machines, machines
from tests.support.sshd import Sshd

pytestmark = pytest.mark.check

DATA = ("--data", "data.npz", "--model", "mlp", "--batch-size", 24, "--microbatch", 4)
SELDOM = ("--snapshot-first", 0, "--snapshot-every", 0, "--statistics-every", 0, "--validate-every", 1 << 30)
RUN = ("train", *DATA, *SELDOM, "--quiet", "--json")
STEPS = 400
STEP = "SELECT max(batchno) FROM training"


@pytest.fixture
def lab(tidy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machines, Sshd]]:
    """Three machines with an sshd each."""
    save_data()
    folder = tmp_path_factory.mktemp("ssh")
    with machines(3, folder) as made:
        yield made, Sshd(made, folder, MARK)


def start(lab: tuple[Machines, Sshd], hosts: str, *more: object) -> "subprocess.Popen[str]":
    """Start a run on the head, with workers on these hosts."""
    made, sshd = lab
    words = (*RUN, "--on", f"ssh -F {sshd.config} {hosts}", "--db", "r.db", "--out", "out", *more)
    return made.start_on(HEAD, [*PROGRAM, *map(str, words)])


def value(query: str) -> int:
    """Return the number that `query` finds in the records; 0 while there are none."""
    try:
        with sqlite3.connect("file:r.db?mode=ro", uri=True) as db:
            return int(db.execute(query).fetchone()[0] or 0)
    except sqlite3.OperationalError:
        return 0


def until(process: "subprocess.Popen[str]", happened: Callable[[], object]) -> None:
    """Wait until something has happened; the run must not end before."""
    while not happened():
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the run ended: {finish(process)}")


def serial(gradsum: Gradsum, steps: int) -> str:
    answer = gradsum(*RUN, "--workers", 0, "--steps", steps, "--db", "s.db", "--out", "serial")
    assert answer.code == 0, answer.err
    return str(answer.json()["params_sha256"])


def test_a_worker_and_a_machine_are_killed_and_the_result_is_the_same(
    lab: tuple[Machines, Sshd], gradsum: Gradsum
) -> None:
    made, sshd = lab
    run = start(lab, "n1 n2:2 n3", "--workers", 4, "--steps", STEPS)
    until(run, lambda: value(STEP) >= 10 and bool(made.pids("n1", "workers/__main__.py")))
    os.kill(made.pids("n1", "workers/__main__.py")[0], signal.SIGKILL)
    until(run, lambda: value("SELECT count(*) FROM workers WHERE host = 'n2'"))
    made.kill("n2")
    made.boot("n2")
    sshd.start("n2")
    answer = finish(run)
    assert answer.code == 0, answer.err
    assert answer.json()["params_sha256"] == serial(gradsum, STEPS)
    assert not made.workers()
    assert sorted(path.name for path in Path("out/workers").iterdir()) == ["n1.log", "n2.log", "n3.log"]


def test_a_coordinator_that_is_killed_leaves_nothing(lab: tuple[Machines, Sshd]) -> None:
    made, _ = lab
    before = set(processes(os.environ[MARK]))  # those of the machines themselves
    run = start(lab, "n1 n2 n3", "--workers", 3, "--steps", 1 << 30)
    until(run, lambda: len(made.workers()) >= 3 and value(STEP) >= 10)
    run.kill()  # nsenter has become the coordinator
    began = time.monotonic()
    run.communicate()
    while made.workers() or set(processes(os.environ[MARK])) - before:  # clients of ssh end with their pipes
        time.sleep(0.05)
    print(f"no worker left {time.monotonic() - began:.1f} s after kill -9 of the coordinator")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("locked", "Permission denied"),
        ("closed", "Connection refused"),
        ("no-such-host.invalid", "Could not resolve hostname"),
    ],
)
def test_a_host_that_lets_nobody_in_is_told(lab: tuple[Machines, Sshd], host: str, said: str) -> None:
    answer: Answer = finish(start(lab, host, "--workers", 2, "--steps", 5))
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert host in answer.err
    assert said in answer.err


def test_trials_side_by_side_have_hosts_of_their_own(lab: tuple[Machines, Sshd], gradsum: Gradsum) -> None:
    made, sshd = lab
    over = ("--over", "seed=1,2", "--sampler", "grid", "--workers", 2, "--steps", 60)
    sweep = ("sweep", *RUN[1:], *over)
    on = ("--at-once", 2, "--on", f"ssh -F {sshd.config} n1 n2 n3", "--db", "r.db", "--out", "out")
    answer = finish(made.start_on(HEAD, [*PROGRAM, *map(str, (*sweep, *on))]))
    assert answer.code == 0, answer.err
    with sqlite3.connect("r.db") as db:
        rows = db.execute("SELECT startID, host FROM workers").fetchall()
    hosts = [{host for run, host in rows if run == number} for number in (1, 2)]
    assert hosts[0] and hosts[0] <= {"n1", "n3"}
    assert hosts[1] == {"n2"}
    alone = gradsum(*sweep, "--db", "s.db", "--out", "serial")
    assert hashes(answer) == hashes(alone)
    assert not made.workers()


def hashes(answer: Answer) -> list[str]:
    return [trial["params_sha256"] for trial in answer.json()["trials"]]
