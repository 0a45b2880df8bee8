"""How a batch is cut up and its sums put together: pure functions over micro-batch numbers.

Micro-batches 0..n-1 are the leaves of one fixed binary tree: a range splits at the largest power of two below its
length. A range that is a node of that tree is a *block*. Sums are only ever formed by adding the two children of a
node, so the order of additions, and with it every bit of the result, does not depend on who computed what.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Generic, TypeVar

Block = tuple[int, int]  # micro-batches [start, stop)
T = TypeVar("T")


def microbatches(samples: int, size: int) -> int:
    """Return how many micro-batches of `size` samples a batch of `samples` has; the last one may be smaller."""
    return -(-samples // size)


def middle(start: int, stop: int) -> int:
    """Return where the node [start, stop), of at least two leaves, splits."""
    return start + (1 << (stop - start - 1).bit_length() - 1)


def cover(start: int, stop: int, total: int) -> list[Block]:
    """Return the fewest blocks of the tree over [0, total) that together are [start, stop), in order."""
    return list(_cached_cover(start, stop, total))


@lru_cache(4096)  # a run asks for the same few covers in every step
def _cached_cover(start: int, stop: int, total: int) -> tuple[Block, ...]:
    return tuple(_cover(start, stop, 0, total))


def _cover(start: int, stop: int, left: int, right: int) -> Iterator[Block]:
    if start >= right or stop <= left:
        return
    if start <= left and right <= stop:
        yield (left, right)
        return
    split = middle(left, right)
    yield from _cover(start, stop, left, split)
    yield from _cover(start, stop, split, right)


def is_block(block: Block, total: int) -> bool:
    """Tell whether `block` is a node of the tree over [0, total)."""
    start, stop = block
    return 0 <= start < stop <= total and _cached_cover(start, stop, total) == (block,)


def evaluate_block(
    block: Block, leaf: Callable[[Block, int], T], add: Callable[[T, T], T], size: int = 1, depth: int = 0
) -> T:
    """Sum up a block in the order of the tree, `leaf(part, depth)` being the sum of at most `size` micro-batches.

    `size` is a power of two. `depth` counts the right turns above a leaf: at most one result of each depth is alive at
    a time, so a leaf may use one buffer a depth.
    """
    start, stop = block
    if stop - start <= size:
        return leaf(block, depth)
    split = middle(start, stop)
    left = evaluate_block((start, split), leaf, add, size, depth)
    return add(left, evaluate_block((split, stop), leaf, add, size, depth + 1))


def first_part(block: Block, size: int) -> Block:
    """Return what `evaluate_block` of the same size gives its leaf first."""
    start, stop = block
    while stop - start > size:
        stop = middle(start, stop)
    return start, stop


def above(block: Block, total: int) -> tuple[tuple[Block, Block], ...]:
    """Return the sibling and the parent of `block`, those of the parent, and so on up to the root over [0, total)."""
    return _cached_above(block, total)


@lru_cache(4096)
def _cached_above(block: Block, total: int) -> tuple[tuple[Block, Block], ...]:
    node, found = (0, total), list[tuple[Block, Block]]()
    while node != block:
        split = middle(*node)
        left, right = (node[0], split), (split, node[1])
        inside, sibling = (left, right) if block[1] <= split else (right, left)
        found.append((sibling, node))
        node = inside
    return tuple(reversed(found))


def number(block: Block) -> int:
    """Return a number of its own for each node of a tree: from 0 on, and below twice the number of leaves."""
    start, stop = block
    return 2 * start if stop - start == 1 else 2 * middle(start, stop) - 1


class TreeSum(Generic[T]):
    """Collects block sums in any order and adds them up in the order of the tree over [0, total).

    `known` may return the sum of a node that was formed elsewhere, from the node and the sums of its children.
    """

    def __init__(
        self, total: int, add: Callable[[T, T], T], known: Callable[[Block, T, T], T | None] | None = None
    ) -> None:
        self.total = total
        self._add = add
        self._known = known
        self._sums: dict[Block, T] = {}

    def put(self, block: Block, value: T) -> Block:
        """Take the sum of `block`, which must be disjoint from all blocks put before; return what it became part of.

        That is the largest block of which all has been put.
        """
        for sibling, parent in above(block, self.total):
            if sibling not in self._sums:
                break
            other = self._sums.pop(sibling)
            left, right = (value, other) if block < sibling else (other, value)
            known = self._known(parent, left, right) if self._known else None
            value = self._add(left, right) if known is None else known
            block = parent
        self._sums[block] = value
        return block

    def take(self, block: Block) -> T:
        """Return the sum of `block`, which `put` has returned, and forget it."""
        return self._sums.pop(block)

    def nodes(self) -> list[Block]:
        """Return the largest blocks of each of which all has been put, in order."""
        return sorted(self._sums)

    def result(self) -> T:
        """Return the sum over all micro-batches; KeyError while blocks are missing."""
        return self._sums[0, self.total]
