"""How many cores may be used: affinity, cgroup quotas as the kernel shows them, Slurm; and the order of cores."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.system.cores import Limit, allowed, in_order, limit, order, quota, slurm_cpus, usable_cores

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
V1 = "33 25 0:30 {top} /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct"
OTHER = "34 25 0:31 / /sys/fs/cgroup/cpuset rw,nosuid - cgroup cgroup rw,cpuset"


def machine(root: Path, cgroup: str, mounts: str, **files: str) -> Path:
    """Write what a kernel shows; `files`: contents by path below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/mountinfo").write_text(mounts)
    for path, text in files.items():
        (root / "sys/fs/cgroup" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "sys/fs/cgroup" / path).write_text(text + "\n")
    return root


def version_2(root: Path, path: str, **quotas: str) -> Path:
    return machine(root, f"0::{path}\n", V2 + "\n", **{f"{at}/cpu.max": text for at, text in quotas.items()})


def version_1(root: Path, path: str, quotas: dict[str, int], top: str = "/") -> Path:
    files = {f"cpu,cpuacct/{at}/cpu.cfs_period_us": "100000" for at in quotas}
    files |= {f"cpu,cpuacct/{at}/cpu.cfs_quota_us": str(value) for at, value in quotas.items()}
    return machine(root, f"5:cpuset:/\n4:cpu,cpuacct:{path}\n0::/\n", f"{OTHER}\n{V1.format(top=top)}\n", **files)


@pytest.mark.parametrize(
    ("quotas", "cpus"),
    [
        ({"a": "150000 100000"}, 1.5),
        ({"a": "max 100000", "a/b": "250000 100000"}, 2.5),
        ({"a": "50000 100000", "a/b": "250000 100000"}, 0.5),
        ({"a": "max 100000", "a/b": "max 100000"}, None),
        ({"elsewhere": "100000 100000"}, None),
        ({}, None),
    ],
)
def test_version_2_the_least_of_the_group_and_its_parents(
    tmp_path: Path, quotas: dict[str, str], cpus: float | None
) -> None:
    assert quota(version_2(tmp_path, "/a/b", **quotas)) == cpus


@pytest.mark.parametrize(
    ("quotas", "cpus"), [({"a": 150_000}, 1.5), ({"a": -1, "a/b": 300_000}, 3.0), ({"a": -1, "a/b": -1}, None)]
)
def test_version_1_the_least_of_the_group_and_its_parents(
    tmp_path: Path, quotas: dict[str, int], cpus: float | None
) -> None:
    assert quota(version_1(tmp_path, "/a/b", quotas)) == cpus


def test_a_container_sees_its_own_group_at_the_top_of_what_is_mounted(tmp_path: Path) -> None:
    # As docker shows it with version 1: the path is the host's, and its last folder is what is mounted.
    assert quota(version_1(tmp_path, "/docker/123", {".": 200_000}, "/docker/123")) == 2.0


def test_a_group_outside_what_is_mounted_is_taken_for_its_top(tmp_path: Path) -> None:
    assert quota(version_1(tmp_path, "/elsewhere", {".": 200_000}, "/docker/123")) == 2.0


def test_a_machine_without_groups_has_no_quota(tmp_path: Path) -> None:
    assert quota(tmp_path) is None


@pytest.mark.parametrize(("text", "cores"), [("150000 100000", 1), ("50000 100000", 1), ("1000 100000", 1)])
def test_a_quota_is_rounded_down_but_not_to_nothing(tmp_path: Path, text: str, cores: int) -> None:
    cpus = f"{int(text.split(maxsplit=1)[0]) / 100_000:g}"
    found = limit(version_2(tmp_path, "/a", a=text), {})
    assert found in (Limit(cores, f"a cgroup quota of {cpus} CPUs"), Limit(1, "affinity"), Limit(1, "the machine"))


