"""What is made of Slurm's answers; the commands are scripts here, real ones in tests/end_to_end/test_slurm.py."""

import os
import subprocess
from pathlib import Path

import pytest

from engine.errors import WorkersError
from engine.launch.launcher import Join
from engine.launch.piped import Piped
from engine.launch.slurm import _smallest_node, mortality, said_by, slurm, steps

INSIDE = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_CPUS_PER_NODE": "16,8"}


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be the commands of a cluster with two nodes, where `squeue` fails."""
    scripts = {"scontrol": "echo n1; echo n2", "srun": "exit 0", "squeue": "echo one >&2; echo two >&2; exit 1"}
    for name, script in scripts.items():
        path = Path(name)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(Path.cwd()), prepend=":")


def test_a_command_that_fails_is_quoted() -> None:
    assert said_by("scontrol") == "n1\nn2"
    with pytest.raises(WorkersError, match=r"^one; two$"):
        said_by("squeue")
    with pytest.raises(WorkersError, match=r"no-such-command cannot be started: No such file"):
        said_by("no-such-command")


def test_an_allocation_that_may_end_with_a_node_is_told(tmp_path: Path) -> None:
    two = INSIDE | {"SLURM_JOB_NUM_NODES": "2"}
    assert "when one of the 2 nodes fails, Slurm ends the whole allocation" in slurm([], two).remark
    assert slurm([], INSIDE | {"SLURM_JOB_NUM_NODES": "1"}).remark == ""
    assert slurm([], two | {"SBATCH_NO_KILL": ""}).remark == ""
    for line, told in (
        ("#SBATCH -N2 --no-kill", False),
        ("#SBATCH -k", False),
        ("#SBATCH --no-kill=off", True),
        ("echo --no-kill", True),
    ):
        assert bool(mortality(two, lambda *_, line=line: f"#!/bin/sh\n{line}\n")) == told


@pytest.mark.parametrize(("workers", "counts"), [(None, [16, 8]), (3, [2, 1]), (24, [16, 8]), (48, [24, 24])])
def test_inside_of_an_allocation_each_node_has_a_step(workers: int | None, counts: list[int]) -> None:
    assert isinstance(slurm([], INSIDE), Piped)
    join = Join("tcp://10.0.0.1:5000", b"", Path("logs"), workers)
    found = steps(["--mem=1G"], INSIDE, join)
    assert [task.name for task in found] == ["job-7-n1", "job-7-n2"]
    for task, node, cores, count in zip(found, ("n1", "n2"), (16, 8), counts, strict=True):
        assert {f"--nodelist={node}", f"--cpus-per-task={cores}", "--mem=1G"} <= set(task.command)
        assert f"--processes {count} " in task.command[-1]
        assert "SLURM_SRUN_COMM_HOST" in task.command[-1]


@pytest.mark.parametrize("host", ["10.0.0.1", "[fd00::7]"])
def test_a_step_joins_by_the_address_that_srun_has_first(host: str) -> None:
    [task, _] = steps([], INSIDE, Join(f"tcp://{host}:5000", b"", Path("logs"), 2))
    shown = task.command[-1].replace("exec gradsum", "echo").split(" worker ")[-1]
    said = subprocess.run(
        ["sh", "-c", f"echo {shown}"],
        env=os.environ | {"SLURM_SRUN_COMM_HOST": "10.9.9.9"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split()[0] == f"tcp://10.9.9.9,{host}:5000"


@pytest.mark.parametrize("words", [["-p", "cpu"], ["-pcpu"], ["--partition=cpu"], ["--partition", "cpu"]])
def test_the_cores_of_a_partition_are_asked_for_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    asked: list[str] = []

    def said(*command: str) -> str:
        asked.extend(command)
        return "8\n4"

    monkeypatch.setattr("engine.launch.slurm.said_by", said)
    assert _smallest_node(["--mem=1G", *words, "-t", "5"]) == 4
    assert asked[-1] in ("-pcpu", "--partition=cpu")


def test_a_command_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("srun").write_text("#!/bin/sh\nexec sleep 1000\n")
    monkeypatch.setattr("engine.launch.slurm.ANSWER", 0.01)
    with pytest.raises(WorkersError, match=r"^srun did not answer within 0.01 s$"):
        said_by("srun")
