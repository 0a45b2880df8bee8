"""A tree of relays, all as they are, on a network in memory: the sums are exact whatever happens."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.wire import messages as m
from engine.wire import relays
from tests.support.faults import WorkerFault
from tests.support.relays import ToyRelay, Tree
from tests.support.tools import LONGER
from tests.workers.relay.test_in_memory import FAULTS


def grown(machines: int, processes: int = 1, audit: float = 0.0) -> Tree:
    tree = Tree(audit=audit)
    for number in range(1, machines + 1):
        tree.relay(f"relay {number}", *[()] * processes, topology="tree")
        tree.coordinator.gather(number * processes)
    return tree


def those_that_joined(relays_: Sequence[ToyRelay]) -> list[int]:
    return [number for number, relay in enumerate(relays_, 1) if relay.uplink.joined and relay.ended is None]


def test_relays_join_each_other_as_in_a_binomial_tree() -> None:
    tree = grown(9, processes=2)
    assert those_that_joined(tree.endpoint.relays) == [3, 5, 6, 7, 9]
    for step in range(1, 5):
        tree.check(step)
        tree.check_validation(step)
    assert tree.scheduler.processes() == 18
    assert len(tree.scheduler) == 4
    reports = tree.coordinator.workers()
    assert len(reports) == 9 * 3
    assert sum(report.images for report in reports) == tree.images
    relays_ = {report.via for report in reports} - {""}
    assert len(relays_) == 9
    assert all(report.images == 0 for report in reports if report.name in relays_)
    assert len({report.name for report in reports}) == len(reports)
    assert {notice.kind for notice in tree.notices} == {"joined"}, "those that changed places never left"


def test_parameters_go_to_a_machine_once_and_sums_come_back_from_those_above() -> None:
    tree = grown(8)
    tree.check(1)
    tree.check(2)
    for relay in tree.endpoint.relays:
        relay.uplink.said.clear()
    sent = len(tree.endpoint.sent)
    tree.check(3)
    work = [peer for peer, message in tree.endpoint.sent[sent:] if isinstance(message, m.Work)]
    assert len(work) == len(set(work)) <= 4
    for relay in tree.endpoint.relays:
        kinds = [type(message) for message in relay.uplink.said]
        assert kinds == [m.Arrived] * bool(kinds) + [relays.Credit, m.Result] * (len(kinds) // 2)


@pytest.mark.parametrize("audit", [0.0, 0.5])
def test_those_behind_one_that_is_killed_come_back(audit: float) -> None:
    tree = grown(9, audit=audit)
    inner = tree.endpoint.relays[3]
    tree.check(1)
    inner.kill()
    tree.check(2)
    tree.coordinator.gather(8)
    assert those_that_joined(tree.endpoint.relays) == [3, 7, 9], "5 has the seat of 4 now, and 6 had one below it"
    for step in range(3, 6):
        tree.check(step)
    last = tree.endpoint.relays[6]
    last.kill()
    tree.check(6)
    tree.coordinator.gather(7)
    tree.check(7)
    assert sum(tree.reported().values()) == tree.images


def test_what_the_one_above_had_said_is_forgotten_when_it_is_gone() -> None:
    """Its WELCOME is taken from the queue in the turn in which it is seen to be gone, and is not the coordinator's."""
    tree = grown(2)
    third = ToyRelay(tree.endpoint, "relay 3", (), topology="tree")
    while not third.uplink.joined:
        third.turn()
        tree.coordinator.wait()
    third.turn()
    tree.coordinator.wait()
    tree.endpoint.relays[1].kill()
    tree.endpoint.relays.append(third)
    tree.check(1)
    assert third.ended is None
    assert not third.uplink.joined


@pytest.mark.parametrize("turns", range(8))
def test_it_greets_once_when_it_has_a_process_again_and_the_one_above_is_gone(turns: int) -> None:
    tree = grown(3)
    _, second, third = tree.endpoint.relays
    tree.endpoint.relays.remove(third)
    third.group.replaced = False
    third.group.endpoint.hang_up(next(iter(third.group.endpoint.workers)))
    while not isinstance(third.uplink.said[-1], m.Goodbye):
        tree.clock.time += 0.25
        third.turn()
    third.group.replaced = True
    for _ in range(turns):
        tree.clock.time += 0.25
        third.turn()
    second.kill()
    tree.endpoint.relays.append(third)
    tree.check(1)
    tree.coordinator.gather(2)
    assert third.ended is None


def test_one_that_cannot_be_reached_is_left_alone() -> None:
    tree = grown(2)
    del tree.endpoint.open["tcp://10.0.0.2:5000"]
    tree.relay("lonely", (), topology="tree")
    tree.coordinator.gather(3)
    assert those_that_joined(tree.endpoint.relays) == []
    tree.check(1)
    assert len(tree.scheduler) == 3
    tree.relay("off", ())
    tree.coordinator.gather(4)
    assert len(tree.scheduler) == 4, "one that is not to be in a tree is in none"


def test_it_is_over_for_all_when_it_is_over() -> None:
    first = grown(7)
    first.check(1)
    first.coordinator.close()
    second = Tree(job=first.job, session="another session")
    first.endpoint.poll(0.0)
    second.endpoint.open = first.endpoint.open
    for relay in first.endpoint.relays:
        assert not relay.uplink.joined
        second.endpoint.relays.append(relay)
        relay.uplink.move(second.endpoint)
    second.coordinator.gather(7)
    for step in range(1, 4):
        second.check(step)


@given(
    scripts=st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), min_size=5, max_size=9),
    blows=st.lists(st.sampled_from(["nothing", "cut", "mend", "kill", "new", "alone", "crowd"]), max_size=10),
    audit=st.sampled_from([0.0, 0.5]),
    data=st.data(),
)
@settings(max_examples=8 * LONGER, deadline=None)
def test_the_sums_are_exact_whatever_happens(
    scripts: list[list[WorkerFault]], blows: list[str], audit: float, data: st.DataObject
) -> None:
    tree = Tree(audit=audit)
    for number, script in enumerate(scripts):
        tree.relay(f"relay {number}", script, topology="tree")
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
                tree.relay(f"relay {len(tree.endpoint.relays)}", (), (), topology="tree")
            case "alone":
                relay.group.replaced = False
            case "crowd":
                relay.group.replaced = True
        tree.check(step)
        if step % 2:
            tree.check_validation(step)
    assert sum(tree.reported().values()) == tree.images
