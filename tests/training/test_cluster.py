"""Where the parameters are while a network trains with local workers."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from engine.coordinator.notices import Notice, NoticeKind
from engine.launch.launcher import Join, Place
from engine.launch.local_workers import LocalWorkers
from engine.launch.placed_workers import PlacedWorkers
from engine.nn.optimizers import Adam
from engine.system.clock import MONOTONIC
from engine.training.cluster import Cluster, noting
from engine.training.computing import trained_in_place
from engine.training.progress import Progress
from engine.training.state import TrainingState
from engine.wire.shared_memory import SharedMemory, shared_memory_for
from tests.support.fakes import MODEL

LAYOUT = MODEL.layout()


def state() -> TrainingState:
    return TrainingState(LAYOUT, np.arange(LAYOUT.size, dtype=np.float32), Adam().start(LAYOUT.size), Progress(1))


def cluster(shared_memory: SharedMemory | None) -> Cluster:
    return Cluster("unix:///none", LocalWorkers("unix:///none", 0), shared_memory, None, ExitStack(), MONOTONIC)


def test_they_are_in_shared_memory_and_come_back() -> None:
    with shared_memory_for(1, wanted=True) as shared_memory:
        assert shared_memory is not None
        shared_memory.open(LAYOUT.size)
        trained = state()
        trained.progress.step = 7
        own, ones = trained.parameters, np.ones(LAYOUT.size, np.float32)
        with pytest.raises(KeyError), trained_in_place(trained, cluster(shared_memory)):
            assert trained.parameters is shared_memory.parameters(7)
            assert trained.parameters.tolist() == list(range(LAYOUT.size))
            trained.apply(ones, 1.0)
            assert trained.parameters is shared_memory.parameters(8)
            assert shared_memory.parameters(7).tolist() == list(range(LAYOUT.size)), "a late worker reads them"
            trained.apply(ones, 1.0)
            assert trained.parameters is shared_memory.parameters(9)
            raise KeyError
        assert trained.parameters is own
        found = shared_memory.parameters(9).tolist()
        for version in (8, 9):
            shared_memory.parameters(version)[:] = 0
        assert own.tolist() == found
        assert found != list(range(LAYOUT.size))


@pytest.mark.parametrize("nowhere", [None, cluster(None)])
def test_without_shared_memory_they_stay_where_they_are(nowhere: Cluster | None) -> None:
    trained = state()
    own = trained.parameters
    with trained_in_place(trained, nowhere):
        assert trained.parameters is own


def test_a_launcher_hears_of_workers_that_join_and_the_run_of_places_that_end(tmp_path: Path) -> None:
    class Nowhere:
        noun, remark = "jobs", ""

        def start(self, join: Join) -> None:
            pass

        def look(self) -> list[Place]:
            return []

        def close(self) -> None:
            pass

    class Placed(PlacedWorkers):
        heard = 0

        def joined(self) -> None:
            self.heard += 1

    placed, taken = Placed(Nowhere(), Join("tcp://10.0.0.1:5000", b"", tmp_path), print), list[Notice]()
    take = noting(placed, taken.append)
    for kind in NoticeKind:
        take(Notice(kind, None, "x"))
    assert placed.heard == 1
    assert [notice.kind for notice in taken] == list(NoticeKind)
    placed.note("job 7 ended")
    assert taken[-1] == Notice(NoticeKind.ENDED, None, "job 7 ended")
    placed.close()
