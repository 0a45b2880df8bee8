"""Which connections without a message have to go, against a plain list of them."""

from hypothesis import given
from hypothesis import strategies as st

from engine.wire.strangers import AT_ONE_ADDRESS, Strangers


def test_the_oldest_of_the_address_makes_room() -> None:
    strangers = Strangers()
    strangers.add(1, "a")
    for number in range(2, AT_ONE_ADDRESS + 2):
        assert strangers.one_too_many("b") is None
        strangers.add(number, "b")
    strangers.discard(2)
    assert strangers.one_too_many("b") is None
    for number in (AT_ONE_ADDRESS + 2, AT_ONE_ADDRESS + 3):
        strangers.add(number, "b")
    assert (strangers.one_too_many("b"), strangers.one_too_many("a")) == (3, None)


def test_peers_of_this_machine_have_no_address() -> None:
    strangers = Strangers()
    for number in range(AT_ONE_ADDRESS + 1):
        strangers.add(number, "")
    assert strangers.one_too_many("") is None


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.booleans()), max_size=100))
def test_no_more_than_so_many_are_kept(events: list[tuple[int, str, bool]]) -> None:
    strangers, oracle = Strangers(most=5), list[int]()
    for number, address, comes in events:
        if not comes:
            strangers.discard(number)
            oracle = [one for one in oracle if one != number]
        elif number not in oracle:
            strangers.add(number, address)
            oracle.append(number)
            if (excess := strangers.one_too_many(address)) is not None:
                assert excess == oracle.pop(0)
                strangers.discard(excess)
            assert len(oracle) <= 5
