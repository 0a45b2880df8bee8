"""`--on slurm` with a real Slurm of three nodes: from outside of an allocation, inside of one, and requeued."""

import os
import signal
import subprocess
from collections.abc import Iterator
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
