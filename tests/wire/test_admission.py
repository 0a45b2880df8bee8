"""Who may come in, and when, by a clock set by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.admission import (
    CONNECTIONS_A_SECOND,
    CONNECTIONS_AT_ONCE,
    COST_OF_EXPULSION,
    COST_OF_REFUSAL,
    FIRST_WAIT,
    LONGEST_WAIT,
    REMEMBERED,
    Admission,
)
from tests.support.fakes import FakeClock

HERE, THERE = "10.0.0.1", "10.0.0.2"
KEY, OTHER = "aa" * 32, "bb" * 32


class Gate:
    """An admission and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.admission = Admission(self.clock)

    def entered(self, tries: int, address: str = HERE) -> int:
        """Return how many of so many peers with new keys come in at once."""
        return sum(self.admission.enter(address, f"{number:064x}") for number in range(tries))

    def use_up(self, address: str = HERE) -> None:
        assert self.entered(2 * int(CONNECTIONS_AT_ONCE), address) == CONNECTIONS_AT_ONCE


def test_who_is_refused_again_and_again_waits_longer_each_time() -> None:
    gate, waits = Gate(), []
    for _ in range(12):
        gate.admission.refuse(HERE, KEY)
        began = gate.clock.time
        while not gate.admission.enter(THERE, KEY):
            gate.clock.time += 0.5
            assert gate.admission.enter(THERE, OTHER), "nobody waits for another"
        waits.append(gate.clock.time - began)
    assert waits == [min(LONGEST_WAIT, FIRST_WAIT * 2**number) for number in range(12)]


def test_who_is_expelled_stays_out_from_every_address() -> None:
    gate = Gate()
    gate.admission.expel(HERE, KEY)
    gate.clock.time += 1e9
    assert not gate.admission.enter(HERE, KEY)
    assert not gate.admission.enter(THERE, KEY)
    assert (gate.admission.expelled(KEY), gate.admission.expelled(OTHER)) == (True, False)
    assert gate.admission.enter(HERE, OTHER)


@pytest.mark.parametrize("key", [KEY, ""])
def test_new_keys_do_not_help_for_long(key: str) -> None:
    """Who makes a new pair each time it is expelled is slowed by its address, and so is who needs none."""
    gate = Gate()
    gate.use_up()
    gate.admission.expel(HERE, key)
    gate.clock.time += (COST_OF_EXPULSION + 1) / CONNECTIONS_A_SECOND - 1
    assert gate.entered(10) == 0
    gate.clock.time += 1
    assert gate.entered(10) == 1
    assert gate.entered(10, THERE) == 10


def test_an_address_is_not_shut_out_for_longer_than_it_takes_to_fill_up_twice() -> None:
    gate = Gate()
    for _ in range(1000):
        gate.admission.expel(HERE, "")
    gate.clock.time += (CONNECTIONS_AT_ONCE + 1) / CONNECTIONS_A_SECOND
    assert gate.entered(10) == 1
    gate.clock.time += 2 * CONNECTIONS_AT_ONCE / CONNECTIONS_A_SECOND
    gate.use_up()


@given(st.lists(st.tuples(st.sampled_from(["enter", "refuse", "expel"]), st.floats(0, 100)), max_size=200))
def test_connections_of_an_address_are_bounded(events: list[tuple[str, float]]) -> None:
    gate = Gate()
    began, came = gate.clock.time, 0
    for kind, passed in events:
        gate.clock.time += passed
        if kind == "enter":
            came += gate.entered(700)
        else:
            getattr(gate.admission, kind)(HERE, "")
    assert came <= CONNECTIONS_AT_ONCE + CONNECTIONS_A_SECOND * (gate.clock.time - began) + 1e-6
    charged = sum(COST_OF_REFUSAL if kind == "refuse" else COST_OF_EXPULSION for kind, _ in events if kind != "enter")
    if not charged and any(kind == "enter" for kind, _ in events):
        assert came >= CONNECTIONS_AT_ONCE


def test_many_addresses_and_keys_do_not_fill_memory() -> None:
    gate = Gate()
    for number in range(3 * REMEMBERED):
        gate.admission.refuse(f"10.{number}", f"{number:x}")
    gate.use_up("10.0")  # long forgotten
    assert gate.entered(1000, f"10.{3 * REMEMBERED - 1}") == CONNECTIONS_AT_ONCE - COST_OF_REFUSAL


def test_a_key_that_was_refused_before_many_others_is_forgotten() -> None:
    gate = Gate()
    gate.admission.refuse(HERE, KEY)
    gate.admission.refuse(HERE, OTHER)
    for number in range(REMEMBERED - 2):
        gate.admission.refuse(HERE, f"{number:064x}")
    assert not gate.admission.enter(THERE, KEY)
    gate.admission.refuse(HERE, "cc" * 32)
    assert gate.admission.enter(THERE, KEY)
    assert not gate.admission.enter(THERE, OTHER)
