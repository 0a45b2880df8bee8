"""`--on slurm` with a real Slurm of three nodes: from outside of an allocation, inside of one, and requeued."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.test_ssh import RUN, STEP, serial, until, value
from tests.support.command import PROGRAM, Gradsum, finish, save_data
from tests.support.machines import HEAD, Machines, machines
from tests.support.slurm import Slurm

pytestmark = pytest.mark.check

STEPS = 400
PLACES = ("--db", "r.db", "--out", "out")


@pytest.fixture
def cluster(tidy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machines, Slurm]]:
    """Three nodes of two processors each."""
    save_data()
    folder = tmp_path_factory.mktemp("slurm")
    with machines(3, folder) as made:
        slurm = Slurm(made, folder)
        yield made, slurm
        assert not slurm.left()
        assert not made.workers()
        slurm.stop()


def start(cluster: tuple[Machines, Slurm], on: str, *more: object) -> "subprocess.Popen[str]":
    """Start a run on the head."""
    made, slurm = cluster
    return made.start_on(HEAD, [*PROGRAM, *map(str, (*RUN, "--on", on, *PLACES, *more))], slurm.environment)


def test_jobs_come_and_go_and_the_result_is_the_same(cluster: tuple[Machines, Slurm], gradsum: Gradsum) -> None:
    made, slurm = cluster
    run = start(cluster, "slurm -c 1", "--workers", 4, "--steps", STEPS)
    until(run, lambda: len(made.workers()) >= 3 and value(STEP) >= 10)
    os.kill(made.workers()[0], signal.SIGKILL)
    slurm.say("scancel", slurm.jobs("RUNNING")[0])
    urgent = slurm.say("sbatch", "--parsable", "-p", "urgent", "--exclusive", "--output=/dev/null", "--wrap=true")
    until(run, lambda: urgent not in slurm.left())
    victim = next(node for node in made.nodes if made.pids(node))
    made.kill(victim)
    answer = finish(run)
    assert answer.code == 0, answer.err
    assert answer.json()["params_sha256"] == serial(gradsum, STEPS)
    assert not list(Path("out/workers").glob("*.key"))


def test_a_partition_that_is_not_there(cluster: tuple[Machines, Slurm]) -> None:
    answer = finish(start(cluster, "slurm -p nowhere", "--workers", 2, "--steps", 5))
    assert answer.code == 1
    assert "Traceback" not in answer.err
    assert "invalid partition" in answer.err


def test_a_step_a_node_inside_of_an_allocation(cluster: tuple[Machines, Slurm], gradsum: Gradsum) -> None:
    made, slurm = cluster
    words = [*PROGRAM, *map(str, (*RUN, "--on", "slurm", *PLACES, "--workers", 4, "--steps", STEPS))]
    run = made.start_on(HEAD, ["salloc", "--nodes=3", "--exclusive", "--no-kill", "--quiet", *words], slurm.environment)
    until(run, lambda: len(made.workers()) >= 3 and value(STEP) >= 10)
    os.kill(made.workers()[0], signal.SIGKILL)
    made.kill("n3")
    answer = finish(run)
    assert answer.code == 0, answer.err
    assert answer.json()["params_sha256"] == serial(gradsum, STEPS)


def test_a_job_that_is_told_to_end_comes_back_and_goes_on(cluster: tuple[Machines, Slurm], gradsum: Gradsum) -> None:
    """As at its time limit. Slurm lets two minutes pass before it begins again, which the operator shortens here."""
    _, slurm = cluster
    words = (*RUN, "--on", "slurm", "--resume", "out", "--or-begin", "--db", "r.db", "--workers", 2, "--steps", STEPS)
    command = "exec " + " ".join(map(shlex.quote, [*PROGRAM, *map(str, words)]))
    options = ("--nodes=2", "--exclusive", "--no-kill", "--requeue", "--output=job.log", "--open-mode=append")
    job = slurm.say("sbatch", "--parsable", *options, "--wrap", command, check=True)
    wait(lambda: value(STEP) >= 10)
    slurm.say("scancel", "--batch", "--signal=TERM", job, check=True)
    wait(lambda: job in slurm.jobs("PENDING"))
    stopped = value(STEP)
    assert 0 < stopped < STEPS, "it was done before it was told to end"
    # Not at once: nodes refuse a job for some seconds after it was ended there, which is what the two minutes are for.
    slurm.say("scontrol", "update", f"JobId={job}", "StartTime=now+5", check=True)
    wait(lambda: job not in slurm.waiting())
    wait(lambda: '"state": "finished"' in Path("job.log").read_text())
    log = Path("job.log").read_text()
    assert f"job {job} is back in the queue" in log
    assert json.loads(log.splitlines()[-1])["params_sha256"] == serial(gradsum, STEPS), log


def wait(happened: Callable[[], object]) -> None:
    """Wait until something has happened in the cluster, which nobody tells."""
    until = time.monotonic() + 100
    while not happened():
        assert time.monotonic() < until, Path("job.log").read_text()
        time.sleep(0.1)
