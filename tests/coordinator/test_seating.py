"""Which relay joins which: shapes, and that none is ever above itself."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.coordinator.seating import Seating, above
from engine.errors import ProtocolError
from engine.wire.relays import Place

KEY = "ab" * 32


def place(number: int, joined: int = 0, host: str = "10.0.0") -> Place:
    return Place("s", f"tcp://{host}.{number % 200 + 1}:5000", KEY, joined)


def below(seat: int, seats: int) -> list[int]:
    """Return all seats below one, it included."""
    return [seat] + [one for child in range(1, seats + 1) if above(child) == seat for one in below(child, seats)]


def test_who_is_above_a_seat() -> None:
    assert [above(seat) for seat in range(1, 17)] == [0, 0, 2, 0, 4, 4, 6, 0, 8, 8, 10, 8, 12, 12, 14, 0]


def test_every_relay_stands_for_a_power_of_two_of_machines() -> None:
    for seat in range(1, 256):
        assert len(below(seat, 255)) == seat & -seat
    children = Counter(above(seat) for seat in range(1, 257))
    assert max(children.values()) == children[0] == 9


def test_a_seat_is_free_when_its_relay_is_gone() -> None:
    seating = Seating()
    joins = [seating.take(b"%d" % n, f"box{n}", KEY, place(n)) for n in range(1, 9)]
    assert [found.peer if found else b"" for found in joins] == [b"", b"", b"2", b"", b"4", b"4", b"6", b""]
    seating.forget(b"4")
    assert seating.take(b"6", "box6", KEY, place(6, joined=1)) is None, "one below which others are stays"
    for number, joins_ in ((9, b"6"), (10, b"8")):
        found = seating.take(b"%d" % number, f"box{number}", KEY, place(number))
        assert found is not None
        assert found.peer == joins_, "the sixth has the seat of the fourth, and the ninth that of the sixth"
    seating.forget(b"stranger")
    assert len(seating.peers()) == 9


def test_one_that_listens_on_this_machine_only_is_joined_from_here_only() -> None:
    seating = Seating()
    for n in range(1, 5):
        seating.take(b"%d" % n, "here", KEY, place(n, host="127.0.0"))
    assert seating.take(b"5", "there", KEY, place(5)) is None
    found = seating.take(b"6", "here", KEY, place(6))
    assert found is not None
    assert (found.peer, found.address, found.key) == (b"4", "tcp://127.0.0.5:5000", KEY)


def test_one_without_keys_is_not_joined_by_those_that_have_some() -> None:
    seating = Seating()
    for n in range(1, 5):
        seating.take(b"%d" % n, "box", KEY, Place("s", "tcp://10.0.0.1:5000", ""))
    assert seating.take(b"5", "box", KEY, place(5)) is None


@pytest.mark.parametrize(
    "bad",
    [
        Place("s", "tcp://example.org:5000", KEY),
        Place("s", "ipc:///tmp/x", KEY),
        Place("s", "tcp://10.0.0.1:70000", KEY),
        Place("s", "tcp://10.0.0.1:5000", "no key"),
        Place("s", "", KEY),
    ],
)
def test_what_is_no_place(bad: Place) -> None:
    with pytest.raises(ProtocolError):
        Seating().take(b"1", "box", KEY, bad)


class AnyOrder(RuleBasedStateMachine):
    """Relays come, join, come back and go, whenever they like; what each has above it is kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.seating = Seating()
        self.above: dict[bytes, bytes] = {}
        self.joined: Counter[bytes] = Counter()
        self.there: set[bytes] = set()
        self.made = 0

    def take(self, peer: bytes) -> None:
        self.above.pop(peer, None)
        found = self.seating.take(peer, "box", KEY, place(1, joined=self.joined[peer]))
        if found is not None:
            assert found.peer in self.there, "nobody joins one that is gone"
            self.joined[found.peer] += 1
            self.above[peer] = found.peer

    @rule()
    def a_new_one(self) -> None:
        self.made += 1
        self.there.add(b"%d" % self.made)
        self.take(b"%d" % self.made)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def one_comes_back(self, data: st.DataObject) -> None:
        self.take(data.draw(st.sampled_from(sorted(self.there))))

    @precondition(lambda self: self.there)
    @rule(data=st.data(), noticed=st.booleans())
    def one_is_lost_and_those_behind_it_come_back_or_not_yet(self, data: st.DataObject, noticed: bool) -> None:
        gone = data.draw(st.sampled_from(sorted(self.there)))
        self.there.remove(gone)
        self.seating.forget(gone)
        self.above.pop(gone, None)
        for peer in [peer for peer, one in self.above.items() if one == gone and noticed]:
            self.take(peer)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def a_connection_is_cut_and_the_relay_keeps_those_below(self, data: st.DataObject) -> None:
        cut = data.draw(st.sampled_from(sorted(self.there)))
        self.seating.forget(cut)
        self.there.discard(cut)
        self.a_new_one()
        self.there.add(cut)
        self.take(cut)

    @invariant()
    def nobody_is_above_itself(self) -> None:
        for peer in self.above:
            seen = {peer}
            while (peer := self.above.get(peer, b"")) and peer not in seen:
                seen.add(peer)
            assert peer not in seen


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
