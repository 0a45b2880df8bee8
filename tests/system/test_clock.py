"""A time limit counts from its start, and not before."""

from engine.system.clock import TimeLimit
from tests.support.fakes import FakeClock


def test_a_time_limit() -> None:
    clock = FakeClock()
    limit = TimeLimit(clock, 3.0)
    clock.time += 100
    assert (limit.left(), limit.reached()) == (None, False)
    limit.start()
    clock.time += 2
    assert (limit.left(), limit.reached()) == (1.0, False)
    clock.time += 2
    assert (limit.left(), limit.reached()) == (0.0, True)


def test_no_time_limit() -> None:
    clock = FakeClock()
    limit = TimeLimit(clock, None)
    limit.start()
    clock.time += 1e9
    assert (limit.left(), limit.reached()) == (None, False)
