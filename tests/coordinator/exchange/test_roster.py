"""Who is in exchanges: those of which each has a connection to each other."""

from itertools import combinations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.coordinator.exchange.roster import OUT, Roster
from engine.errors import ProtocolError
from engine.wire.relays import Place

KEY = "ab" * 32


def place(number: int = 0, host: str = "10.0.0") -> Place:
    return Place("s", f"tcp://{host}.{number % 200 + 1}:5000", KEY)


def name(number: int) -> bytes:
    return b"relay %d" % number


def enter(roster: Roster, number: int, *unreached: int) -> None:
    """Let a relay come that reaches all but some."""
    given, others = roster.enter(name(number), f"box {number}", KEY, place(number))
    assert given == number
    for other in others:
        roster.met(name(number), other.number, other.number not in unreached)


def members(roster: Roster) -> list[int]:
    return [one.number for one in roster.members()]


def test_all_that_reach_each_other() -> None:
    roster = Roster()
    for number in range(1, 6):
        enter(roster, number)
    assert members(roster) == [1, 2, 3, 4, 5]
    assert roster.forget(name(3)) == (3, [name(1), name(2), name(4), name(5)])
    assert members(roster) == [1, 2, 4, 5]
    assert roster.forget(name(3)) == (0, [])


def test_it_is_none_before_it_has_told_of_all() -> None:
    roster = Roster()
    enter(roster, 1)
    enter(roster, 2)
    _, others = roster.enter(name(3), "box 3", KEY, place(3))
    roster.met(name(3), others[0].number, True)
    assert members(roster) == [1, 2]
    roster.met(name(3), others[1].number, True)
    assert members(roster) == [1, 2, 3]


def test_it_need_not_tell_of_one_that_is_gone() -> None:
    roster = Roster()
    enter(roster, 1)
    roster.enter(name(2), "box 2", KEY, place(2))
    roster.forget(name(1))
    assert members(roster) == [2]


def test_one_that_nobody_reaches_keeps_nobody_out() -> None:
    roster = Roster()
    enter(roster, 1)
    enter(roster, 2)
    for number in range(3, 8):
        enter(roster, number, 2)
    assert members(roster) == [1, 3, 4, 5, 6, 7]
    enter(roster, 8, 1, 2, 3, 4, 5, 6, 7)
    assert members(roster) == [1, 3, 4, 5, 6, 7]


def test_of_two_without_a_connection_the_newer_is_out_until_there_is_one() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    roster.met(name(4), 2, False)
    assert members(roster) == [1, 2, 3]
    roster.met(name(4), 2, True)
    assert members(roster) == [1, 2, 3, 4]


def test_one_that_was_at_fault_stays_out_for_some_rounds_and_then_for_twice_as_many() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    for rounds in (OUT, 2 * OUT, 4 * OUT):
        roster.leave_out(name(2))
        for _ in range(rounds):
            assert members(roster) == [1, 3, 4]
            roster.next_round()
        assert members(roster) == [1, 2, 3, 4]


def test_of_two_one_of_which_heard_nothing_one_is_out_for_some_rounds() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    for rounds in (OUT, 2 * OUT):
        roster.leave_out(name(1), name(3))
        roster.leave_out(name(3), name(1))
        for _ in range(rounds):
            assert members(roster) == [1, 2, 4], "the newer of the two"
            roster.next_round()
        assert members(roster) == [1, 2, 3, 4]


def test_one_of_which_several_hear_nothing_is_the_one_that_is_out() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    roster.leave_out(name(3), name(2))
    roster.leave_out(name(4), name(2))
    assert members(roster) == [1, 3, 4]


def test_a_new_connection_does_not_undo_a_fault() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    roster.leave_out(name(2), name(3))
    roster.met(name(3), 2, True)
    assert members(roster) == [1, 2, 4]


def test_a_fault_is_forgotten_after_as_many_rounds_without_another() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    for _ in range(5):
        roster.leave_out(name(2))
        for _ in range(OUT):
            assert members(roster) == [1, 3, 4]
            roster.next_round()
        for _ in range(OUT):
            assert members(roster) == [1, 2, 3, 4]
            roster.next_round()


def test_nothing_holds_against_one_that_comes_anew() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    roster.leave_out(name(2), name(3))
    roster.leave_out(name(3))
    roster.forget(name(3))
    assert members(roster) == [1, 2, 4]
    roster.leave_out(name(2), name(3))
    roster.leave_out(name(3))
    assert members(roster) == [1, 2, 4]


@pytest.mark.parametrize("number", [2, 3, 9])
def test_only_who_connected_can_tell_of_it(number: int) -> None:
    roster = Roster()
    for newcomer in range(1, 4):
        enter(roster, newcomer)
    with pytest.raises(ProtocolError, match="was not to connect"):
        roster.met(name(2), number, False)


def test_one_that_was_at_fault_may_come_anew() -> None:
    roster = Roster()
    for number in range(1, 5):
        enter(roster, number)
    roster.leave_out(name(2))
    assert members(roster) == [1, 3, 4]
    enter(roster, 5)
    assert members(roster) == [1, 3, 4, 5]
    roster.forget(name(2))
    number, others = roster.enter(name(2), "box 2", KEY, place(2))
    for other in others:
        roster.met(name(2), other.number, True)
    assert (number, members(roster)) == (6, [1, 3, 4, 5, 6])


def test_one_that_is_reached_from_its_own_machine_only() -> None:
    roster = Roster()
    roster.enter(name(1), "here", KEY, place(1, host="127.0.0"))
    number, others = roster.enter(name(2), "there", KEY, place(2))
    assert (number, others) == (2, [])
    assert members(roster) == [1]
    _, others = roster.enter(name(3), "here", KEY, place(3, host="127.0.0"))
    assert [one.number for one in others] == [1, 2]


def test_one_without_keys_among_those_that_have_some() -> None:
    roster = Roster()
    assert roster.enter(name(1), "box", KEY, Place("s", "tcp://10.0.0.1:5000", "")) == (0, [])
    assert roster.number(name(1)) == 0
    with pytest.raises(ProtocolError):
        roster.enter(name(1), "box", KEY, Place("s", "", KEY))


class AnyOrder(RuleBasedStateMachine):
    """Relays come and go and lose connections; what was told is kept here."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster()
        self.made = 0
        self.there: set[int] = set()
        self.known: dict[frozenset[int], bool] = {}

    def tell(self, one: int, other: int, reached: bool) -> None:
        self.roster.met(name(one), other, reached)
        self.known[frozenset((one, other))] = reached

    @rule()
    def comes(self) -> None:
        self.made += 1
        self.roster.enter(name(self.made), "box", KEY, place(self.made))
        self.there.add(self.made)

    @precondition(lambda self: len(self.there) > 1)
    @rule(data=st.data(), reached=st.booleans())
    def tells(self, data: st.DataObject, reached: bool) -> None:
        one, other = data.draw(st.sampled_from(sorted(combinations(sorted(self.there), 2))))
        self.tell(other, one, reached)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def tells_of_all(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.there)))
        for other in self.there - {one}:
            self.tell(max(one, other), min(one, other), True)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.there)))
        self.there.remove(gone)
        self.roster.forget(name(gone))

    @invariant()
    def members_have_connections(self) -> None:
        found = members(self.roster)
        assert set(found) <= self.there
        assert all(self.known.get(frozenset(pair)) for pair in combinations(found, 2))

    @invariant()
    def nobody_is_out_without_a_reason(self) -> None:
        found = members(self.roster)
        for number in self.there - set(found):
            assert any(not self.known.get(frozenset((number, other))) for other in self.there - {number})


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
