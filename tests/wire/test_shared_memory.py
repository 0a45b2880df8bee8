"""Shared memory of coordinator and workers: the same sums, and no slot is overwritten before it is added."""

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.coordinator.membership import Members
from engine.errors import ProtocolError
from engine.wire import messages as m
from engine.wire.shared_memory import SLOTS, TOKEN, Mailbox, mailbox_for, read_token
from tests.coordinator.test_coordinator import Box
from tests.support.fakes import JOB, MODEL, NUMERICS, ToyWorker
from tests.support.faults import HARMLESS, Fault
from workers.shared_memory import Mail

SIZE = MODEL.layout().size
WORKERS = 3


def descriptors() -> int:
    gc.collect()  # what other tests have left
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mailbox_for(WORKERS, wanted=True) as mailbox:
        assert mailbox is not None
        mailbox.open(SIZE)
        yield mailbox


def test_what_one_side_writes_the_other_reads(mailbox: Mailbox) -> None:
    mails = [Mail.parse(f"{mailbox.descriptor}:{number}:{WORKERS}") for number in range(WORKERS)]
    values = iter(range(100))
    mailbox.parameters()[:] = next(values)
    for number, mail in enumerate(mails):
        mail.open(SIZE)
        assert mailbox.owner(mail.token) == number
        assert (mail.parameters() == 0).all()
        for slot in range(1, SLOTS + 1):
            mail.gradient(slot)[:] = next(values)
    assert (mailbox.parameters() == 0).all()
    written = [mailbox.gradient(number, slot) for number in range(WORKERS) for slot in range(SLOTS)]
    assert [vector.tolist() for vector in written] == [[value] * SIZE for value in range(1, 1 + SLOTS * WORKERS)]
    assert mailbox.read_only(1, 2).readonly
    assert bytes(mailbox.read_only(1, 2)) == mailbox.gradient(1, 2).tobytes()


def test_vectors_are_aligned(mailbox: Mailbox) -> None:
    vectors = [mailbox.parameters(), *(mailbox.gradient(w, s) for w in range(WORKERS) for s in range(SLOTS))]
    assert {vector.ctypes.data % 64 for vector in vectors} == {0}
    assert not any(np.shares_memory(a, b) for i, a in enumerate(vectors) for b in vectors[:i])


def test_tokens_are_secret_and_different(mailbox: Mailbox) -> None:
    tokens = {read_token(mailbox.descriptor, number) for number in range(WORKERS)}
    assert {len(token) for token in tokens} == {2 * TOKEN}
    assert len(tokens) == WORKERS
    assert [mailbox.owner(wrong) for wrong in ("", "00" * TOKEN, "no hex")] == [None] * 3


def test_nothing_stays_open() -> None:
    before = descriptors()
    with mailbox_for(WORKERS, wanted=True) as mailbox:
        assert mailbox is not None
        mailbox.open(SIZE)
        mailbox.parameters()[:] = 1
        assert descriptors() > before
    del mailbox
    assert descriptors() == before
    with mailbox_for(WORKERS, wanted=False) as nothing:
        assert nothing is None


def test_further_blocks_go_by_socket(mailbox: Mailbox) -> None:
    mail = Mail(mailbox.descriptor, 0, WORKERS)
    assert [mail.slot(wanted) for wanted in (1, SLOTS, SLOTS + 1, 99)] == [1, SLOTS, 0, 0]


def test_only_slots_of_its_own_are_read(mailbox: Mailbox) -> None:
    members = Members(JOB, b"", "s", NUMERICS, lambda notice: None, mailbox)
    members.greet(b"local", m.Hello("box", 1, NUMERICS, read_token(mailbox.descriptor, 2)))
    members.greet(b"remote", m.Hello("far", 1, NUMERICS))
    mailbox.gradient(2, 0)[:] = 7
    assert bytes(members.mail(b"local", 1)) == mailbox.gradient(2, 0).tobytes()
    for peer, slot in ((b"local", SLOTS + 1), (b"local", 0), (b"remote", 1)):
        with pytest.raises(ProtocolError, match=f"slot {slot} of a mailbox that the worker does not have"):
            members.mail(peer, slot)


class MailBox(Box):
    """A coordinator with a mailbox; `place` starts a worker with a number in it."""

    def __init__(self, mailbox: Mailbox, audit: float = 0.0) -> None:
        super().__init__(mailbox=mailbox, audit=audit)
        self.mailbox = mailbox

    def place(self, number: int, faults: list[Fault]) -> ToyWorker:
        worker = ToyWorker(self.endpoint, faults, mail=(self.mailbox, number))
        self.workers.append(worker)
        return worker


def test_parameters_and_gradients_do_not_travel(mailbox: Mailbox) -> None:
    box = MailBox(mailbox)
    for number in range(2):
        box.place(number, [])
    box.gather()
    for step in range(1, 5):
        box.check(step)
        box.check_validation(step)
    assert not any(any(worker.given) for worker in box.workers)
    assert not box.notices


def test_local_and_remote_workers_together(mailbox: Mailbox) -> None:
    box = MailBox(mailbox)
    box.place(1, [])
    box.workers.append(ToyWorker(box.endpoint))
    box.gather()
    for step in range(1, 5):
        box.check(step)
    assert not any(box.workers[0].given)
    assert any(box.workers[1].given)


def test_the_one_who_replaces_a_worker_does_not_overwrite_what_that_one_answered(mailbox: Mailbox) -> None:
    """The first answers block (0, 2), which cannot be added yet, and dies; the next has its slots, and gets (2, 3)."""
    box = MailBox(mailbox)
    first = box.place(0, [Fault.DIES_HALFWAY])
    box.place(1, [Fault.LATE])
    box.gather()

    def replace() -> None:
        if first.peer not in box.endpoint.workers and len(box.workers) == 2:
            box.place(0, [])

    box.watch.replace = replace
    box.check(1)
    assert len(box.workers) == 3


FAULTS = st.sampled_from([f for f in Fault if f is not Fault.FAILED])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scripts=st.lists(st.lists(FAULTS, max_size=5), min_size=2, max_size=6),
    steps=st.integers(1, 5),
    audit=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_any_mixture_of_faults(mailbox: Mailbox, scripts: list[list[Fault]], steps: int, audit: float) -> None:
    box = MailBox(mailbox, audit)
    noticeable = Fault if audit == 1.0 else HARMLESS
    waiting = [[fault for fault in script if fault in noticeable] for script in scripts]
    places: list[ToyWorker | None] = [None, None]

    def replace() -> None:
        for number, worker in enumerate(places):
            if waiting and (worker is None or worker.peer not in box.endpoint.workers):
                places[number] = box.place(number, waiting.pop())

    replace()
    box.watch.replace = replace
    ToyWorker(box.endpoint)
    box.coordinator.gather(3)
    for step in range(1, steps + 1):
        box.check(step)
        if step % 2:
            box.check_validation(step)


def test_a_slot_the_worker_does_not_have_gets_it_refused(mailbox: Mailbox) -> None:
    box = MailBox(mailbox)
    liar = box.place(0, [Fault.SILENT])
    box.place(1, [])
    box.gather()
    result = m.Result("this session", 1, 1, 0, 2, 0.0, 0, 0.0, 0.0, slot=SLOTS + 1)
    box.endpoint.arrive(liar.peer, m.encode(result), 1.0)
    box.check(1)
    assert "slot 5 of a mailbox" in liar.refused
