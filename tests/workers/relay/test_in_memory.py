"""A coordinator, relays and processes, all as they are, on a network in memory: the sums are exact whatever happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coordinator.notices import MAX_NOTICES
from engine.wire import messages as m
from engine.wire import relays
from tests.support.faults import HARMLESS, WorkerFault
from tests.support.relays import Tree
from tests.support.tools import LONGER


@pytest.mark.parametrize("shape", [(1,), (4,), (2, 2), (3, 1, 2)])
def test_any_number_of_relays_with_any_number_of_processes(shape: tuple[int, ...]) -> None:
    tree = Tree()
    for number, processes in enumerate(shape):
        tree.relay(f"relay {number}", *[()] * processes)
    tree.coordinator.gather(sum(shape))
    for step in range(1, 6):
        tree.check(step)
        tree.check_validation(step)
    assert {notice.kind for notice in tree.notices} == {"joined"}
    reports = tree.coordinator.workers()
    assert len(reports) == sum(shape) + len(shape)
    assert sum(report.images for report in reports) == tree.images
    assert [report.images for report in reports if not report.via] == [0] * len(shape)
    assert {report.via for report in reports} == {"", *(report.name for report in reports if not report.via)}


def test_every_process_is_made_known_however_many_there_were() -> None:
    """More than there are notices of one kind, which only limit what is printed."""
    tree = Tree()
    tree.relay("relay", *[()] * (MAX_NOTICES + 10))
    tree.coordinator.gather(MAX_NOTICES + 10)
    assert len(tree.coordinator.workers()) == MAX_NOTICES + 11


def test_a_share_that_cannot_be_cut_evenly_does_not_make_a_relay_slow() -> None:
    tree = Tree()
    relay = tree.relay("relay", (), (), ())
    tree.coordinator.gather(3)
    for step in range(1, 4):
        before = {report.name: report.seconds for report in tree.coordinator.workers()}
        relay.uplink.said.clear()
        tree.check(step)
        busy = [one.seconds - before[one.name] for one in tree.coordinator.workers() if one.via]
        told = [message.seconds for message in relay.uplink.said if isinstance(message, m.Result)]
        assert sum(told) == pytest.approx(sum(busy) / 3), "as if all had computed for as long"
    assert max(busy) > min(busy)


def test_one_vector_each_way_however_many_processes() -> None:
    tree = Tree()
    relay = tree.relay("relay", *[()] * 3)
    tree.coordinator.gather(3)
    tree.check(1)
    relay.uplink.said.clear()
    sent = len(tree.endpoint.sent)
    tree.check(2)
    assert [type(message) for message in relay.uplink.said] == [m.Arrived, relays.Credit, m.Result]
    assert [type(message) for _, message in tree.endpoint.sent[sent:]] == [m.Work]


FAULTS = [fault for fault in HARMLESS if fault is not WorkerFault.NAN_GRADIENT and fault is not WorkerFault.HUGE]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_below_is_dealt_with_below(fault: WorkerFault) -> None:
    tree = Tree()
    tree.relay("one", [WorkerFault.NONE, fault], ())
    tree.relay("two", (), ())
    tree.coordinator.gather(4)
    joined = {report.name for report in tree.coordinator.workers() if not report.via}
    for step in range(1, 5):
        tree.check(step)
    assert {report.name for report in tree.coordinator.workers() if not report.via} == joined, "nobody above notices"
    assert {notice.kind for notice in tree.notices} <= {"joined", "lost", "lapsed", "repeated", "late"}
    assert all(notice.worker not in joined for notice in tree.notices if notice.kind == "lost")


def test_without_a_process_it_gives_its_share_back_and_returns_when_it_has_some() -> None:
    tree = Tree()
    lonely = tree.relay("lonely", [WorkerFault.NONE, WorkerFault.DIES], replaced=False)
    tree.relay("other", ())
    tree.coordinator.gather(2)
    for step in range(1, 4):
        tree.check(step)
    assert [type(message) for message in lonely.uplink.said].count(m.Goodbye) == 1
    assert tree.scheduler.processes() == 1
    assert [notice.text for notice in tree.notices if notice.kind == "left"][-1] == "none of its processes is left"
    lonely.group.replaced = True
    tree.coordinator.gather(2)
    tree.check(4)
    assert sum(message.opcode == m.Hello.opcode for message in lonely.uplink.said) == 2


def test_a_connection_that_is_lost_for_a_moment() -> None:
    """The processes keep what they have; what was begun before is not answered."""
    tree = Tree()
    relay, other = tree.relay("relay", (), ()), tree.relay("other", ())
    tree.coordinator.gather(3)
    tree.check(1)
    pids = {report.pid for report in tree.coordinator.workers()}
    relay.uplink.hang_up()
    tree.check(2)
    assert tree.scheduler.processes() == 1
    relay.uplink.mend()
    tree.coordinator.gather(3)
    tree.check(3)
    assert {report.pid for report in tree.coordinator.workers()} == pids
    assert not any(notice.kind == "unasked" for notice in tree.notices)
    assert other.ended is None


def test_one_run_after_the_other() -> None:
    first = Tree()
    relay = first.relay("relay", (), ())
    first.coordinator.gather(2)
    first.check(1)
    first.coordinator.close()
    second = Tree(job=first.job, session="another session")
    second.adopt(first)
    second.coordinator.gather(2)
    for step in range(1, 4):
        second.check(step)
    assert relay.ended is None


SCRIPTS = st.lists(st.sampled_from(FAULTS), max_size=3)


@given(
    scripts=st.lists(
        st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), min_size=1, max_size=3), min_size=1, max_size=3
    ),
    blows=st.lists(st.sampled_from(["nothing", "cut", "mend", "kill", "new", "alone", "crowd"]), max_size=8),
    audit=st.sampled_from([0.0, 0.5]),
    data=st.data(),
)
@settings(max_examples=12 * LONGER, deadline=None)
def test_the_sums_are_exact_whatever_happens(
    scripts: list[list[list[WorkerFault]]], blows: list[str], audit: float, data: st.DataObject
) -> None:
    tree = Tree(audit=audit)
    for number, one in enumerate(scripts):
        tree.relay(f"relay {number}", *one)
    tree.worker()
    tree.coordinator.gather(1)
    for step, blow in enumerate(["nothing", *blows], 1):
        relay = data.draw(st.sampled_from(tree.endpoint.relays))
        match blow:
            case "cut":
                relay.uplink.hang_up()
            case "mend" if relay.uplink.cut and relay.ended is None:
                relay.uplink.mend()
            case "kill":
                relay.kill()
            case "new":
                tree.relay(f"relay {len(tree.endpoint.relays)}", (), ())
            case "alone":
                relay.group.replaced = False
            case "crowd":
                relay.group.replaced = True
        tree.check(step)
        if step % 2:
            tree.check_validation(step)
    counted = sum(tree.reported().values())
    assert counted == tree.images
