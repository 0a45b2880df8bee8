"""The tree, blocks and shares, by properties and by a small oracle written the other way round (bottom up)."""

import itertools
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compute import tree
from engine.coordinator.rounds.shares import shares
from engine.kernels.pairs import in_pairs


def all_nodes(total: int) -> set[tree.Block]:
    """Every node, found level by level: aligned ranges of a power of two, cut off at the end."""
    nodes, width = set(), 1
    while width < 2 * total:
        nodes |= {(s, min(s + width, total)) for s in range(0, total, width)}
        width *= 2
    return nodes


@given(st.integers(1, 200), st.data())
def test_cover_is_the_fewest_nodes(total: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, total))
    stop = data.draw(st.integers(start, total))
    blocks = tree.cover(start, stop, total)
    nodes = all_nodes(total)
    assert [i for a, b in blocks for i in range(a, b)] == list(range(start, stop))
    assert set(blocks) <= nodes
    parents = [(a, d) for (a, b), (c, d) in itertools.pairwise(blocks) if (a, d) in nodes]
    assert parents == [], "two neighbours could have been one block"


@given(st.integers(1, 60))
def test_is_block_agrees_with_the_levels(total: int) -> None:
    nodes = all_nodes(total)
    for start in range(-1, total + 1):
        for stop in range(total + 2):
            assert tree.is_block((start, stop), total) == ((start, stop) in nodes)


def add(a: str, b: str) -> str:
    return f"({a}+{b})"


@pytest.mark.parametrize(
    ("total", "text"),
    [(1, "0"), (2, "(0+1)"), (3, "((0+1)+2)"), (6, "(((0+1)+(2+3))+(4+5))"), (7, "(((0+1)+(2+3))+((4+5)+6))")],
)
def test_order_of_additions(total: int, text: str) -> None:
    assert tree.evaluate_block((0, total), lambda block, _: str(block[0]), add) == text


@given(st.integers(1, 100), st.lists(st.floats(0.01, 100), min_size=1, max_size=9), st.randoms())
def test_any_cut_and_any_order_of_arrival_gives_the_same_additions(
    total: int, speeds: list[float], rng: random.Random
) -> None:
    leaf: Callable[[tree.Block, int], str] = lambda block, _: str(block[0])  # noqa: E731
    blocks = [b for start, stop in shares(total, speeds) for b in tree.cover(start, stop, total)]
    rng.shuffle(blocks)
    sums = tree.TreeSum(total, add)
    for block in blocks:
        sums.put(block, tree.evaluate_block(block, leaf, add))
    assert sums.result() == tree.evaluate_block((0, total), leaf, add)


@given(st.integers(1, 300), st.integers(0, 5))
def test_one_buffer_a_depth_is_enough(total: int, log: int) -> None:
    alive: dict[int, tree.Block] = {}

    def leaf(block: tree.Block, depth: int) -> tuple[int, int]:
        assert depth not in alive, "the buffer of this depth still holds a sum that is needed"
        assert block[1] - block[0] <= 1 << log
        alive[depth] = block
        return depth, block[1] - block[0]

    def combine(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
        assert a[0] < b[0], "the right sum is added into the left one's buffer"
        del alive[b[0]]
        return a[0], a[1] + b[1]

    assert tree.evaluate_block((0, total), leaf, combine, 1 << log) == (0, total)
    assert max(total.bit_length(), 1) >= len(alive)


@given(st.integers(1, 100), st.integers(0, 6))
def test_several_leaves_at_once_are_added_in_the_same_order(total: int, log: int) -> None:
    def several(block: tree.Block, _: int) -> str:
        return in_pairs([str(number) for number in range(*block)], add)

    one_by_one = tree.evaluate_block((0, total), lambda block, _: str(block[0]), add)
    assert tree.evaluate_block((0, total), several, add, 1 << log) == one_by_one


@given(st.integers(1, 100), st.integers(0, 6))
def test_the_first_part_is_what_is_evaluated_first(total: int, log: int) -> None:
    parts: list[tree.Block] = []
    tree.evaluate_block((0, total), lambda part, _: parts.append(part), lambda _a, _b: None, 1 << log)
    assert tree.first_part((0, total), 1 << log) == parts[0]


@given(st.integers(0, 8))
def test_the_depth_of_a_leaf_is_the_number_of_right_turns_above_it(levels: int) -> None:
    """Of a full tree, these are the ones in the number of the leaf."""
    depths = tree.evaluate_block((0, 1 << levels), lambda _, depth: [depth], lambda a, b: a + b)
    assert depths == [number.bit_count() for number in range(1 << levels)]


def test_a_tree_with_a_missing_block_has_no_result() -> None:
    sums = tree.TreeSum(4, add)
    sums.put((0, 2), "left")
    with pytest.raises(KeyError):
        sums.result()


@given(st.integers(0, 500), st.lists(st.floats(0.001, 1000), min_size=1, max_size=40))
def test_shares_are_contiguous_complete_and_proportional(total: int, speeds: list[float]) -> None:
    cut = shares(total, speeds)
    assert [i for a, b in cut for i in range(a, b)] == list(range(total))
    for (a, b), speed in zip(cut, speeds, strict=True):
        assert abs((b - a) - total * speed / sum(speeds)) < 1 + 1e-6


@given(st.integers(1, 10_000), st.integers(1, 300))
def test_microbatches_hold_every_sample(samples: int, size: int) -> None:
    count = tree.microbatches(samples, size)
    assert (count - 1) * size < samples <= count * size
