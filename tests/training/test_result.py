"""What a run says about its use of the machine's cores."""

import pytest

import engine
from engine.settings import Settings
from engine.system.cores import Limit
from engine.training.reporter import RunInfo
from engine.training.result import use_of_cores
from tests.support.command import save_data
from tests.training.test_train import Listener

QUOTA = Limit(2, "a cgroup quota of 2.5 CPUs")
FREE = Limit(8, "the machine")


@pytest.mark.parametrize(
    ("workers", "cores", "said"),
    [
        (0, FREE, None),
        (3, FREE, None),
        (8, Limit(12, "the machine"), "8 of 12 cores are used: a batch of 64 has 8 micro-batches of 8"),
        (10, FREE, "2 of 10 workers have nothing to do: a batch of 64 has 8 micro-batches of 8"),
        (2, QUOTA, "2 of 8 cores are used, because of a cgroup quota of 2.5 CPUs"),
        (1, QUOTA, None),
        (4, Limit(4, "affinity"), "4 of 8 cores are used, because of affinity"),
    ],
)
def test_what_is_said_of_cores(workers: int, cores: Limit, said: str | None) -> None:
    assert use_of_cores(Settings(workers=workers), cores, 8) == said


def test_a_run_tells_its_user(tidy: object) -> None:
    listener = Listener()
    small = Settings(workers=2, batch_size=8, microbatch=8, steps=1)
    engine.train("mlp", save_data(), settings=small, db="r.db", out="out", reporter=listener)
    info = listener.heard[0]
    assert isinstance(info, RunInfo)
    assert "1 of 2 workers have nothing to do: a batch of 8 has 1 micro-batch of 8" in info.notes
