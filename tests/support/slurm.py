"""A real Slurm: the controller on the head, a daemon on each node; ended by process ids."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.machines import HEAD, Machines
from tests.support.tools import need

CPUS = 2
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={head}({address})
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=60
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=1
NodeName=n[1-{count}] CPUs={cpus} CoresPerSocket={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP PriorityTier=1 GraceTime=0
PartitionName=urgent Nodes=ALL MaxTime=60 State=UP PriorityTier=10
"""


class Slurm:
    """The daemons, which are up when it is made."""

    def __init__(self, machines: Machines, folder: Path) -> None:
        for program, package in (("slurmctld", "slurm-wlm"), ("slurmd", "slurm-wlm"), ("munged", "munge")):
            need(program, package)
        self._machines, self._folder = machines, folder
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        folder.chmod(0o755)
        (folder / "state").mkdir()
        address, count = machines.address(HEAD), len(machines.nodes)
        text = CONFIGURATION.format(head=HEAD, address=address, folder=folder, count=count, cpus=CPUS)
        (folder / "slurm.conf").write_text(text)
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        paths = [f"--{name}={folder}/munged.{name}" for name in ("pid-file", "log-file", "seed-file")]
        socket = f"--socket={folder}/munge.socket"
        self._daemon("munged", HEAD, "munged", "--foreground", "--force", f"--key-file={key}", socket, *paths)
        self._until((folder / "munge.socket").exists)
        self._daemon("slurmctld", HEAD, "slurmctld", "-D", "-i")
        for node in machines.nodes:
            self.start(node)
        self._until(lambda: self._idle() == count)

    def start(self, node: str) -> None:
        """Start the daemon of a node."""
        self._daemon(node, node, "slurmd", "-D", "-N", node)

    def say(self, *command: str, check: bool = False) -> str:
        """Return what a command of Slurm prints on the head."""
        run = self._machines.on(HEAD, *command)
        return subprocess.run(run, env=self.environment, capture_output=True, text=True, check=check).stdout.strip()

    def jobs(self, *states: str) -> list[str]:
        """Return the ids of jobs in these states."""
        return self.say("squeue", "--noheader", "--array", f"--states={','.join(states)}", "--format=%i").split()

    def left(self) -> list[str]:
        """Return the jobs that are not over."""
        return self.jobs("PENDING", "RUNNING", "SUSPENDED", "CONFIGURING")

    def _idle(self) -> int:
        """Return how many nodes wait for jobs."""
        return self.say("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T").split().count("idle")

    def waiting(self) -> list[str]:
        """Return the jobs that have not begun, or not again."""
        return self.jobs("PENDING", "COMPLETING", "REQUEUED", "CONFIGURING")

    def stop(self) -> None:
        """End the jobs and the daemons."""
        self.say("scancel", "--user=root")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _daemon(self, name: str, machine: str, *command: str) -> None:
        with (self._folder / f"{name}.out").open("ab") as out:
            run = self._machines.on(machine, *command)
            self._daemons[name] = subprocess.Popen(run, env=self.environment, stdout=out, stderr=out)

    def _until(self, happened: Callable[[], bool]) -> None:
        """Wait until the daemons have done something, which they tell nobody."""
        until = time.monotonic() + 60
        while not happened():
            assert time.monotonic() < until, "".join(path.read_text() for path in self._folder.glob("*.out"))
            time.sleep(0.1)
