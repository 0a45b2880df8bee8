"""Where a worker puts its gradients: slots of shared memory, and what is too much for them into messages."""

from collections.abc import Iterator

import numpy as np
import pytest

from engine.compute.job import Job
from engine.compute.tree import cover
from engine.data import Dataset, Normalisation, Split
from engine.wire import messages as m
from engine.wire.shared_memory import SLOTS, SharedMemory, shared_memory_for
from tests.support.fakes import MODEL, FakeClock
from workers.computation import Computation
from workers.shared_memory import WorkerMemory

pytestmark = pytest.mark.usefixtures("numpy_kernels")
START, STOP, TOTAL = 1, 15, 16  # six blocks: 1-2, 2-4, 4-8, 8-12, 12-14, 14-15
BLOCKS = cover(START, STOP, TOTAL)
PARAMETERS = np.linspace(-1, 1, MODEL.layout().size, dtype=np.float32)


@pytest.fixture
def shared() -> Iterator[SharedMemory]:
    with shared_memory_for(2, wanted=True) as shared:
        assert shared is not None
        yield shared


def computation(memory: WorkerMemory | None) -> Computation:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (76, 2, 2, 1), np.uint8), rng.integers(0, 2, 76, np.int32)
    data = Dataset("random", ("a", "b"), Split(images[:64], labels[:64]), Split(images[64:], labels[64:]))
    job = Job(MODEL, "", Normalisation.of(images), batch_size=64, microbatch=4, seed=1, augment=False)
    return Computation(job, data, memory, FakeClock())


def share(slot: int) -> m.Work:
    return m.Work("s", 1, 1, m.WorkKind.TRAIN, step=1, start=START, stop=STOP, total=TOTAL, version=0, slot=slot)


def gradients(memory: WorkerMemory | None, slot: int) -> tuple[list[int | None], list[bytes]]:
    """Return the slots of the blocks of a share, and the gradients, wherever they were put."""
    slots: list[int | None] = []
    found: list[bytes] = []
    for answer in computation(memory).answers(share(slot), PARAMETERS):
        assert answer.block == BLOCKS[len(slots)]
        slots.append(answer.slot)
        vector = memory.gradient(answer.slot) if memory and answer.slot is not None else answer.sums.gradient
        assert vector is not None
        found.append(vector.tobytes())
    return slots, found


def test_further_blocks_go_by_socket(shared: SharedMemory) -> None:
    memory = WorkerMemory(shared.descriptor, 1, 2)
    by_socket, expected = gradients(None, 1)
    assert by_socket == [None] * len(BLOCKS)
    assert len(set(expected)) == len(BLOCKS)
    for first, slots in (
        (1, [1, 2, 3, 4, None, None]),
        (SLOTS, [SLOTS, *[None] * 5]),
        (SLOTS + 1, [None] * 6),
        (0, [None] * 6),  # in a message: no slot
    ):
        assert gradients(memory, first) == (slots, expected)


def test_validation_has_no_gradients(shared: SharedMemory) -> None:
    validate = m.Work("s", 1, 1, m.WorkKind.VALIDATE, step=0, start=0, stop=3, total=3, version=0, slot=1)
    answers = list(computation(WorkerMemory(shared.descriptor, 0, 2)).answers(validate, PARAMETERS))
    assert [answer.block for answer in answers] == cover(0, 3, 3)
    assert [(answer.slot, answer.sums.gradient) for answer in answers] == [(None, None)] * len(answers)
