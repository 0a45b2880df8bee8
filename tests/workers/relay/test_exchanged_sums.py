"""The state machines of members and coordinator alone: parts that come in any order make the bits of one sum."""

from collections import deque
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import tree
from engine.compute.sums import Adder, Sums, bits_of
from engine.coordinator.exchange.roster import RosterEntry
from engine.coordinator.exchange.round import ExchangeRound
from engine.errors import ProtocolError
from engine.wire import exchange, relays
from engine.wire import messages as m
from workers.relay.exchange import MAX_PIECES, Exchange
from workers.relay.links import Met, Present, Said, Tell, Unsent
from workers.session import Send

WORK = m.Work("s", 1, 1, m.WorkKind.TRAIN, 3, 0, 1, 8, 2, roster=1)
SIZE = 10


class Mesh:
    """Members, and messages between them that arrive in any order, some twice."""

    def __init__(self, count: int, size: int, rng: Random) -> None:
        self.members = {number: Exchange() for number in range(1, count + 1)}
        self.size, self.rng = size, rng
        self.under_way: list[tuple[int, Said]] = []
        self.sums: list[tuple[int, m.Message, m.Frame | None]] = []
        for number, member in self.members.items():
            member.size = size
            assert member.seated(relays.Seat("s", number=number)) == [Present(exchange.Link("s", number))]
            member.told(exchange.Roster("s", 1), exchange.pack_members(self.members))

    def do(self, number: int, actions: list[object]) -> None:
        for action in actions:
            match action:
                case Tell(to, message, payload):
                    copies = 1 + (self.rng.random() < 0.2)
                    self.under_way += [(to, Said(number, message, bytes(payload)))] * copies
                case Send(exchange.Sum() as message, payload):
                    self.sums.append((number, message, payload))
                case Send(m.Arrived()):
                    pass
                case _:
                    raise AssertionError(f"{action}")

    def deliver(self, least: int = 0) -> None:
        """Let some messages arrive, or all."""
        while len(self.under_way) > least:
            to, said = self.under_way.pop(self.rng.randrange(len(self.under_way)))
            self.do(to, [*self.members[to].handle(said)])

    def work(self, number: int, work: m.Work, payload: m.Frame | None) -> None:
        self.do(number, [*self.members[number].work(work, payload)])


def entries(count: int) -> list[RosterEntry]:
    return [RosterEntry(number, b"%d" % number, "box", "", "") for number in range(1, count + 1)]


@given(
    total=st.integers(1, 40),
    count=st.integers(1, 8),
    size=st.integers(8, 30),
    cuts=st.sets(st.integers(1, 39)),
    rng=st.randoms(use_true_random=False),
)
def test_sums_are_those_of_one_tree(total: int, count: int, size: int, cuts: set[int], rng: Random) -> None:
    """Blocks are answered by members, by several of them, or by workers besides."""
    numbers = np.random.default_rng(rng.randrange(1 << 30))
    edges = [0, *sorted(cut for cut in cuts if cut < total), total]
    blocks = [block for a, b in pairwise(edges) for block in tree.cover(a, b, total)]
    gradients = {block: numbers.standard_normal(size).astype(np.float32) for block in blocks}
    direct = tree.TreeSum(total, Adder(None))
    for block in blocks:
        direct.put(block, Sums(float(block[0]), 1, gradients[block].copy()))

    mesh, made = Mesh(count, size, rng), ExchangeRound(1, entries(count), total, size, True)
    parameters = numbers.standard_normal(size).astype(np.float32)
    work = replace(WORK, total=total)
    for number in rng.sample(sorted(mesh.members), count):
        mesh.work(number, work, parameters[made.part(b"%d" % number)].tobytes())
        mesh.deliver(rng.randrange(5))
    mesh.deliver()
    for member in mesh.members.values():
        whole = member.take_whole()
        assert whole is not None
        assert whole.payload is not None
        assert bytes(whole.payload) == parameters.tobytes()

    outside = tree.TreeSum(total, Adder(None))
    answers: list[tuple[tree.Block, int]] = []
    for block in blocks:
        who = rng.sample(sorted(mesh.members), rng.randint(0, min(2, count)))
        answers += [(block, number) for number in who]
        sums = Sums(float(block[0]), 1)
        if who:
            made.count(block, b"%d" % who[0], sums)
        else:
            outside.put(block, replace(sums, gradient=gradients[block].copy()))
    rng.shuffle(answers)
    payload = made.ask()
    asked = rng.sample(sorted(mesh.members), count)
    early = deque(asked[: rng.randint(0, count)]) if payload else deque[int]()
    for block, number in answers:
        mesh.do(number, [*mesh.members[number].summed(work, block, gradients[block])])
        mesh.deliver(rng.randrange(5))
        if early:
            mesh.do(early[0], [*mesh.members[early[0]].told(exchange.Add("s", 1), payload)])
            early.popleft()
    for number in asked if payload else ():
        if number not in {one for one, _, _ in mesh.sums}:
            mesh.do(number, [*mesh.members[number].told(exchange.Add("s", 1), payload)])
    mesh.deliver()
    seen = set[int]()
    for number, _, sums_ in mesh.sums:
        assert number not in seen, "sums are sent once"
        seen.add(number)
        made.take(b"%d" % number, sums_)
    assert not made.unsummed
    for node, found in made.sums():
        outside.put(node, found)
    assert bits_of(outside.result()) == bits_of(direct.result())


