"""Real workers that are killed at random moments, while they compute, copy and add: the sums stay the same."""

import contextlib
import os
import random
import signal
from threading import Timer

import pytest

from engine.launch.fork_server import fork_server
from tests.support.cluster import cluster, exists
from tests.support.tools import LONGER

pytestmark = pytest.mark.usefixtures("numpy_kernels")
STEPS = 8 * LONGER


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("local", ["unix", "zmq"])
def test_workers_that_are_killed_at_random_moments(local: str) -> None:
    rng = random.Random(3)
    seen: set[int] = set()
    with fork_server() as server, cluster(3, local=local, server=server) as box:
        for step in range(1, STEPS + 1):
            box.coordinator.gather(3)
            box.workers.look()  # which tells the numbers of those that were forked meanwhile
            seen |= set(box.workers.pids)
            assert 0 not in seen
            killer = Timer(rng.choice([0.0, 0.001, 0.003, 0.01]), kill, [rng.choice(box.workers.pids)])
            killer.start()
            box.check(step)
            killer.join()
        box.coordinator.close()
    assert len(seen) > STEPS // 2
    assert not any(map(exists, seen))
