"""How many processor cores this process may keep busy, and in which order its workers get them."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")


@dataclass(frozen=True)
class Limit:
    """The number of cores that may be used, and what sets it."""

    cores: int
    reason: str


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    return limit().cores


def limit(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> Limit:
    """Return the smallest of what the affinity, the cgroup's quota and Slurm allow.

    A quota is rounded down, but not to 0: workers wait for the slowest of them, and one that is throttled, for up to a
    period of 100 ms, holds up all. Slurm's count matters where its tasks are not bound to their processors.
    """
    affinity = allowed()
    limits = [Limit(len(affinity), "affinity" if len(affinity) < (os.cpu_count() or 1) else "the machine")]
    if (cpus := quota(root)) is not None:
        limits.append(Limit(max(1, int(cpus)), f"a cgroup quota of {cpus:g} CPUs"))
    if (count := slurm_cpus(environment)) is not None:
        limits.append(Limit(count, f"Slurm, which gives {count} CPUs to this task"))
    return min(limits, key=lambda found: found.cores)


def allowed() -> set[int]:
    """Return the numbers of the logical processors on which this thread may run."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def slurm_cpus(environment: Mapping[str, str]) -> int | None:
    """Return how many CPUs Slurm gives to this task, None outside of a task.

    A batch script, which is no step, may use all that the job has on its node (sbatch(1), srun(1)).
    """
    if "SLURM_PROCID" not in environment:  # a shell of salloc runs on another machine than its job
        return None
    names = ("SLURM_CPUS_PER_TASK", "SLURM_CPUS_ON_NODE") if "SLURM_STEP_ID" in environment else ("SLURM_CPUS_ON_NODE",)
    found = (environment.get(name, "") for name in names)
    return next((int(text) for text in found if text.isdecimal() and int(text) > 0), None)


def quota(root: Path = ROOT) -> float | None:
    """Return the CPUs' worth of time that this process may take: the least of its cgroup and all its parents.

    None without a quota. Both kinds of cgroup are read (kernel.org: cgroup-v2.rst, `cpu.max`; sched-bwc.rst).
    """
    return min((cpus for folder in _cgroups(root) if (cpus := _quota_of(folder)) is not None), default=None)


def order(cpus: Collection[int], siblings: Mapping[int, int], packages: Mapping[int, int]) -> list[int]:
    """Sort logical processors into the order in which workers get them.

    `siblings` names for each the first thread of its core, `packages` its socket. First one thread of every core, one
    package after the other, then their second threads: two threads of one core share its arithmetic units.
    """
    turn: dict[int, int] = {}
    seen: dict[int, int] = {}
    for cpu in sorted(cpus):
        core = siblings.get(cpu, cpu)
        turn[cpu] = seen[core] = seen.get(core, -1) + 1
    return sorted(cpus, key=lambda cpu: (turn[cpu], packages.get(cpu, 0), cpu))


def in_order(root: Path = ROOT) -> list[int]:
    """Return the logical processors that this process may use, in the order in which workers get them."""
    cpus = allowed()
    topology = {cpu: root / f"sys/devices/system/cpu/cpu{cpu}/topology" for cpu in cpus}
    first = {cpu: _number(folder, "core_cpus_list", "thread_siblings_list") for cpu, folder in topology.items()}
    packages = {cpu: _number(folder, "physical_package_id") for cpu, folder in topology.items()}
    return order(
        cpus,
        {cpu: number for cpu, number in first.items() if number is not None},
        {cpu: number for cpu, number in packages.items() if number is not None},
    )


def _number(folder: Path, *names: str) -> int | None:
    """Return the first number in the first of these files that is there; in a list like 0,8 or 0-1 that is 0."""
    for name in names:
        text = _read(folder / name).replace("-", ",").split(",")[0].strip()
        if text.isdecimal():
            return int(text)
    return None


def _cgroups(root: Path) -> Iterator[Path]:
    """Yield the folders of this process's cgroup and its parents, in every hierarchy that limits CPU time."""
    paths: dict[str, str] = {}  # controller, "" for version 2 -> path within its hierarchy
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    for line in _read(root / "proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        controller = {"cgroup2": "", "cgroup": "cpu"}.get(kind)
        if controller not in paths or (controller == "cpu" and "cpu" not in options.split(" ")[-1].split(",")):
            continue
        top, mount = before.split(" ")[3:5]
        # In a container only a part of the hierarchy may be mounted: what is above it cannot be seen.
        inside = paths[controller].removeprefix(top).strip("/") if paths[controller].startswith(top) else ""
        at = root / mount.strip("/")
        yield at
        for name in inside.split("/") if inside else []:
            at /= name
            yield at


def _quota_of(folder: Path) -> float | None:
    """Return the quota, in CPUs, of one cgroup; None if it has none."""
    allowance, period = [*_read(folder / "cpu.max").split(), "", ""][:2]
    if not allowance:
        allowance, period = (_read(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    if not (allowance.isdecimal() and period.isdecimal() and int(period)):  # "max" and -1 are no limit
        return None
    return int(allowance) / int(period)


def _read(path: Path) -> str:
    """Return the text of a file of the kernel's, "" if it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
