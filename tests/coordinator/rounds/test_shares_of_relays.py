"""Where relays' shares end: at the tree's own halves, if these are near."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import tree
from engine.coordinator.rounds import Answered, Assign, Begin, Joined, Resized, Scheduler
from engine.coordinator.rounds.shares import moved_to_halves, shares, shares_with_relays


def vectors(cut: list[tree.Block], total: int) -> int:
    return sum(len(tree.cover(*share, total)) for share in cut)


def test_equal_machines_send_one_vector_each() -> None:
    speeds = [1.0, 1.03, 0.98, 1.01]
    cut = shares(256, speeds)
    assert vectors(cut, 256) > 8
    assert moved_to_halves(cut, 0.125) == [(0, 64), (64, 128), (128, 192), (192, 256)]
    assert moved_to_halves(cut, 0.0) == cut


@pytest.mark.parametrize("part", [(0, 128), (128, 256)])
def test_relays_with_relays_behind_them_send_one_vector_each(part: tree.Block) -> None:
    """One relay stands for four machines, one for two, one for one; and there are this machine's own processes."""
    relays, own = [4.1, 1.96, 1.03], [0.12, 0.13, 0.12, 0.13, 0.12, 0.13, 0.12, 0.13]
    cut = shares_with_relays(part, 256, [*relays, *own], 3, 0.125)
    start = part[0]
    assert cut[:3] == [(start, start + 64), (start + 64, start + 96), (start + 96, start + 112)]
    assert cut[3:] == [(start + 112 + 2 * n, start + 114 + 2 * n) for n in range(8)]


@given(
    st.integers(1, 400),
    st.lists(st.floats(0.01, 10.0), min_size=1, max_size=9),
    st.integers(0, 9),
    st.integers(0, 50),
)
def test_every_micro_batch_is_in_one_share_and_none_is_far_from_its_speed(
    total: int, speeds: list[float], relays: int, start: int
) -> None:
    cut = [(start + a, start + b) for a, b in shares(total, speeds)]
    moved = moved_to_halves(cut, 0.125)
    assert [number for a, b in moved for number in range(a, b)] == list(range(start, start + total))
    for ((a, b), (_, c)), (_, end) in zip(pairwise(cut), moved, strict=False):
        assert abs(end - b) <= min(b - a, c - b) / 8
    whole = (start, start + total)
    both = shares_with_relays(whole, start + total, speeds, min(relays, len(speeds)), 0.125)
    assert len(both) == len(speeds)
    assert [number for a, b in both for number in range(a, b)] == list(range(start, start + total))


def test_a_relay_that_grows_gets_more() -> None:
    scheduler = Scheduler()
    for name in (b"a", b"b"):
        scheduler.handle(Joined(name, processes=2), 0.0)
    scheduler.handle(Resized(b"b", 6), 0.0)
    scheduler.handle(Resized(b"stranger", 6), 0.0)
    assert scheduler.processes() == 8
    given = {one.worker: one.share for one in scheduler.handle(Begin(1, 32, 0, 32), 0.0) if isinstance(one, Assign)}
    assert given == {b"b": (0, 24), b"a": (24, 32)}


def test_equal_relays_get_equal_shares_whoever_is_served_first() -> None:
    """The second hears of its share late, and answers late; both compute for a second."""
    scheduler, now = Scheduler(), 0.0
    for name in (b"a", b"b"):
        scheduler.handle(Joined(name, processes=4), now)
    for number in range(1, 9):
        given = [one for one in scheduler.handle(Begin(number, 64, number, 64), now) if isinstance(one, Assign)]
        assert {one.share for one in given} == {(0, 32), (32, 64)}
        for wait, one in enumerate(sorted(given, key=lambda one: one.worker), 1):
            answer = Answered(one.worker, number, one.attempt, one.share, seconds=1.0)
            scheduler.handle(answer, now + wait)
        now += 3.0


@pytest.mark.parametrize(("waiting", "wanted"), [(0.0, (0, 40)), (0.5, (0, 40)), (9.0, (0, 32)), (900.0, (0, 32))])
def test_relays_that_wait_long_for_their_vectors_send_one_each(waiting: float, wanted: tree.Block) -> None:
    """One computes 5 micro-batches a second, the other 3; what a share needs is on its way for `waiting` seconds."""
    scheduler, now, given = Scheduler(), 0.0, list[Assign]()
    for name in (b"a", b"b"):
        scheduler.handle(Joined(name, processes=4), now)
    for number in range(1, 60):
        given = [one for one in scheduler.handle(Begin(number, 64, number, 64), now) if isinstance(one, Assign)]
        for one in given:
            blocks = tree.cover(*one.share, 64)
            for block in blocks:
                speed = 5.0 if one.worker == b"a" else 3.0
                answer = Answered(one.worker, number, one.attempt, block, seconds=(block[1] - block[0]) / speed)
                scheduler.handle(answer, now + waiting + (block[1] - one.share[0]) / speed)
        now += 100.0 + waiting
    assert wanted in {one.share for one in given}
