"""Where a worker puts its gradients: slots of shared memory, and what is too much for them into messages."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.job import Job
from engine.compute.tree import Block, cover
from engine.data import Dataset, Split
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


def computation(memory: WorkerMemory | None, augment: bool = False) -> Computation:
    data = dataset()
    job = Job(MODEL, "", data.train.normalisation(), batch_size=64, microbatch=4, seed=1, augment=augment)
    return Computation(job, data, memory, FakeClock())


def dataset() -> Dataset:
    """Return pictures for two epochs: 20 micro-batches, of which the last step of an epoch has 4."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (92, 2, 2, 1), np.uint8), rng.integers(0, 2, 92, np.int32)
    return Dataset("random", ("a", "b"), Split(images[:80], labels[:80]), Split(images[80:], labels[80:]))


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


def training(computation: Computation, step: int, share: Block) -> list[bytes]:
    """Return the gradients of a share of a step, in which there are 16 micro-batches, or 4 at the end of an epoch."""
    work = m.Work("s", step, 1, m.WorkKind.TRAIN, step, *share, total=16 if step % 2 else 4, version=0)
    found = []
    for answer in computation.answers(work, PARAMETERS):
        assert answer.sums.gradient is not None
        found.append(answer.sums.gradient.tobytes())
    computation.fetch(work)
    return found


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from([(0, 4), (1, 3), (0, 1)])), max_size=6), st.booleans())
def test_what_was_fetched_for_another_share_changes_nothing(shares: list[tuple[int, Block]], augment: bool) -> None:
    worker = computation(None, augment)
    for step, share in shares:
        assert training(worker, step, share) == training(computation(None, augment), step, share)


def test_samples_are_fetched_while_a_worker_waits() -> None:
    images = np.random.default_rng(0).integers(0, 256, (128, 2, 2, 1), np.uint8)
    split = Split(images, np.zeros(128, np.int32))
    job = Job(MODEL, "", split.normalisation(), batch_size=64, microbatch=4, seed=1, augment=False)
    gradients = []
    for fetched in (True, False):
        worker = Computation(job, Dataset("random", ("a", "b"), split, split), None, FakeClock())
        before = images.copy()
        if fetched:
            training(worker, 1, (0, 1))
            images[:] = 0  # seen by those who look for their samples only now
        work = m.Work("s", 2, 1, m.WorkKind.TRAIN, 2, 0, 1, total=16, version=0)
        gradients += [answer.sums.gradient for answer in worker.answers(work, PARAMETERS)]
        images[:] = before
    with_, without = gradients
    np.testing.assert_array_equal(with_, without)
