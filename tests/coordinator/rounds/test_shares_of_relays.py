"""Where relays' shares end: at the tree's own halves, if these are near."""

from hypothesis import given
from hypothesis import strategies as st

from engine.compute import tree
from engine.coordinator.rounds.shares import moved_to_halves, shares


def vectors(cut: list[tree.Block], total: int) -> int:
    return sum(len(tree.cover(*share, total)) for share in cut)


def test_equal_machines_send_one_vector_each() -> None:
    speeds = [1.0, 1.03, 0.98, 1.01]
    cut = shares(256, speeds)
    assert vectors(cut, 256) > 8
    assert moved_to_halves(cut, 0.125) == [(0, 64), (64, 128), (128, 192), (192, 256)]
    assert moved_to_halves(cut, 0.0) == cut


@given(st.integers(1, 400), st.lists(st.floats(0.01, 10.0), min_size=1, max_size=9), st.integers(0, 50))
def test_every_micro_batch_is_in_one_share_and_none_is_far_from_its_speed(
    total: int, speeds: list[float], start: int
) -> None:
    cut = [(start + a, start + b) for a, b in shares(total, speeds)]
    moved = moved_to_halves(cut, 0.125)
    assert [number for a, b in moved for number in range(a, b)] == list(range(start, start + total))
    reach = total / len(speeds) / 8
    assert all(abs(b - d) <= reach for (_, b), (_, d) in zip(cut, moved, strict=True))
