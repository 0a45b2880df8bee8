"""A run that needs more files than it may have says so before it starts a worker."""

import os
import re
import resource
import subprocess
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.system.descriptors import descriptor_limit, need_descriptors, readable
from tests.support.command import PATIENCE, PROGRAM, SMALL, save_data


def run(soft: int, hard: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    def confine() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, preexec_fn=confine, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.mark.parametrize("workers", [0, 1, 8, pytest.param(40, marks=pytest.mark.check)])
def test_what_is_said_to_be_needed_is_enough_and_less_is_refused(tidy: Path, workers: int) -> None:
    save_data(train=400)
    batches = ("--workers", workers, "--batch-size", 160, "--microbatch", 4, "--steps", 3, "--checkpoint-every", 1)
    train = (*SMALL[:-6], *batches, "--quiet", "--db", "r.db", "--out", "out")
    refused = run(12, 12, *train)
    said = re.fullmatch(
        r"gradsum: a run.* needs (\d+) file descriptors, and this process may have 12; start fewer workers, or "
        r"raise the limit first \(ulimit -n \1\)\n",
        refused.stderr,
    )
    assert said, refused.stderr
    assert (refused.returncode, refused.stdout) == (2, "")
    assert not Path("r.db").exists()
    enough = int(said[1])
    assert run(enough - 1, enough - 1, *train).returncode == 2
    done = run(12, enough, *train)  # the soft limit is raised first
    assert (done.returncode, done.stderr) == (0, "")


def test_a_pool_of_workers(tidy: Path) -> None:
    refused = run(20, 20, "worker", "tcp://127.0.0.1:1", "--processes", 100)
    assert refused.returncode == 2
    assert re.match(
        r"gradsum: a relay with 100 processes needs 5\d\d file descriptors, and .* may have", refused.stderr
    )
    refused = run(20, 20, "worker", "tcp://127.0.0.1:1", "--processes", 100, "--relay", "off")
    assert refused.returncode == 2
    assert re.match(r"gradsum: a pool of 100 workers needs 1\d\d file descriptors, and .* may have 20;", refused.stderr)


def test_a_limit_that_suffices_is_left_at_what_is_wanted() -> None:
    need_descriptors(1, "it")
    with pytest.raises(UsageError, match=rf"it needs \d+ .* may have {descriptor_limit()};"):
        need_descriptors(descriptor_limit(), "it")


@pytest.mark.parametrize("number", [None, 1500])
def test_what_can_be_read_is_seen_whatever_its_number(number: int | None) -> None:
    need_descriptors(2000, "it")
    ours, theirs = os.pipe()
    if number:
        os.dup2(ours, number)
        os.close(ours)
        ours = number
    try:
        assert not readable(ours, 0.001)
        assert readable(theirs, None, or_writable=True)
        os.write(theirs, b"x")
        assert readable(ours, None)
    finally:
        os.close(theirs)
        assert readable(ours, None)
        os.close(ours)
