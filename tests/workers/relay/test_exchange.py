"""Relays that exchange parts of vectors, all as they are, on a network in memory; the sums are always exact."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.coordinator.exchange import deadline
from engine.coordinator.exchange.roster import OUT
from engine.wire import exchange
from engine.wire import messages as m
from tests.support.faults import WorkerFault
from tests.support.relays import TURNS, ToyRelay, Tree
from tests.support.tools import LONGER
from tests.workers.relay.test_in_memory import FAULTS
from workers.relay.links import Met

MACHINES = 5  # of which each has a share of a batch of six micro-batches
SMALL = 3  # every third step is too small for that


def grown(machines: int = MACHINES, processes: int = 1, audit: float = 0.0, workers: int = 0) -> Tree:
    tree = Tree(audit=audit)
    for number in range(1, machines + 1):
        tree.relay(f"relay {number}", *[()] * processes, topology="exchange")
        tree.coordinator.gather(number * processes)
    for _ in range(workers):
        tree.worker()
    tree.coordinator.gather(machines * processes + workers)
    return tree


def sent(tree: Tree, step: int) -> Counter[type[m.Message]]:
    """Take a step, and return what the coordinator sent."""
    before = len(tree.endpoint.sent)
    tree.check(step)
    return Counter(type(message) for _, message in tree.endpoint.sent[before:])


def again(tree: Tree) -> list[str]:
    """Return why steps were taken again."""
    return [notice.text for notice in tree.notices if notice.kind == "again"]


def check_until_all(tree: Tree, first: int) -> None:
    """Take steps for as long as one is left out, and one more in which all are members; some steps are small."""
    for step in range(first, first + OUT + SMALL):
        members = sent(tree, step)[exchange.Add]
        if members == MACHINES:
            assert step >= first + OUT - SMALL
            return
        assert members in (0, MACHINES - 1)
    raise AssertionError("one is still left out")


def test_each_is_sent_a_part_and_sends_a_part_up() -> None:
    tree = grown()
    assert sent(tree, 1) == {exchange.Roster: MACHINES, m.Work: MACHINES, exchange.Add: MACHINES}
    for relay in tree.endpoint.relays:
        relay.links.told.clear()
        relay.uplink.said.clear()
    assert sent(tree, 2) == {m.Work: MACHINES, exchange.Add: MACHINES}, "who the members are is told when that changes"
    for relay in tree.endpoint.relays:
        results = [message for message in relay.uplink.said if isinstance(message, m.Result)]
        told = Counter(type(message) for _, message in relay.links.told)
        assert told == {exchange.Part: MACHINES - 1, exchange.Piece: (MACHINES - 1) * len(results)}
    assert sum(report.images for report in tree.coordinator.workers()) == tree.images
    assert not again(tree)


def test_after_a_validation_they_have_the_parameters() -> None:
    tree = grown()
    for step in range(1, 6):
        tree.check_validation(step - 1)
        tree.check(step)
    assert not again(tree)
    assert any(isinstance(message, exchange.Add) for _, message in tree.endpoint.sent)


@pytest.mark.parametrize("machines", [1, 2, 3])
def test_a_few_are_a_star(machines: int) -> None:
    tree = grown(machines)
    assert sent(tree, 1).keys() == {m.Work}


def test_a_round_with_an_audit_is_a_star() -> None:
    tree = grown(audit=1.0)
    assert exchange.Add not in sent(tree, 1)


def test_workers_besides() -> None:
    """What they compute is added to the nodes that the members have added up."""
    tree = grown(4, workers=2)
    assert exchange.Add in sent(tree, 1)
    for step in range(2, 6):
        tree.check(step)


def test_with_one_that_cannot_be_reached_the_others_go_on() -> None:
    tree = grown(2)
    lonely = tree.relay("lonely", (), topology="exchange")
    lonely.links.unreachable = True
    tree.coordinator.gather(3)
    for number in range(3):
        tree.relay(f"later {number}", (), topology="exchange")
        tree.coordinator.gather(4 + number)
    assert sent(tree, 1)[exchange.Add] == 5
    assert not again(tree)


@pytest.mark.parametrize("victim", [0, 2, MACHINES - 1])
def test_without_one_that_is_killed_they_go_on(victim: int) -> None:
    tree = grown()
    tree.check(1)
    pending = tree.coordinator.start(2, tree.parameters(2), tree.out)
    tree.endpoint.relays[victim].kill()
    tree.finish(2, pending)
    (text,) = again(tree)
    assert text.startswith("step 2 is done again with whole vectors: ")
    assert any(words in text for words in ("has left", "cannot reach", "had nothing in time")), text
    assert sent(tree, 4)[exchange.Add] == MACHINES - 1
    assert sum(tree.reported().values()) == tree.images


def test_who_comes_back_is_a_member_again() -> None:
    tree = grown()
    tree.check(1)
    relay = tree.endpoint.relays[1]
    relay.uplink.hang_up()
    tree.check(2)
    relay.uplink.mend()
    tree.coordinator.gather(MACHINES)
    assert sent(tree, 4)[exchange.Add] == MACHINES


def test_a_connection_between_two_is_lost_and_comes_back() -> None:
    tree = grown()
    tree.check(1)
    one, other = tree.endpoint.relays[1:3]
    one.links.cut(other.links.number)
    pending = tree.coordinator.start(2, tree.parameters(2), tree.out)
    tree.finish(2, pending)
    assert len(again(tree)) == 1
    assert "cannot reach" in again(tree)[0]
    assert sent(tree, 4)[exchange.Add] == MACHINES - 1, "one of the two stays out"
    other.links.connect(one.links.number, one.links)
    tree.coordinator.wait()
    check_until_all(tree, 5)
    assert len(again(tree)) == 1


def test_one_that_does_not_hear_the_others_is_out_for_some_rounds() -> None:
    tree = grown()
    tree.check(1)
    deaf = tree.endpoint.relays[2].links
    for relay in tree.endpoint.relays:
        relay.links.faulty = lambda number, message: number == deaf.number and isinstance(message, exchange.Piece)
    before = tree.clock.time
    tree.check(2)
    assert "had nothing in time" in again(tree)[0]
    assert deadline.OF_MEMBER <= tree.clock.time - before < deadline.OF_COORDINATOR
    tree.coordinator.wait()
    for relay in tree.endpoint.relays:
        relay.links.faulty = lambda number, message: False
    check_until_all(tree, 3)
    assert len(again(tree)) == 1


def test_two_that_were_late_once_are_not_apart_for_ever() -> None:
    """Nothing is left to come from the other: its parts of the parameters are lost, but the connection is not."""
    tree = grown()
    tree.check(1)
    one, other = (tree.endpoint.relays[i].links for i in (1, 2))
    one.faulty = lambda number, message: number == other.number
    other.faulty = lambda number, message: number == one.number
    tree.check(2)
    assert "had nothing in time" in again(tree)[0]
    tree.coordinator.wait()
    one.faulty = other.faulty = lambda number, message: False
    check_until_all(tree, 3)


def test_two_that_wait_for_each_other_while_others_finish_are_free_when_one_has_lost_the_other() -> None:
    tree = grown()
    one, other = tree.endpoint.relays[1:3]
    one.links.faulty = lambda number, message: number == other.links.number
    other.links.faulty = lambda number, message: number == one.links.number
    assert sent(tree, 1)[m.Work] > MACHINES, "others have their shares, too"
    other.links.say(Met(one.links.number, False))
    tree.coordinator.wait()
    assert sent(tree, 2)[m.Work] == MACHINES
    assert not again(tree)


def accuse(relay: ToyRelay, number: int) -> None:
    relay.uplink.send(m.encode(exchange.Fault("this session", number)))


def test_one_that_accuses_itself_has_to_leave() -> None:
    tree = grown()
    accuse(tree.endpoint.relays[2], 3)
    tree.check(1)
    assert "FAULT about the relay that sent it" in " ".join(notice.text for notice in tree.notices)


def test_one_that_accuses_nobody_that_is_there() -> None:
    tree = grown()
    accuse(tree.endpoint.relays[2], 99)
    assert sent(tree, 1)[exchange.Add] == MACHINES


def test_one_that_accuses_others_is_out_itself() -> None:
    tree = grown()
    accuser = tree.endpoint.relays[0]
    assert accuser.links.number == 1
    for step in range(1, 20):
        pending = tree.coordinator.start(step, tree.parameters(step), tree.out)
        for number in range(2, MACHINES + 1):
            accuse(accuser, number)
        tree.finish(step, pending)
    assert len(again(tree)) == 1
    assert sent(tree, 22)[exchange.Add] == MACHINES - 1


def test_one_that_is_frozen_is_out() -> None:
    """The others tell that they do not hear its part of the parameters."""
    tree = grown()
    tree.check(1)
    frozen = tree.endpoint.relays[2]
    tree.endpoint.relays.remove(frozen)
    before = tree.clock.time
    tree.check(2)
    assert "had nothing in time" in again(tree)[0]
    assert tree.clock.time - before < deadline.OF_COORDINATOR + 20.0
    tree.check(4)
    assert again(tree)[1:] == []
    tree.endpoint.relays.append(frozen)
    check_until_all(tree, 5)


def test_one_that_sends_no_sums_is_out() -> None:
    tree = grown()
    tree.check(1)
    pending = tree.coordinator.start(2, tree.parameters(2), tree.out)
    while not any(isinstance(message, exchange.Add) for _, message in tree.endpoint.sent[-MACHINES:]):
        tree.endpoint.turns = 1
        tree.coordinator.wait()
    frozen = tree.endpoint.relays.pop(2)
    tree.endpoint.turns = TURNS
    before = tree.clock.time
    tree.finish(2, pending)
    assert "sent no sums in time" in again(tree)[0]
    assert deadline.OF_COORDINATOR <= tree.clock.time - before < deadline.OF_COORDINATOR + 2.0
    tree.endpoint.relays.append(frozen)
    assert sent(tree, 4)[exchange.Add] == MACHINES - 1


@given(
    scripts=st.lists(st.lists(st.sampled_from(FAULTS), max_size=3), min_size=4, max_size=6),
    blows=st.lists(
        st.sampled_from(["nothing", "cut", "mend", "kill", "new", "alone", "crowd", "unlink", "lose", "heal"]),
        max_size=10,
    ),
    workers=st.integers(0, 1),
    audit=st.sampled_from([0.0, 0.1]),
    data=st.data(),
)
@settings(max_examples=10 * LONGER, deadline=None)
def test_the_sums_are_exact_whatever_happens(
    scripts: list[list[WorkerFault]], blows: list[str], workers: int, audit: float, data: st.DataObject
) -> None:
    tree = Tree(audit=audit)
    for number, script in enumerate(scripts):
        tree.relay(f"relay {number}", script, topology="exchange")
    for _ in range(workers):
        tree.worker()
    tree.coordinator.gather(len(scripts) + workers)
    for step, blow in enumerate(["nothing", *blows], 1):
        relay = data.draw(st.sampled_from(tree.endpoint.relays))
        pending = tree.coordinator.start(step, tree.parameters(step), tree.out)
        for _ in range(data.draw(st.integers(0, 3))):
            tree.coordinator.wait()
        strike(tree, relay, blow, data)
        tree.finish(step, pending)
        if step % 3 == 0:
            tree.check_validation(step)
    assert sum(tree.reported().values()) == tree.images


def strike(tree: Tree, relay: ToyRelay, blow: str, data: st.DataObject) -> None:
    """Do one thing to a relay."""
    match blow:
        case "cut":
            relay.uplink.hang_up()
        case "mend" if relay.uplink.cut and relay.ended is None:
            relay.uplink.mend()
        case "kill" if sum(one.ended is None and not one.uplink.cut for one in tree.endpoint.relays) > 1:
            relay.kill()
        case "new":
            tree.relay(f"relay {len(tree.endpoint.relays)}", (), (), topology="exchange")
        case "alone":
            relay.group.replaced = False
        case "crowd":
            relay.group.replaced = True
        case "unlink" if relay.links.to:
            relay.links.cut(data.draw(st.sampled_from(sorted(relay.links.to))))
        case "lose":
            relay.links.faulty = lambda number, message: number % 2 == 0
        case "heal":
            relay.links.faulty = lambda number, message: False
