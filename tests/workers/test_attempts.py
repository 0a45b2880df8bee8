"""When a worker says that large messages do not arrive."""

from tests.support.fakes import FakeClock
from workers.attempts import BRIEF, TEXT, TIMES, Attempts


def said(seconds: float = 12.0, works: int = 1, useful_before: int = -1) -> list[str]:
    """Return what is said with one connection after the other, each of which lasts `seconds` and brings `works`."""
    clock, lines = FakeClock(), list[str]()
    attempts = Attempts(clock, lines.append)
    for number in range(TIMES + 3):
        if number == useful_before:
            attempts.useful()
        attempts.connected()
        for _ in range(works):
            attempts.work()
        clock.time += seconds
    return lines


def test_three_lost_in_a_row_are_said_once() -> None:
    assert said() == said(works=0) == [TEXT]


def test_what_was_of_use_or_lasted_does_not_count() -> None:
    assert said(works=2) == said(seconds=BRIEF) == said(useful_before=TIMES) == []
