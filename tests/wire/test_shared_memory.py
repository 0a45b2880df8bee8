"""Shared memory of coordinator and workers: the same sums, and no slot is overwritten before it is added."""

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire.shared_memory import PLACES, SLOTS, TOKEN, SharedMemory, read_token, shared_memory_for
from tests.coordinator.test_coordinator import Box
from tests.coordinator.test_peers import Gate
from tests.support.fakes import MODEL, NUMERICS, ToyWorker
from tests.support.faults import HARMLESS, WorkerFault
from workers.shared_memory import WorkerMemory

SIZE = MODEL.layout().size
WORKERS = 3


def descriptors() -> int:
    gc.collect()  # what other tests have left
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def shared_memory() -> Iterator[SharedMemory]:
    with shared_memory_for(WORKERS, wanted=True) as shared_memory:
        assert shared_memory is not None
        shared_memory.open(SIZE)
        yield shared_memory


def test_what_one_side_writes_the_other_reads(shared_memory: SharedMemory) -> None:
    memories = [WorkerMemory.parse(f"{shared_memory.descriptor}:{number}:{WORKERS}") for number in range(WORKERS)]
    values = iter(range(100))
    shared_memory.parameters(0)[:] = next(values)
    for number, memory in enumerate(memories):
        memory.open(SIZE)
        assert shared_memory.owner(memory.token) == number
        assert (memory.parameters(0) == 0).all()
        for slot in range(1, SLOTS + 1):
            memory.gradient(slot)[:] = next(values)
    assert (shared_memory.parameters(0) == 0).all()
    written = [shared_memory.gradient(number, slot) for number in range(WORKERS) for slot in range(SLOTS)]
    assert [vector.tolist() for vector in written] == [[value] * SIZE for value in range(1, 1 + SLOTS * WORKERS)]
    assert shared_memory.read_only(1, 2).readonly
    assert bytes(shared_memory.read_only(1, 2)) == shared_memory.gradient(1, 2).tobytes()


def test_a_worker_reads_vectors_of_any_worker_and_nothing_else(shared_memory: SharedMemory) -> None:
    memory = WorkerMemory(shared_memory.descriptor, 0, WORKERS)
    memory.open(SIZE)
    for worker in range(WORKERS):
        for place in range(PLACES):
            shared_memory.gradient(worker, place)[:] = worker * PLACES + place
            read = memory.gradient_of(worker, place + 1)
            assert read is not None
            assert (read == worker * PLACES + place).all()
    for worker, slot in ((-1, 1), (WORKERS, 1), (0, 0), (0, PLACES + 1)):
        assert memory.gradient_of(worker, slot) is None


def test_vectors_are_aligned(shared_memory: SharedMemory) -> None:
    vectors = [
        shared_memory.parameters(0),
        *(shared_memory.gradient(w, s) for w in range(WORKERS) for s in range(SLOTS)),
    ]
    assert {vector.ctypes.data % 64 for vector in vectors} == {0}
    assert not any(np.shares_memory(a, b) for i, a in enumerate(vectors) for b in vectors[:i])


def test_tokens_are_secret_and_different(shared_memory: SharedMemory) -> None:
    tokens = {read_token(shared_memory.descriptor, number) for number in range(WORKERS)}
    assert {len(token) for token in tokens} == {2 * TOKEN}
    assert len(tokens) == WORKERS
    assert [shared_memory.owner(wrong) for wrong in ("", "00" * TOKEN, "no hex")] == [None] * 3


def test_nothing_stays_open() -> None:
    before = descriptors()
    with shared_memory_for(WORKERS, wanted=True) as shared_memory:
        assert shared_memory is not None
        shared_memory.open(SIZE)
        shared_memory.parameters(0)[:] = 1
        assert descriptors() > before
    del shared_memory
    assert descriptors() == before
    with shared_memory_for(WORKERS, wanted=False) as nothing:
        assert nothing is None


def test_only_slots_of_its_own_are_read(shared_memory: SharedMemory) -> None:
    peers = Gate(shared_memory=shared_memory).peers
    peers.greet(b"local", m.Hello("box", 1, NUMERICS, read_token(shared_memory.descriptor, 2)))
    peers.greet(b"remote", m.Hello("box", 1, NUMERICS))
    shared_memory.gradient(2, 0)[:] = 7
    result = m.Result("s", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0)
    read = peers.gradient(b"local", replace(result, slot=1), None)
    assert read is not None
    assert bytes(read) == shared_memory.gradient(2, 0).tobytes()
    assert peers.gradient(b"local", result, b"by socket") == b"by socket"
    for peer, slot in ((b"local", SLOTS + 1), (b"remote", 1), (b"stranger", 1)):
        with pytest.raises(ProtocolError, match=f"slot {slot} of shared memory does not belong to the worker"):
            peers.gradient(peer, replace(result, slot=slot), None)


