"""Which processor each worker gets, and what is left to the coordinator."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.launch.pinning import Pinning, assign, bound_elsewhere
from engine.system.cores import in_order, quota

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")


@pytest.mark.parametrize(
    ("count", "taken", "assigned"),
    [
        (1, (), [4]),
        (3, (), [4, 5, 6]),
        (4, (), [4, 5, 6, 7]),
        (8, (), [4, 5, 6, 7, 4, 5, 6, 7]),
        (6, (), []),  # two would share a core while the others have one each
        (2, (4, 5), [6, 7]),
        (3, (4, 5), []),
        (4, (4,), [4, 5, 6, 7]),  # all are to be shared, however many others there are
    ],
)
def test_one_each_or_the_same_number_each(count: int, taken: tuple[int, ...], assigned: list[int]) -> None:
    assert assign(count, [4, 5, 6, 7], taken) == assigned


@given(st.integers(1, 40), st.sets(st.integers(0, 20), min_size=1), st.sets(st.integers(0, 20)))
def test_no_core_gets_more_than_its_share(count: int, cpus: set[int], taken: set[int]) -> None:
    assigned = assign(count, sorted(cpus), taken)
    assert len(assigned) in (0, count)
    uses = [assigned.count(cpu) for cpu in assigned]
    assert all(use == max(1, count // len(cpus)) for use in uses)
    assert count >= len(cpus) or not set(assigned) & taken


@pytest.fixture
def process() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        yield child


def test_workers_are_bound_and_the_coordinator_keeps_off(process: "subprocess.Popen[bytes]") -> None:
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("needs two cores")
    pinning = Pinning(1, taken=())
    pinning.pin(process.pid, 0)
    bound = os.sched_getaffinity(process.pid)
    if quota() is not None:
        pytest.skip("a cgroup's quota: nothing is bound")
    assert len(bound) == 1
    assert bound <= bound_elsewhere()
    with pinning.kept_off():
        assert not os.sched_getaffinity(0) & bound
    assert os.sched_getaffinity(0) == before


def test_a_process_that_has_ended_is_not_missed() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    Pinning(len(in_order())).pin(child.pid, 0)


def test_processors_that_are_not_there_any_more_bind_nothing(process: "subprocess.Popen[bytes]") -> None:
    """As when the cpuset of a cgroup becomes smaller while a run goes on: the kernel says the same of both."""
    before = os.sched_getaffinity(0)
    pinning = Pinning(1, taken=())
    pinning._workers, pinning._spare = [1000], {1001}
    pinning.pin(process.pid, 0)
    assert os.sched_getaffinity(process.pid) == before
    with pinning.kept_off():
        assert os.sched_getaffinity(0) == before


def test_only_processes_with_memory_that_are_bound_to_one_core_count(tmp_path: Path) -> None:
    for pid, cpus, memory in ((1, "0-3", True), (2, "2", True), (3, "1", False), (4, "0,3", True)):
        (tmp_path / str(pid)).mkdir()
        text = f"Name:\tx\nCpus_allowed_list:\t{cpus}\n" + ("VmSize:\t 5 kB\n" if memory else "")
        (tmp_path / str(pid) / "status").write_text(text)
    assert bound_elsewhere(tmp_path) == {2}


def test_a_process_that_cannot_be_looked_at_any_more_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1" / "status").mkdir(parents=True)  # it cannot be read
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "status").write_text("Cpus_allowed_list:\t3\nVmSize:\t 5 kB\n")
    assert bound_elsewhere(tmp_path) == {3}