def member(number: int = 1, count: int = 2) -> Exchange:
    """Return a member that has work."""
    made = Exchange()
    made.size = SIZE
    made.seated(relays.Seat("s", number=number))
    made.told(exchange.Roster("s", 1), exchange.pack_members(range(1, count + 1)))
    made.work(WORK, bytes(4 * SIZE))
    return made


def piece(size: int = 5, sender: int = 2, block: tree.Block = (0, 1), round_: int = 1, session: str = "s") -> Said:
    return Said(sender, exchange.Piece(session, round_, *block), bytes(4 * size))


@pytest.mark.parametrize("bad", [piece(4), piece(6), piece(sender=3), Said(2, exchange.Part("s", 1), b"")])
def test_one_that_sends_nonsense_is_at_fault(bad: Said) -> None:
    assert member().handle(bad) == [Send(exchange.Fault("s", bad.number))]


@pytest.mark.parametrize(
    "other",
    [
        piece(round_=0),
        piece(session="t"),
        piece(block=(1, 3)),
        Said(2, exchange.Part("s", 1), bytes(20)),
        Said(2, m.Ping("s"), None),
        Said(2, exchange.Link("s", 2), None),
    ],
)
def test_what_is_of_no_use_is_dropped(other: Said) -> None:
    made = member()
    assert made.handle(other) == []
    assert made.told(exchange.Add("s", 1), exchange.pack_answers([((0, 1), 2)])) == []


def test_what_others_can_let_it_keep_is_bounded() -> None:
    made = member()
    blocks = [(start, start + 1) for start in range(8)]
    for round_ in range(2, 200):
        for block in blocks:
            made.handle(piece(round_=round_, block=block))
    kept = made._early[2]
    assert sum(len(one.payload or b"") for one in kept) <= 4 * SIZE
    work = replace(WORK, round=3, total=1 << 20)
    made.work(work, None)
    for start in range(10 * MAX_PIECES):
        made.handle(piece(round_=3, block=(start, start + 1)))
    assert made._round is not None
    assert len(made._round.pieces) == MAX_PIECES


def test_only_what_counts_is_added_and_only_in_its_round() -> None:
    made = member()
    assert made.handle(piece()) == []
    made.work(replace(WORK, round=2), None)
    assert made.told(exchange.Add("s", 1), exchange.pack_answers([((0, 1), 2)])) == []
    assert made.told(exchange.Add("s", 2), exchange.pack_answers([((0, 1), 2)])) == []
    assert made.handle(piece(round_=2)) == [Send(exchange.Sum("s", 2), bytes(20))]


def test_a_share_waits_for_the_parameters_that_are_on_their_way() -> None:
    made = member()
    made.take_whole()
    work = replace(WORK, round=2, version=3)
    (arrived, part) = made.work(work, bytes(20))
    assert arrived == Send(m.Arrived("s", 2, 1))
    assert isinstance(part, Tell)
    late = replace(work, attempt=9, roster=0)
    assert made.concerns(late)
    assert made.work(late, None) == []
    assert made.take_whole() is None
    assert made.handle(Said(2, exchange.Part("s", 2), bytes(20))) == []
    whole = made.take_whole()
    assert whole is not None
    assert whole.work == late
    assert not made.concerns(replace(late, version=4))


def test_another_share_takes_the_place_of_one_that_waits() -> None:
    made = member()
    made.take_whole()
    made.work(replace(WORK, round=2, version=3), bytes(20))
    other = replace(WORK, round=4, attempt=9, version=5, roster=0)
    assert made.concerns(other)
    assert made.work(other, bytes(40)) == []
    whole = made.take_whole()
    assert whole is not None
    assert (whole.work, whole.in_parts) == (other, False)
    made.handle(Said(2, exchange.Part("s", 2), bytes(20)))
    assert made.take_whole() is None, "the parts of the first come too late"
    assert not made.concerns(replace(other, attempt=10))


def test_what_the_coordinator_may_not_say() -> None:
    made = member()
    with pytest.raises(ProtocolError, match="roster 2"):
        made.work(replace(WORK, roster=2), None)
    with pytest.raises(ProtocolError, match="neither all nor a part"):
        made.work(WORK, bytes(8))
    for payload in (None, b"123"):
        with pytest.raises(ProtocolError, match="list of numbers"):
            made.told(exchange.Roster("s", 2), payload)


def test_it_tells_whom_it_reaches() -> None:
    assert member().handle(Met(2, True)) == [Send(exchange.Met("s", 2, 1))]
    assert Exchange().handle(Met(2, False)) == []


def test_it_tells_whom_it_could_not_send_to() -> None:
    made = member()
    assert made.handle(Unsent(2)) == [Send(exchange.Fault("s", 2))]
    assert made.handle(Unsent(2)) == [], "once a round"
    made.work(replace(WORK, round=2), None)
    assert made.handle(Unsent(2)) == [Send(exchange.Fault("s", 2))]
    assert Exchange().handle(Unsent(2)) == []


def test_answers_that_count_in_an_earlier_round_do_not_in_this_one() -> None:
    made = member()
    made.work(replace(WORK, round=2), None)
    assert made.told(exchange.Add("s", 1), exchange.pack_answers([((0, 1), 2)])) == []
    assert made.handle(piece(round_=2)) == []
