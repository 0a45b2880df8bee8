"""How a round is cut into shares, in proportion to the speeds of the workers."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from engine.compute.tree import Block, cover

VECTOR = (
    0.02  # what sending and adding one more vector takes at least, in the time that a worker needs for a micro-batch
)


def shares(total: int, speeds: Sequence[float]) -> list[Block]:
    """Cut [0, total) into one contiguous range for each speed, as near to proportional as whole numbers allow.

    Largest-remainder apportionment; ranges may be empty. Speeds are positive, in any unit.
    """
    whole = sum(speeds)
    exact = [total * speed / whole for speed in speeds]
    counts = [int(x) for x in exact]
    by_remainder = sorted(range(len(speeds)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return [(end - count, end) for end, count in zip(accumulate(counts), counts, strict=True)]


def shares_with_relays(
    part: Block, total: int, speeds: Sequence[float], relays: int, slack: float, vector: float = VECTOR
) -> list[Block]:
    """Cut `part` as `shares_along_tree` does, the first `relays` shares at the tree's own halves, if these are near.

    What is left by relays is cut for all others together. So where one relay stands for twice as many machines as the
    next, as in the tree that relays form, each of them has one block.
    """
    return list(_cached_cut(part, total, tuple(speeds), relays, slack, vector))


@lru_cache(64)  # while speeds stay as they are, every step is cut alike
def _cached_cut(
    part: Block, total: int, speeds: tuple[float, ...], relays: int, slack: float, vector: float
) -> list[Block]:
    cut = shares_along_tree(part, total, speeds, vector)
    if not relays:
        return cut
    alone = cut[:relays]
    rest = [(cut[relays][0], part[1])] if relays < len(cut) else []
    moved = moved_to_halves([*alone, *rest], slack)
    if not rest:
        return moved
    start, stop = moved[-1]
    others = speeds[relays:]
    return [
        *moved[:-1],
        *(shares_along_tree((start, stop), total, others) if start < stop else [(stop, stop)] * len(others)),
    ]


def moved_to_halves(cut: Sequence[Block], slack: float) -> list[Block]:
    """Return the shares with their ends moved to where the tree splits higher up.

    An end moves by at most `slack` of the smaller of the two shares that meet there.

    Each block of a share is a vector on the way to the coordinator; a whole machine's vector costs more than the little
    that some have to do more, or less, than their speed says.
    """
    first, last = cut[0][0], cut[-1][1]
    ends, before = [], first
    for (start, end), (_, stop) in pairwise(cut):
        reach = int(slack * min(end - start, stop - end))
        grid = 1 << max(end, 1).bit_length()
        while abs(_nearest(end, grid) - end) > reach:
            grid //= 2
        before = min(max(before, _nearest(end, grid)), last)
        ends.append(before)
    return list(zip([first, *ends], [*ends, last], strict=True))


def _nearest(number: int, grid: int) -> int:
    return (number + grid // 2) // grid * grid


def shares_along_tree(part: Block, total: int, speeds: Sequence[float], vector: float = VECTOR) -> list[Block]:
    """Cut `part` of [0, total) as `shares` does, or at multiples of a power of two where that costs less in all.

    A share is sent as one vector for each block of the tree that it consists of, and few of them may be worth that some
    worker has a little more to do than its speed says, which is not known so well in any case. A `vector` costs as much
    as so many micro-batches of a worker of mean speed.
    """
    first, last = part
    exact = [(first + start, first + stop) for start, stop in shares(last - first, speeds)]
    best, least = exact, _cost(exact, total, speeds, vector)
    grid = 2
    while grid * len(speeds) <= last - first and _vectors(best, total) > len(speeds):
        coarse = _on_grid(exact, grid)
        cost = _cost(coarse, total, speeds, vector)
        if cost < least:
            best, least = coarse, cost
        grid *= 2
    return best


def _on_grid(cut: list[Block], grid: int) -> list[Block]:
    """Return the shares with their ends moved to multiples of `grid`, so that who has something to do keeps some."""
    last, left = cut[-1][1], sum(start < stop for start, stop in cut)
    ends, before = [], cut[0][0]
    for start, end in cut[:-1]:
        left -= start < end
        least = (before // grid + 1) * grid if start < end else before
        most = ((last - 1) // grid + 1 - left) * grid
        before = min(last, max(least, min(_nearest(end, grid), most)))
        ends.append(before)
    return list(zip([cut[0][0], *ends], [*ends, last], strict=True))


def _cost(cut: list[Block], total: int, speeds: Sequence[float], vector: float) -> float:
    """Return how long a round takes, in the time that a worker of mean speed needs for a micro-batch."""
    mean = sum(speeds) / len(speeds)
    slowest = max((stop - start) / speed for (start, stop), speed in zip(cut, speeds, strict=True))
    return mean * slowest + vector * _vectors(cut, total)


def _vectors(cut: list[Block], total: int) -> int:
    return sum(len(cover(start, stop, total)) for start, stop in cut)
