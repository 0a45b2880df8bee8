"""Peers that send more than anybody asked for: they are expelled, others are not, and the sums are exact."""

import pytest

from engine.coordinator.notices import NoticeKind
from engine.wire import messages as m
from engine.wire.connection_limits import UNASKED
from tests.coordinator.test_coordinator import Box
from tests.support.fakes import NUMERICS

FLOODS = {
    "hello": m.Hello("box", 1, NUMERICS),
    "another session": m.Goodbye("another", "x"),
    "unasked": m.Result("this session", 1, 99, 0, 1, 0.0, 0, 0.0, 0.0),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("trusted", [False, True])
def test_one_that_floods_is_expelled(flood: str, trusted: bool) -> None:
    box = Box([], [])
    box.gather()
    if trusted:
        box.check(1)
    bad, good = list(box.endpoint.workers.values())
    for _ in range(2 * UNASKED):
        bad.say(FLOODS[flood])
    for step in range(1 + trusted, 5):
        box.check(step)
    assert (bad.peer, True) in box.endpoint.refused
    assert not [peer for peer, _ in box.endpoint.refused if peer == good.peer]
    assert NoticeKind.FLOOD in [notice.kind for notice in box.notices]


def test_those_whose_answers_count_are_trusted() -> None:
    box = Box([], [])
    box.gather()
    assert box.endpoint.trusted == set()
    box.check(1)
    assert box.endpoint.trusted == set(box.endpoint.workers)
