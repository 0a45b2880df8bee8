"""How a round is cut: few vectors, unless that makes someone work much longer."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute.tree import Block, cover
from engine.coordinator.rounds.shares import VECTOR, shares, shares_along_tree


def vectors(cut: list[Block], total: int) -> int:
    return sum(len(cover(*share, total)) for share in cut)


def longest(cut: list[Block], speeds: list[float]) -> float:
    """Return the time of the slowest, in that in which a worker of mean speed computes a micro-batch."""
    mean = sum(speeds) / len(speeds)
    return max(mean * (stop - start) / speed for (start, stop), speed in zip(cut, speeds, strict=True))


@given(st.integers(0, 300), st.integers(1, 500), st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_shares_are_contiguous_complete_and_cost_no_more_than_exact_ones(
    first: int, size: int, speeds: list[float]
) -> None:
    total = first + size + 7
    cut = shares_along_tree((first, first + size), total, speeds)
    exact = [(first + start, first + stop) for start, stop in shares(size, speeds)]
    assert [i for a, b in cut for i in range(a, b)] == list(range(first, first + size))
    assert len(cut) == len(speeds)
    costs = [longest(some, speeds) + VECTOR * vectors(some, total) for some in (cut, exact)]
    assert costs[0] <= costs[1] * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_workers_that_are_nearly_alike_send_a_vector_each(seed: int) -> None:
    rng = random.Random(seed)
    speeds = sorted((rng.uniform(0.95, 1.05) for _ in range(16)), reverse=True)
    assert vectors(shares(256, speeds), 256) > 40
    assert shares_along_tree((0, 256), 256, speeds) == [(16 * i, 16 * i + 16) for i in range(16)]


def test_a_worker_that_is_twice_as_fast_gets_twice_as_much() -> None:
    speeds = [2.0, 1.0, 1.0, 1.0]
    assert shares_along_tree((0, 100), 100, speeds) == shares(100, speeds) == [(0, 40), (40, 60), (60, 80), (80, 100)]


def test_nothing_to_gain_changes_nothing() -> None:
    assert shares_along_tree((0, 4), 4, [1.02, 0.98]) == [(0, 2), (2, 4)]
    assert shares_along_tree((0, 1), 1, [1.0, 1.0, 1.0]) == shares(1, [1.0, 1.0, 1.0])


def test_a_vector_that_costs_much_leaves_nobody_without_work() -> None:
    """Each has one block, as near to its speed as that allows; one that is too slow for a micro-batch stays without."""
    speeds = [16.2, 15.0, 12.2, 11.5, 11.5, 10.4, 10.3, 8.4]
    equal = [(8 * i, 8 * i + 8) for i in range(8)]
    assert shares_along_tree((0, 64), 64, speeds, vector=100.0) == equal
    assert vectors(shares(64, speeds), 64) > 12
    cut = shares_along_tree((0, 64), 64, [0.001, *speeds], vector=100.0)
    assert cut[0] == (0, 0)
    assert all(start < stop for start, stop in cut[1:])
    assert shares_along_tree((0, 20), 20, [5.0, 4.0, 3.0, 3.0, 2.0], vector=100.0) == [
        (4 * i, 4 * i + 4) for i in range(5)
    ]