class SharedMemoryBox(Box):
    """A coordinator with shared memory; `place` starts a worker with a number in it."""

    def __init__(self, shared_memory: SharedMemory, audit: float = 0.0) -> None:
        super().__init__(shared_memory=shared_memory, audit=audit)
        self.shared_memory = shared_memory

    def place(self, number: int, faults: list[WorkerFault]) -> ToyWorker:
        worker = ToyWorker(self.endpoint, faults, memory=(self.shared_memory, number))
        self.workers.append(worker)
        return worker


def test_parameters_and_gradients_do_not_travel(shared_memory: SharedMemory) -> None:
    box = SharedMemoryBox(shared_memory)
    for number in range(2):
        box.place(number, [])
    box.gather()
    for step in range(1, 5):
        box.check(step)
        box.check_validation(step)
    assert not any(any(worker.given) for worker in box.workers)
    assert not box.notices


def test_local_and_remote_workers_together(shared_memory: SharedMemory) -> None:
    box = SharedMemoryBox(shared_memory)
    box.place(1, [])
    box.workers.append(ToyWorker(box.endpoint))
    box.gather()
    for step in range(1, 5):
        box.check(step)
    assert not any(box.workers[0].given)
    assert any(box.workers[1].given)


def test_the_one_who_replaces_a_worker_does_not_overwrite_what_that_one_answered(shared_memory: SharedMemory) -> None:
    """The first answers block (0, 2), which cannot be added yet, and dies; the next has its slots, and gets (2, 3)."""
    box = SharedMemoryBox(shared_memory)
    first = box.place(0, [WorkerFault.DIES_HALFWAY])
    box.place(1, [WorkerFault.LATE])
    box.gather()

    def replace() -> None:
        if first.peer not in box.endpoint.workers and len(box.workers) == 2:
            box.place(0, [])

    box.supervisor.replace = replace
    box.check(1)
    assert len(box.workers) == 3


FAULTS = st.sampled_from([f for f in WorkerFault if f is not WorkerFault.FAILED])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scripts=st.lists(st.lists(FAULTS, max_size=5), min_size=2, max_size=6),
    steps=st.integers(1, 5),
    audit=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_any_mixture_of_faults(
    shared_memory: SharedMemory, scripts: list[list[WorkerFault]], steps: int, audit: float
) -> None:
    box = SharedMemoryBox(shared_memory, audit)
    noticeable = WorkerFault if audit == 1.0 else HARMLESS
    waiting = [[fault for fault in script if fault in noticeable] for script in scripts]
    places: list[ToyWorker | None] = [None, None]

    def replace() -> None:
        for number, worker in enumerate(places):
            if waiting and (worker is None or worker.peer not in box.endpoint.workers):
                places[number] = box.place(number, waiting.pop())

    replace()
    box.supervisor.replace = replace
    ToyWorker(box.endpoint)
    box.coordinator.gather(3)
    for step in range(1, steps + 1):
        box.check(step)
        if step % 2:
            box.check_validation(step)


def test_a_slot_the_worker_does_not_have_gets_it_refused(shared_memory: SharedMemory) -> None:
    box = SharedMemoryBox(shared_memory)
    liar = box.place(0, [WorkerFault.SILENT])
    box.place(1, [])
    box.gather()
    result = m.Result("this session", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0, slot=SLOTS + 1)
    box.endpoint.arrive(liar.peer, m.encode(result), 1.0)
    box.check(1)
    assert "slot 5 of shared memory" in liar.refused


@pytest.mark.parametrize("audit", [0.0, 1.0])
def test_workers_may_add_unless_their_answers_are_compared(shared_memory: SharedMemory, audit: float) -> None:
    box = SharedMemoryBox(shared_memory, audit)
    for number in range(WORKERS):
        box.place(number, [])
    box.gather()
    box.check(1)
    places = {work.sums for _, work in box.endpoint.sent if isinstance(work, m.Work)}
    assert places == ({m.NO_SLOT} if audit else {SLOTS + 1})
