"""`--on "slurm -p cpu -t 4:00:00"`: jobs of Slurm from a login node, or a step on each node of this allocation.

Only what Slurm has had since 20.11 is used. Options are passed on as they are.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence

from engine.errors import SettingsError, WorkersError
from engine.launch.launcher import Join, Launcher, shared_out, shell_command
from engine.launch.piped import Piped, Task
from engine.launch.slurm_jobs import SlurmJobs

ANSWER = 60.0  # seconds that Slurm's commands may take
PARTITION = ("-p", "--partition")
CORES = re.compile(r"(?:-c|--cpus-per-task=?)(\d*)")
COUNTED = re.compile(r"(\d+)(?:\(x(\d+)\))?")  # 16(x2),8 in SLURM_JOB_CPUS_PER_NODE
NO_KILL = re.compile(r"^#SBATCH\b.*\s(?:--no-kill|-k)(?:\s|$)", re.MULTILINE)
# The coordinator is on the node from which srun is called, and its address as srun has it is known to work.
SRUN_HOST = "$SLURM_SRUN_COMM_HOST"


def slurm(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> Launcher:
    """Return the launcher for the words after `slurm`; SettingsError where Slurm is not installed."""
    inside = "SLURM_JOB_ID" in environment and "SLURM_JOB_NODELIST" in environment
    command = "srun" if inside else "sbatch"
    if shutil.which(command) is None:
        raise SettingsError(f"--on slurm: there is no {command} here; run it on a machine of the cluster")
    if inside:
        return Piped("steps", lambda join: steps(words, environment, join), remark=mortality(environment))
    return SlurmJobs(words, said_by, cores_of(words) or _smallest_node)


def said_by(*command: str, stdin: str = "") -> str:
    """Return what a command of Slurm prints; WorkersError with what it says if it fails."""
    try:
        done = subprocess.run(command, input=stdin, text=True, capture_output=True, timeout=ANSWER, check=False)
    except subprocess.TimeoutExpired:
        raise WorkersError(f"{command[0]} did not answer within {ANSWER:g} s") from None
    except OSError as error:
        raise WorkersError(f"{command[0]} cannot be started: {error.strerror}") from None
    if done.returncode:
        raise WorkersError("; ".join(line.strip() for line in done.stderr.splitlines() if line.strip()))
    return done.stdout.strip()


def cores_of(words: Sequence[str]) -> int | None:
    """Return the number after -c or --cpus-per-task, None if it is not given."""
    for number, word in enumerate(words):
        if found := CORES.fullmatch(word):
            value = found[1] or "".join(words[number + 1 : number + 2])
            if not value.isdecimal() or not int(value):
                raise SettingsError(f"--on slurm: {word} needs a number of cores, got {value!r:.40}")
            return int(value)
    return None


def _smallest_node(words: Sequence[str]) -> int:
    """Return how many CPUs the smallest node has that jobs with the options `words` may get."""
    partition = [_with_value(words[number:]) for number, word in enumerate(words) if word.startswith(PARTITION)]
    cpus = re.findall(r"\d+", said_by("sinfo", "--noheader", "--format=%c", *partition[-1:]))
    return max(1, min(map(int, cpus), default=1))


def _with_value(words: Sequence[str]) -> str:
    """Return the first of `words`, an option, with the next as its value if it has none."""
    option, value = words[0], "".join(words[1:2])
    if option not in PARTITION:
        return option
    return f"{option}={value}" if option.startswith("--") else option + value


def cpus_of_nodes(text: str) -> list[int]:
    """Return the CPUs of each node from SLURM_JOB_CPUS_PER_NODE, such as 16(x2),8."""
    return [int(cpus) for cpus, times in COUNTED.findall(text) for _ in range(int(times or 1))]


def steps(words: Sequence[str], environment: Mapping[str, str], join: Join) -> list[Task]:
    """Return the step of each node of this allocation that gets workers."""
    nodes = said_by("scontrol", "show", "hostnames", environment["SLURM_JOB_NODELIST"]).split()
    cpus = cpus_of_nodes(environment.get("SLURM_JOB_CPUS_PER_NODE", ""))
    most = cpus if len(cpus) == len(nodes) else [1] * len(nodes)
    counts = most if join.workers is None else shared_out(join.workers, most)
    if join.workers is not None and sum(counts) < join.workers:  # as on one machine: more workers than cores
        counts = shared_out(join.workers, [join.workers] * len(nodes))
    job = environment["SLURM_JOB_ID"]
    return [
        Task(f"job-{job}-{node}", node, _step(words, node, cores, join.words("-", count, f"job {job}")))
        for node, cores, count in zip(nodes, most, counts, strict=True)
        if count
    ]


def mortality(environment: Mapping[str, str], say: Callable[..., str] = said_by) -> str:
    """Return a warning that this allocation may end with the first node that fails; "" if it does not.

    Slurm, up to 22.05 at least, tells of no job whether it has --no-kill. It can be seen in the script, and in the
    variables that stand for the option.
    """
    nodes = environment.get("SLURM_JOB_NUM_NODES", "1")
    if nodes == "1" or "SBATCH_NO_KILL" in environment or "SALLOC_NO_KILL" in environment:
        return ""
    try:
        script = say("scontrol", "write", "batch_script", environment["SLURM_JOB_ID"], "-")
    except WorkersError:  # there is none, or it is for the operator alone
        script = ""
    if NO_KILL.search(script):
        return ""
    return (
        f"when one of the {nodes} nodes fails, Slurm ends the whole allocation, unless it was made with --no-kill, "
        "which Slurm does not tell; with #SBATCH --no-kill, or SBATCH_NO_KILL=1 in the environment, it is known here"
    )


def _step(options: Sequence[str], node: str, cores: int, words: Sequence[str]) -> list[str]:
    """Return the command of the step on a node; one step for all would end with the first worker that is killed."""
    srun = ["srun", "--nodes=1", "--ntasks=1", f"--nodelist={node}", "--overlap", "--mem=0", "--quiet"]
    srun += [f"--cpus-per-task={cores}", "--kill-on-bad-exit=0", *options]
    script = shell_command([*words, "--tied"])
    address = words[1]
    better = address.replace("tcp://", f"tcp://${{SLURM_SRUN_COMM_HOST:+{SRUN_HOST},}}", 1)
    return [*srun, "sh", "-c", script.replace(shlex.quote(address), f'"{better}"', 1)]


def requeue(environment: Mapping[str, str] = os.environ, say: Callable[..., str] = said_by) -> str:
    """Put the batch job that this process is in back into the queue; return what was done, "" if nothing was.

    Slurm does not do so for any exit code; it runs the job again after about two minutes. A job that somebody
    cancelled, or that Slurm itself puts back, is left alone. It ends this process in a moment.
    """
    job = environment.get("SLURM_JOB_ID")
    if job is None or environment.get("SLURM_JOB_NAME") == "interactive":
        return ""
    said = say("scontrol", "show", "job", job)
    state, batch = re.search(r"JobState=(\w+)", said), re.search(r"BatchFlag=1", said)
    if state is None or state[1] not in ("RUNNING", "TIMEOUT") or batch is None:
        return ""
    say("scontrol", "requeue", job)
    return f"job {job} is back in the queue, and begins again in some minutes"