def test_a_quota_above_the_cores_changes_nothing(tmp_path: Path) -> None:
    assert limit(version_2(tmp_path, "/a", a="99000000 1000"), {}).cores == len(allowed())


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_CPUS_ON_NODE": "8"}, None),  # a shell of salloc
        ({"SLURM_PROCID": "0", "SLURM_CPUS_ON_NODE": "8", "SLURM_CPUS_PER_TASK": "4"}, 8),  # a batch script
        ({"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_CPUS_ON_NODE": "8", "SLURM_CPUS_PER_TASK": "4"}, 4),
        ({"SLURM_PROCID": "0", "SLURM_STEP_ID": "0", "SLURM_CPUS_ON_NODE": "8"}, 8),
        ({"SLURM_PROCID": "0", "SLURM_CPUS_ON_NODE": "8(x2)"}, None),
        ({"SLURM_PROCID": "0", "SLURM_CPUS_ON_NODE": "0"}, None),
    ],
)
def test_what_slurm_gives(variables: dict[str, str], count: int | None) -> None:
    assert slurm_cpus(variables) == count


def test_slurm_limits_only_where_it_gives_less(tmp_path: Path) -> None:
    task = {"SLURM_PROCID": "0", "SLURM_CPUS_ON_NODE": "100000"}
    assert limit(tmp_path, task).cores == len(allowed())
    one = limit(tmp_path, task | {"SLURM_CPUS_ON_NODE": "1"})
    assert one.cores == 1
    assert len(allowed()) == 1 or one.reason == "Slurm, which gives 1 CPUs to this task"


def test_the_affinity_limits() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system has no affinity")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
        assert in_order() == [min(before)]
    finally:
        os.sched_setaffinity(0, before)


def test_cores_before_their_second_threads_and_one_package_after_the_other() -> None:
    # Two packages of two cores of two threads, numbered as Linux does on most servers.
    siblings = {0: 0, 4: 0, 1: 1, 5: 1, 2: 2, 6: 2, 3: 3, 7: 3}
    packages = {cpu: cpu % 2 for cpu in range(8)}
    assert order(range(8), siblings, packages) == [0, 2, 1, 3, 4, 6, 5, 7]


def test_of_a_core_of_which_only_the_second_thread_may_be_used_that_is_its_first() -> None:
    assert order([4, 1, 5], {4: 0, 1: 1, 5: 1}, {}) == [1, 4, 5]


@given(st.dictionaries(st.integers(0, 63), st.integers(0, 31), max_size=40), st.data())
def test_the_order_is_a_permutation_in_which_no_core_is_used_twice_too_early(
    siblings: dict[int, int], data: st.DataObject
) -> None:
    packages = {cpu: data.draw(st.integers(0, 3)) for cpu in siblings}
    found = order(siblings, siblings, packages)
    assert sorted(found) == sorted(siblings)
    cores = len(set(siblings.values()))
    assert len({siblings[cpu] for cpu in found[:cores]}) == cores
    assert order(list(reversed(found)), siblings, packages) == found


def test_the_topology_is_read_in_both_spellings(tmp_path: Path) -> None:
    cpus = sorted(allowed())
    for number, cpu in enumerate(cpus):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}/topology"
        folder.mkdir(parents=True)
        name = "core_cpus_list" if number % 2 else "thread_siblings_list"
        (folder / name).write_text(f"{cpus[number // 2 * 2]}-{cpu}\n")
        (folder / "physical_package_id").write_text("0\n")
    assert in_order(tmp_path) == [*cpus[::2], *cpus[1::2]]
    assert in_order(tmp_path / "nothing") == cpus


def topology(root: Path, cpu: int, **files: int) -> None:
    folder = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
    folder.mkdir(parents=True)
    for name, number in files.items():
        (folder / name).write_text(f"{number}\n")


def test_the_order_is_that_of_what_the_system_tells_of_cores(tmp_path: Path) -> None:
    cpus = sorted(allowed())
    if len(cpus) < 2:
        pytest.skip("needs two cores")
    first, *others = cpus
    topology(tmp_path / "one", first, physical_package_id=1)  # of the others nothing is known
    assert in_order(tmp_path / "one") == [*others, first]
    for cpu in cpus:
        topology(tmp_path / "two", cpu, core_cpus_list=first, physical_package_id=-cpu % 1000)
    assert in_order(tmp_path / "two") == cpus, "threads of one core"
